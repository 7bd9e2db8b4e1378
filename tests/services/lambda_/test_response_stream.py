"""Responses of streaming functions, read by boto3 and over plain HTTP."""

from __future__ import annotations

import base64
import http.client
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.host.runtimes.toolchain import need
from tests.services.lambda_.conftest import RAISES, ROLE, Gate, Make, open_url, payload
from tests.support.nodes import ThreadNode

BOOTSTRAP = """#!/usr/bin/python3 -S
import http.client, json, os, time
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
PREFIX = "/2018-06-01/runtime/invocation/"
while True:
    api.request("GET", PREFIX + "next")
    got = api.getresponse()
    event, request = json.loads(got.read()), got.headers["Lambda-Runtime-Aws-Request-Id"]
    api.putrequest("POST", PREFIX + request + "/response")
    for name, value in {
        "Lambda-Runtime-Function-Response-Mode": "streaming", "Transfer-Encoding": "chunked",
        "Content-Type": event.get("type", "text/plain"),
        "Trailer": "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
    }.items():
        api.putheader(name, value)
    api.endheaders()
    for piece in event["pieces"]:
        if piece == "GATE":
            # The test opens the gate once it has what was sent before.
            gate = http.client.HTTPConnection(*event["gate"])
            gate.request("GET", "/")
            gate.getresponse().read()
        elif piece == "EXIT":
            os._exit(3)
        elif piece == "SLEEP":
            time.sleep(60)
        else:
            data = piece.encode("latin-1") * event.get("times", 1)
            api.send(b"%x\\r\\n%b\\r\\n" % (len(data), data))
    trailers = b""
    if "error" in event:
        trailers = (b"Lambda-Runtime-Function-Error-Type: Function.Late\\r\\n"
                    b"Lambda-Runtime-Function-Error-Body: " + event["error"].encode() + b"\\r\\n")
    api.send(b"0\\r\\n" + trailers + b"\\r\\n")
    api.getresponse().read()
"""
PRELUDE = "application/vnd.awslambda.http-integration-response"


def _events(answer: Any) -> list[dict[str, Any]]:
    return list(answer["EventStream"])


@pytest.fixture
def streaming(functions: Any) -> Callable[..., Any]:
    """`streaming(event)`: what InvokeWithResponseStream gives for a bootstrap that streams."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, BOOTSTRAP)
    functions.create_function(
        FunctionName="s",
        Runtime="provided.al2023",
        Handler="any",
        Role=ROLE,
        Code={"ZipFile": data.getvalue()},
        Timeout=3,
    )

    def invoke(event: Any, **more: Any) -> Any:
        return functions.invoke_with_response_stream(
            FunctionName="s", Payload=json.dumps(event), **more
        )

    return invoke


def test_a_result_comes_as_chunks_and_ends_with_completion(functions: Any, make: Make) -> None:
    make("f", "def handler(event, context):\n    print('said')\n    return 'x' * 100_000\n")
    answer = functions.invoke_with_response_stream(FunctionName="f", LogType="Tail")
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    *chunks, complete = _events(answer)
    whole = b"".join(chunk["PayloadChunk"]["Payload"] for chunk in chunks)
    assert (len(chunks), json.loads(whole)) == (2, "x" * 100_000)
    assert "said" in base64.b64decode(complete["InvokeComplete"]["LogResult"]).decode()
    assert "ErrorCode" not in complete["InvokeComplete"]


def test_an_error_is_told_when_the_stream_ends(functions: Any, make: Make) -> None:
    make("f", RAISES)
    (complete,) = _events(functions.invoke_with_response_stream(FunctionName="f"))
    assert complete["InvokeComplete"]["ErrorCode"] == "Unhandled"
    assert json.loads(complete["InvokeComplete"]["ErrorDetails"])["errorMessage"] == "broken"


def test_the_first_chunk_arrives_while_the_function_still_runs(
    streaming: Callable[..., Any], gate: Gate
) -> None:
    answer = streaming({"pieces": ["one", "GATE", "two"], "gate": gate.address}, LogType="Tail")
    assert answer["ResponseStreamContentType"] == "text/plain"
    events = iter(answer["EventStream"])
    assert next(events) == {"PayloadChunk": {"Payload": b"one"}}
    gate.open()
    assert next(events) == {"PayloadChunk": {"Payload": b"two"}}
    (complete,) = events
    log = base64.b64decode(complete["InvokeComplete"]["LogResult"]).decode()
    assert "REPORT RequestId" in log and "ErrorCode" not in complete["InvokeComplete"]


def test_an_error_within_the_stream_follows_what_was_sent(streaming: Callable[..., Any]) -> None:
    told = json.dumps({"errorType": "Late", "errorMessage": "too late"})
    chunk, complete = _events(
        streaming({"pieces": ["one"], "error": base64.b64encode(told.encode()).decode()})
    )
    assert chunk == {"PayloadChunk": {"Payload": b"one"}}
    assert complete["InvokeComplete"]["ErrorCode"] == "Unhandled"
    assert complete["InvokeComplete"]["ErrorDetails"] == told


def test_a_runtime_that_exits_within_the_stream_is_a_truncated_response(
    streaming: Callable[..., Any],
) -> None:
    chunk, complete = _events(streaming({"pieces": ["one", "EXIT"]}))
    assert chunk == {"PayloadChunk": {"Payload": b"one"}}
    details = json.loads(complete["InvokeComplete"]["ErrorDetails"])
    assert details["errorType"] in ("Runtime.TruncatedResponse", "Runtime.ExitError")
    assert b"".join(
        e["PayloadChunk"]["Payload"] for e in _events(streaming({"pieces": ["x"]}))[:-1]
    )


def test_a_stream_that_outlasts_the_timeout_ends_with_it(streaming: Callable[..., Any]) -> None:
    chunk, complete = _events(streaming({"pieces": ["one", "SLEEP"]}))
    assert chunk == {"PayloadChunk": {"Payload": b"one"}}
    details = json.loads(complete["InvokeComplete"]["ErrorDetails"])
    assert details["errorMessage"].endswith("Task timed out after 3.00 seconds")


def test_a_streamed_response_may_be_larger_than_a_buffered_one(
    streaming: Callable[..., Any], functions: Any
) -> None:
    event = {"pieces": ["x"] * 8, "times": 1 << 20}
    *chunks, complete = _events(streaming(event))
    assert sum(len(chunk["PayloadChunk"]["Payload"]) for chunk in chunks) == 8 << 20
    assert "ErrorCode" not in complete["InvokeComplete"]
    buffered = functions.invoke(FunctionName="s", Payload=json.dumps(event))
    assert buffered["FunctionError"] == "Unhandled"
    assert payload(buffered)["errorType"] == "Function.ResponseSizeTooLarge"


def test_a_buffered_invocation_gets_the_streamed_response_whole(
    streaming: Callable[..., Any], functions: Any
) -> None:
    buffered = functions.invoke(FunctionName="s", Payload=json.dumps({"pieces": ['{"a":', "1}"]}))
    assert payload(buffered) == {"a": 1}


@pytest.fixture
def page(node: ThreadNode, functions: Any) -> Callable[..., http.client.HTTPResponse]:
    """`page(event, "POST")`: the response of a streaming function URL of `s`, unread."""

    def call(event: Any, method: str = "POST") -> http.client.HTTPResponse:
        made = functions.create_function_url_config(
            FunctionName="s", AuthType="NONE", InvokeMode="RESPONSE_STREAM"
        )
        open_url(functions, "s")
        place = urlsplit(node.endpoint)
        connection = http.client.HTTPConnection(place.hostname or "", place.port)
        host = urlsplit(made["FunctionUrl"]).netloc
        connection.request(method, "/", json.dumps(event), {"Host": host})
        return connection.getresponse()

    return call


URL_BOOTSTRAP = BOOTSTRAP.replace(
    "json.loads(got.read())", "json.loads(json.loads(got.read())['body'])"
)


@pytest.fixture
def site(functions: Any) -> None:
    """The function `s`, which streams what the body of a URL's request says."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, URL_BOOTSTRAP)
    functions.create_function(
        FunctionName="s",
        Runtime="provided.al2023",
        Handler="any",
        Role=ROLE,
        Code={"ZipFile": data.getvalue()},
        Timeout=3,
    )


def test_a_streaming_url_sends_the_prelude_as_head_and_the_rest_as_it_comes(
    site: None, page: Callable[..., http.client.HTTPResponse], gate: Gate
) -> None:
    head = {"statusCode": 201, "headers": {"X-Own": "yes"}, "cookies": ["a=1", "b=2"]}
    pieces = [json.dumps(head)[:9], json.dumps(head)[9:] + "\0" * 8 + "first ", "GATE", "second"]
    response = page({"type": PRELUDE, "pieces": pieces, "gate": gate.address})
    assert (response.status, response.headers["X-Own"]) == (201, "yes")
    assert response.headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert response.read(6) == b"first "
    gate.open()
    assert response.read() == b"second"


def test_a_streaming_url_without_prelude_answers_200_with_the_functions_content_type(
    site: None, page: Callable[..., http.client.HTTPResponse]
) -> None:
    response = page({"type": "text/csv", "pieces": ["a,", "b"]})
    assert (response.status, response.headers["Content-Type"]) == (200, "text/csv")
    assert response.read() == b"a,b"


def test_a_streaming_url_with_a_broken_prelude_is_502(
    site: None, page: Callable[..., http.client.HTTPResponse]
) -> None:
    assert page({"type": PRELUDE, "pieces": ["no json" + "\0" * 8]}).status == 502


def test_an_error_within_a_streaming_urls_response_cuts_the_connection(
    site: None, page: Callable[..., http.client.HTTPResponse]
) -> None:
    response = page({"pieces": ["one"], "error": "e30="})
    with pytest.raises(http.client.IncompleteRead):
        response.read()


def test_nodejs_streams_by_streamify_response(functions: Any, gate: Gate) -> None:
    need("node")
    source = """
const http = require("node:http");
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  stream.setContentType("text/html");
  stream.write("one");
  await new Promise((done) => http.get(event.gate, (got) => got.resume().on("end", done)));
  stream.write("two");
  stream.end();
});
"""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("index.js", source)
    functions.create_function(
        FunctionName="n",
        Runtime="nodejs20.x",
        Handler="index.handler",
        Role=ROLE,
        Code={"ZipFile": data.getvalue()},
        Timeout=20,
    )
    host, port = gate.address
    answer = functions.invoke_with_response_stream(
        FunctionName="n", Payload=json.dumps({"gate": f"http://{host}:{port}/"})
    )
    assert answer["ResponseStreamContentType"] == "text/html"
    events = iter(answer["EventStream"])
    assert next(events) == {"PayloadChunk": {"Payload": b"one"}}
    gate.open()
    assert next(events) == {"PayloadChunk": {"Payload": b"two"}}
