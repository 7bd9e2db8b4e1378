"""A node that is started on a full disk serves what can be read, and goes on by itself once there
is room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conftest import ClientFactory
from tests.crash.killing import until
from tests.support import disks
from tests.support.nodes import ProcessNode

pytestmark = pytest.mark.crash


@pytest.fixture
def small_disk() -> Iterator[Path]:
    with disks.small(20) as place:
        yield place


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_node_that_is_started_on_a_full_disk_reads_and_recovers(
    small_disk: Path, connect: ClientFactory, end: str
) -> None:
    node = ProcessNode(small_disk / "data").start()
    try:
        sqs, dynamodb = (connect(node.endpoint, name) for name in ("sqs", "dynamodb"))
        url = sqs.create_queue(QueueName="queue")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="before")
        dynamodb.create_table(
            TableName="table",
            KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        item = {"key": {"S": "before"}}
        dynamodb.put_item(TableName="table", Item=item)
        getattr(node, end)()
        with disks.full(small_disk):
            node.start()
            assert dynamodb.get_item(TableName="table", Key=item)["Item"] == item
            refused = until(lambda: _send(sqs, url), lambda refused: refused != "")
            assert refused == "503 ServiceUnavailable"
            assert dynamodb.get_item(TableName="table", Key=item)["Item"] == item
        until(lambda: _send(sqs, url), lambda refused: refused == "")
        bodies = {message["Body"] for _ in range(50) for message in _received(sqs, url)}
        assert "before" in bodies
        dynamodb.put_item(TableName="table", Item={"key": {"S": "after"}})
        assert node.stop() == 0
    finally:
        node.kill()


def _send(sqs: Any, url: str) -> str:
    """Status and code, if it is refused; large enough to find no room."""
    try:
        sqs.send_message(QueueUrl=url, MessageBody="x" * 100_000)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return f"{status} {error.response['Error']['Code']}"
    return ""


def _received(sqs: Any, url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
        "Messages", []
    )
    return found
