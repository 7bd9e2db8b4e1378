"""What is deleted while it holds much: gone for everyone with the answer, from the disk little by
little, and nothing of it shines through what is made again under its name."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conftest import ClientFactory
from tests.crash.killing import until
from tests.support.functions import function
from tests.support.nodes import ProcessNode, ThreadNode
from tests.support.removals import all_removed

from lambent.core.clock import SystemClock
from lambent.services.lambda_ import leaving
from lambent.store.contract import Transaction

pytestmark = pytest.mark.usefixtures("small_removals")
MANY = 12
RAISES = "def handler(event, context):\n    raise ValueError('broken')\n"
ECHO = "def handler(event, context):\n    return event\n"
PENDING = "def handler(event, context):\n    return {'Status': 'PENDING'}\n"

Client = Callable[..., Any]


def _ask(node: ThreadNode, body: Callable[[Transaction], Any]) -> Any:
    """What the node's store answers."""
    store = node.node._store
    assert store is not None
    return node.run(store.transact(body))


def _refused(call: Any, code: str, **arguments: Any) -> None:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == code


def _table(dynamodb: Any) -> str:
    made = dynamodb.create_table(
        TableName="much",
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    id: str = made["TableDescription"]["TableId"]
    return id


def _expire(dynamodb: Any, attribute: str, enabled: bool) -> None:
    dynamodb.update_time_to_live(
        TableName="much",
        TimeToLiveSpecification={"AttributeName": attribute, "Enabled": enabled},
    )


def test_expiry_that_is_disabled_leaves_nothing_and_begins_anew(
    node: ThreadNode, client: Client
) -> None:
    dynamodb = client("dynamodb")
    id = _table(dynamodb)
    _expire(dynamodb, "e", True)
    later = str(int(SystemClock().now()) + 3600)
    for number in range(MANY):
        item = {"k": {"S": str(number)}, "e": {"N": later}, "f": {"N": later}}
        dynamodb.put_item(TableName="much", Item=item)
    _expire(dynamodb, "e", False)
    described = dynamodb.describe_time_to_live(TableName="much")["TimeToLiveDescription"]
    assert described == {"TimeToLiveStatus": "DISABLED"}
    dynamodb.delete_item(TableName="much", Key={"k": {"S": "0"}})
    _expire(dynamodb, "f", True)
    all_removed(node)

    async def kept(tx: Transaction) -> list[int]:
        return [await tx.count(f"dynamodb.ttl/{id}"), await tx.count(f"dynamodb.ttl/{id}/1")]

    until(lambda: _ask(node, kept), lambda found: found == [0, MANY - 1])


def test_a_table_leaves_nothing(node: ThreadNode, client: Client) -> None:
    dynamodb = client("dynamodb")
    id = _table(dynamodb)
    for number in range(MANY):
        dynamodb.put_item(TableName="much", Item={"k": {"S": str(number)}})
    dynamodb.delete_table(TableName="much")
    assert _table(dynamodb) != id
    assert dynamodb.scan(TableName="much")["Count"] == 0
    all_removed(node)
    assert _ask(node, lambda tx: tx.count(f"dynamodb.items/{id}")) == 0


def test_a_log_group_leaves_nothing(node: ThreadNode, client: Client) -> None:
    logs = client("logs")

    def fill() -> None:
        logs.create_log_group(logGroupName="g")
        for stream in range(3):
            logs.create_log_stream(logGroupName="g", logStreamName=str(stream))
            now = int(SystemClock().now() * 1000)
            events = [{"timestamp": now, "message": str(number)} for number in range(MANY)]
            logs.put_log_events(logGroupName="g", logStreamName=str(stream), logEvents=events)

    fill()
    logs.delete_log_group(logGroupName="g")
    _refused(logs.filter_log_events, "ResourceNotFoundException", logGroupName="g")
    fill()
    logs.delete_log_stream(logGroupName="g", logStreamName="0")
    names = [one["logStreamName"] for one in _streams(logs)]
    assert names == ["1", "2"]
    assert len(logs.filter_log_events(logGroupName="g")["events"]) == 2 * MANY
    all_removed(node)
    assert len(logs.filter_log_events(logGroupName="g")["events"]) == 2 * MANY


def _streams(logs: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = logs.describe_log_streams(logGroupName="g")["logStreams"]
    return found


def _upload(s3: Any, key: str) -> str:
    id: str = s3.create_multipart_upload(Bucket="much", Key=key)["UploadId"]
    for number in range(1, MANY + 1):
        s3.upload_part(Bucket="much", Key=key, UploadId=id, PartNumber=number, Body=b"x")
    return id


def _parts(node: ThreadNode, *uploads: str) -> list[int]:
    async def body(tx: Transaction) -> list[int]:
        return [await tx.count("s3.parts", upload.encode()) for upload in uploads]

    found: list[int] = _ask(node, body)
    return found


def test_an_upload_that_is_given_up_leaves_nothing(
    fresh_node: Callable[..., ThreadNode], connect: ClientFactory
) -> None:
    node = fresh_node()
    s3 = connect(node.endpoint, "s3")
    s3.create_bucket(Bucket="much")
    first, *others = (_upload(s3, key) for key in ("a", "b", "c"))
    s3.abort_multipart_upload(Bucket="much", Key="a", UploadId=first)
    _refused(s3.list_parts, "NoSuchUpload", Bucket="much", Key="a", UploadId=first)
    all_removed(node)
    assert _parts(node, first, *others) == [0, MANY, MANY]
    s3.delete_bucket(Bucket="much")
    s3.create_bucket(Bucket="much")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="much")
    all_removed(node)
    assert _parts(node, first, *others) == [0, 0, 0]
    assert _ask(node, lambda tx: tx.count("s3.uploads")) == 0


def test_a_function_leaves_nothing_to_the_next_of_its_name(
    node: ThreadNode, client: Client, account: str
) -> None:
    functions = client("lambda")
    function(client, "f", RAISES)
    for number in range(MANY):
        functions.invoke(FunctionName="f", InvocationType="Event", Payload=str(number))
        functions.publish_version(FunctionName="f", Description=str(number))
        functions.update_function_configuration(FunctionName="f", Description=str(number))
    functions.delete_function(FunctionName="f")
    _refused(functions.get_function, "ResourceNotFoundException", FunctionName="f")
    function(client, "f", ECHO)
    versions = functions.list_versions_by_function(FunctionName="f")["Versions"]
    assert [one["Version"] for one in versions] == ["$LATEST"]
    place = f"{account}/us-east-1/f"

    async def kept(tx: Transaction) -> list[Any]:
        counts = await tx.work_counts(f"lambda.async/{place}")
        return [
            counts.ready + counts.leased + counts.delayed,
            await tx.count("lambda.versions", place.encode()),
            await tx.count("lambda.code", place.encode()),
            await tx.get(leaving.COLLECTION, place.encode()),
        ]

    assert _ask(node, kept) == [0, 0, 1, None]
    all_removed(node)
    assert _ask(node, kept) == [0, 0, 1, None]


def test_the_executions_of_a_function_are_gone_with_it(
    node: ThreadNode, client: Client, account: str
) -> None:
    functions = client("lambda")
    config = {"ExecutionTimeout": 600}
    function(client, "f", PENDING, DurableConfig=config)
    for number in range(MANY):
        functions.invoke(
            FunctionName="f:$LATEST",
            InvocationType="Event",
            Payload=b"1",
            DurableExecutionName=f"n{number}",
        )
    listed = functions.list_durable_executions_by_function(FunctionName="f")["DurableExecutions"]
    assert len(listed) == MANY
    arn = listed[-1]["DurableExecutionArn"]
    functions.delete_function(FunctionName="f")
    _refused(functions.get_durable_execution, "ResourceNotFoundException", DurableExecutionArn=arn)
    function(client, "f", PENDING, DurableConfig=config)
    found = functions.list_durable_executions_by_function(FunctionName="f")
    assert found["DurableExecutions"] == []
    _refused(functions.get_durable_execution, "ResourceNotFoundException", DurableExecutionArn=arn)
    all_removed(node)
    place = f"{account}/us-east-1/f"

    async def kept(tx: Transaction) -> list[int]:
        own = [
            record
            for collection in ("data", "operations", "order")
            for record in await tx.scan_all(f"lambda.execution-{collection}")
            if record.partition.startswith(place.encode())
        ]
        return [
            len(own),
            await tx.count("lambda.executions", place.encode()),
            await tx.count("lambda.execution-names", place.encode()),
        ]

    assert _ask(node, kept) == [0, 0, 0]


@pytest.mark.crash
def test_a_node_that_was_killed_goes_on_with_it(
    node_process: Callable[..., ProcessNode],
    fresh_node: Callable[..., ThreadNode],
    connect: ClientFactory,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "data"
    node = node_process(data_dir=folder)
    logs = connect(node.endpoint, "logs")
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    now = int(SystemClock().now() * 1000)
    events = [{"timestamp": now, "message": "x"}] * 10_000
    for _ in range(3):
        logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=events)
    logs.delete_log_group(logGroupName="g")
    node.kill()
    assert _entries(folder) > 0
    again = fresh_node(data_dir=folder)
    logs = connect(again.endpoint, "logs")
    _refused(logs.filter_log_events, "ResourceNotFoundException", logGroupName="g")
    all_removed(again)
    again.stop()
    assert _entries(folder) == 0


def _entries(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "lambent.db")) as db:
        (count,) = db.execute(
            "SELECT count(*) FROM log WHERE log IN"
            " (SELECT number FROM name WHERE name LIKE 'logs/%')"
        ).fetchone()
    return int(count)
