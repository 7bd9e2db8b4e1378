"""InvokeWithResponseStream, read by boto3."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.services.lambda_.conftest import RAISES, Make


def _events(answer: Any) -> list[dict[str, Any]]:
    return list(answer["EventStream"])


def test_a_result_comes_as_chunks_and_ends_with_completion(functions: Any, make: Make) -> None:
    make("f", "def handler(event, context):\n    print('said')\n    return 'x' * 100_000\n")
    answer = functions.invoke_with_response_stream(FunctionName="f", LogType="Tail")
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    *chunks, complete = _events(answer)
    payload = b"".join(chunk["PayloadChunk"]["Payload"] for chunk in chunks)
    assert (len(chunks), json.loads(payload)) == (2, "x" * 100_000)
    assert "said" in base64.b64decode(complete["InvokeComplete"]["LogResult"]).decode()
    assert "ErrorCode" not in complete["InvokeComplete"]


def test_an_error_is_told_when_the_stream_ends(functions: Any, make: Make) -> None:
    make("f", RAISES)
    (complete,) = _events(functions.invoke_with_response_stream(FunctionName="f"))
    assert complete["InvokeComplete"]["ErrorCode"] == "Unhandled"
    assert json.loads(complete["InvokeComplete"]["ErrorDetails"])["errorMessage"] == "broken"
