"""What a node was doing when it was killed goes on when it starts again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.lambda_.conftest import ROLE, Queue, archive

TELLS_AND_LINGERS = """
import boto3, json, os, time
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
    time.sleep(int(os.environ["LINGER"]))
"""


@pytest.mark.crash
@pytest.mark.parametrize("way", ["event", "queue"])
def test_work_in_flight_at_a_kill_is_done_after_the_restart(
    node_process: Callable[..., Any], connect: Callable[..., Any], way: str
) -> None:
    node = node_process()
    functions, sqs = connect(node.endpoint, "lambda"), connect(node.endpoint, "sqs")
    out, source = Queue(sqs, "out"), Queue(sqs, "source", VisibilityTimeout="4")
    functions.create_function(
        FunctionName="f",
        Runtime="python3.11",
        Role=ROLE,
        Handler="index.handler",
        Timeout=4,
        Code={"ZipFile": archive(TELLS_AND_LINGERS)},
        Environment={"Variables": {"QUEUE": out.url, "LINGER": "3"}},
    )
    functions.create_event_source_mapping(FunctionName="f", EventSourceArn=source.arn)
    if way == "event":
        functions.invoke(FunctionName="f", InvocationType="Event", Payload=b'{"body":"a"}')
    else:
        source.send("a")
    first = json.loads(out.receive(20)["Body"])
    node.kill()
    node.start()
    again = json.loads(out.receive(20)["Body"])
    if way == "event":
        assert again == first == {"body": "a"}
        return
    (before,), (after,) = first["Records"], again["Records"]
    assert after["messageId"] == before["messageId"]
    assert after["attributes"]["ApproximateReceiveCount"] == "2"
