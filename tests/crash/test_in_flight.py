"""What a function had in hand when its node was killed comes back at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from tests.conftest import ClientFactory
from tests.crash.killing import until
from tests.support.functions import function
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
    function(client, "hang", HANDLER, Timeout=900)
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


def _log(client: Any) -> str:
    logs = client("logs")
    try:
        events = logs.filter_log_events(logGroupName="/aws/lambda/hang")["events"]
    except logs.exceptions.ResourceNotFoundException:
        return ""
    return "\n".join(event["message"] for event in events)
