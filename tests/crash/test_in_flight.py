"""What a function had in hand when its node was killed comes back at once."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from tests.conftest import ClientFactory
from tests.crash.killing import until
from tests.support.nodes import ProcessNode

pytestmark = pytest.mark.crash

# The first attempt never ends by itself; those after it go well.
HANDLER = """
import threading
def handler(event, context):
    (record,) = event["Records"]
    if record["attributes"]["ApproximateReceiveCount"] == "1":
        print("in hand", flush=True)
        threading.Event().wait()
"""


def test_messages_in_hand_do_not_wait_for_their_visibility_timeout(
    node_process: Callable[..., ProcessNode], connect: ClientFactory
) -> None:
    node = node_process()
    client = partial(connect, node.endpoint)
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="slow", Attributes={"VisibilityTimeout": "43200"})["QueueUrl"]
    _function(client, "hang", timeout=900)
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    client("lambda").create_event_source_mapping(
        EventSourceArn=arn["QueueArn"], FunctionName="hang", BatchSize=1
    )
    sqs.send_message(QueueUrl=url, MessageBody="work")
    until(lambda: _log(client), lambda text: "in hand" in text)

    node.kill()
    node.start()

    def depths() -> dict[str, str]:
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        attributes: dict[str, str] = answer["Attributes"]
        return {k: v for k, v in attributes.items() if k.startswith("ApproximateN")}

    until(depths, lambda found: set(found.values()) == {"0"})


def _function(client: Any, name: str, timeout: int) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr("index.py", HANDLER)
    role = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))[
        "Role"
    ]
    client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.11",
        Handler="index.handler",
        Role=role["Arn"],
        Code={"ZipFile": archive.getvalue()},
        Timeout=timeout,
    )


def _log(client: Any) -> str:
    logs = client("logs")
    try:
        events = logs.filter_log_events(logGroupName="/aws/lambda/hang")["events"]
    except logs.exceptions.ResourceNotFoundException:
        return ""
    return "\n".join(event["message"] for event in events)


TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
