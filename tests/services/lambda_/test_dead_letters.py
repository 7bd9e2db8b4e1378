"""What explains a dead letter: every attempt that failed, until it is replayed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.lambda_.conftest import Make, Queue, until
from tests.support.http import Raw

DISLIKES = """
import json, os
import boto3
def handler(event, context):
    for record in event.get("Records", [{"body": json.dumps(event)}]):
        if "bad" in record["body"] and os.environ.get("MENDED") != "yes":
            raise ValueError(f"cannot take order {context.aws_request_id}")
    if os.environ.get("OUT"):
        boto3.client("sqs").send_message(QueueUrl=os.environ["OUT"], MessageBody=json.dumps(event))
"""
REPORTS = """
def handler(event, context):
    return {"batchItemFailures": [{"itemIdentifier": r["messageId"]} for r in event["Records"]]}
"""

Api = Callable[..., Any]


@pytest.fixture
def api(raw: Raw) -> Api:
    def ask(method: str, path: str, body: Any = None) -> Any:
        data = json.dumps(body).encode() if body is not None else b""
        answer = raw(method, f"/_lambent/{path}", data, sign="lambent")
        assert answer.status == 200, answer.text
        return json.loads(answer.text)

    return ask


def _letters(api: Api, count: int) -> list[dict[str, Any]]:
    def look() -> Any:
        found = api("POST", "dlq/queues/dead/messages", {})["messages"]
        return found if len(found) >= count else None

    found: list[dict[str, Any]] = until(look, 30)
    return found


def _redrive(dead: Queue, count: int) -> str:
    return json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": count})


def test_a_message_brings_each_attempts_error_to_the_dead_letter_queue(
    functions: Any, make: Make, queue: Callable[..., Queue], api: Api
) -> None:
    dead = queue("dead")
    source = queue("source", VisibilityTimeout="1", RedrivePolicy=_redrive(dead, 2))
    make("f", DISLIKES, Timeout=1)
    version = functions.publish_version(FunctionName="f")["Version"]
    functions.create_event_source_mapping(
        FunctionName=f"f:{version}", EventSourceArn=source.arn, BatchSize=1
    )
    source.send("bad 1", "bad 2", "good")
    letters = _letters(api, 2)
    assert {letter["body"] for letter in letters} == {"bad 1", "bad 2"}
    for letter in letters:
        assert letter["source"] == source.arn
        assert len(letter["attempts"]) == 2
        for attempt in letter["attempts"]:
            assert attempt["function"].endswith(f":function:f:{version}")
            assert attempt["version"] == version
            assert attempt["error"] == "ValueError"
            assert attempt["message"] == f"cannot take order {attempt['request_id']}"
            assert "in handler" in attempt["stack"][-1]
            assert attempt["log_group"] == "/aws/lambda/f"
            assert 0 < attempt["duration_ms"] < 10_000
        first, second = letter["attempts"]
        assert first["request_id"] != second["request_id"]
        assert first["time"] < second["time"]
    (overview,) = api("GET", "dlq")["queues"]
    (group,) = overview["groups"]
    assert (group["count"], group["error"], group["version"]) == (2, "ValueError", version)
    shown = api("POST", "dlq/queues/dead", {"selection": {"function": "f", "error": "valueerror"}})
    assert shown["count"] == 2
    assert api("POST", "dlq/queues/dead", {"selection": {"function": "g"}})["count"] == 0
    message = dead.receive()
    assert message["Body"].startswith("bad") and message["Attributes"]["DeadLetterQueueSourceArn"]


def test_what_a_function_reports_as_failed_says_so(
    functions: Any, make: Make, queue: Callable[..., Queue], api: Api
) -> None:
    dead = queue("dead")
    source = queue("source", VisibilityTimeout="1", RedrivePolicy=_redrive(dead, 1))
    make("f", REPORTS, Timeout=1)
    functions.create_event_source_mapping(
        FunctionName="f",
        EventSourceArn=source.arn,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    source.send("a")
    (letter,) = _letters(api, 1)
    (attempt,) = letter["attempts"]
    assert attempt["error"] == "BatchItemFailure"
    assert attempt["request_id"]
    for name, count in {"f:$LATEST": 1, "f": 1, "f:1": 0}.items():
        found = api("POST", "dlq/queues/dead", {"selection": {"function": name}})
        assert found["count"] == count, "as the list shows it"


@pytest.mark.parametrize("way", ["dead letter queue", "destination"])
def test_an_asynchronous_event_goes_back_to_its_function(
    functions: Any, make: Make, queue: Callable[..., Queue], api: Api, way: str
) -> None:
    dead, out = queue("dead"), queue("out")
    more: dict[str, Any] = {}
    if way == "dead letter queue":
        more["DeadLetterConfig"] = {"TargetArn": dead.arn}
    make("f", DISLIKES, Environment={"Variables": {"OUT": out.url}}, **more)
    functions.put_function_event_invoke_config(
        FunctionName="f",
        MaximumRetryAttempts=0,
        DestinationConfig=(
            {"OnFailure": {"Destination": dead.arn}} if way == "destination" else {}
        ),
    )
    functions.invoke(FunctionName="f", InvocationType="Event", Payload=b'{"order": "bad"}')
    (letter,) = _letters(api, 1)
    assert letter["source"].endswith(":function:f")
    (attempt,) = letter["attempts"]
    assert (attempt["error"], attempt["version"]) == ("ValueError", "$LATEST")
    (overview,) = api("GET", "dlq")["queues"]
    assert (overview["queue"], overview["sources"]) == ("dead", [letter["source"]])

    api("POST", "dlq/queues/dead/replay", {})
    until(lambda: _letters(api, 1)[0]["replays"] == 1)
    (letter,) = _letters(api, 1)
    assert len(letter["attempts"]) == 2

    environment = {"Variables": {"OUT": out.url, "MENDED": "yes"}}
    functions.update_function_configuration(FunctionName="f", Environment=environment)
    api("POST", "dlq/queues/dead/replay", {})
    assert json.loads(out.receive(20)["Body"]) == {"order": "bad"}
    assert dead.left() == (0, 0)
