"""DynamoDB Streams through boto3: what is recorded, how it is read, and when it goes away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lambent.core.clock import VirtualClock

Make = Callable[..., str]
Refused = Callable[..., str]
DAY = 24 * 3600


@pytest.fixture
def streams(client: Callable[..., Any]) -> Any:
    return client("dynamodbstreams", parameter_validation=False)


def view(kind: str) -> dict[str, Any]:
    return {"StreamEnabled": True, "StreamViewType": kind}


def stream_of(ddb: Any, table: str = "tbl") -> str:
    return str(ddb.describe_table(TableName=table)["Table"]["LatestStreamArn"])


def iterator(streams: Any, arn: str, kind: str = "TRIM_HORIZON", **more: Any) -> str:
    description = streams.describe_stream(StreamArn=arn)["StreamDescription"]
    return str(
        streams.get_shard_iterator(
            StreamArn=arn,
            ShardId=description["Shards"][0]["ShardId"],
            ShardIteratorType=kind,
            **more,
        )["ShardIterator"]
    )


def read(streams: Any, arn: str, kind: str = "TRIM_HORIZON", **more: Any) -> list[Any]:
    found = streams.get_records(ShardIterator=iterator(streams, arn, kind, **more))
    return list(found["Records"])


def change(ddb: Any) -> None:
    """Insert, modify, leave as it is, and remove one item."""
    ddb.put_item(TableName="tbl", Item={"pk": {"S": "k"}, "v": {"N": "1"}})
    update = {"UpdateExpression": "SET v = :v", "ExpressionAttributeValues": {":v": {"N": "22"}}}
    for _ in range(2):
        ddb.update_item(TableName="tbl", Key={"pk": {"S": "k"}}, **update)
    for _ in range(2):
        ddb.delete_item(TableName="tbl", Key={"pk": {"S": "k"}})


@pytest.mark.parametrize(
    ("kind", "images"),
    [
        ("KEYS_ONLY", [(None, None), (None, None), (None, None)]),
        ("NEW_IMAGE", [(None, "1"), (None, "22"), (None, None)]),
        ("OLD_IMAGE", [(None, None), ("1", None), ("22", None)]),
        ("NEW_AND_OLD_IMAGES", [(None, "1"), ("1", "22"), ("22", None)]),
    ],
)
def test_each_change_is_recorded_once_with_the_images_of_the_view(
    ddb: Any, streams: Any, make: Make, kind: str, images: list[Any]
) -> None:
    make("tbl", "pk:S", StreamSpecification=view(kind))
    change(ddb)
    records = read(streams, stream_of(ddb))
    assert [record["eventName"] for record in records] == ["INSERT", "MODIFY", "REMOVE"]
    found = [
        tuple(
            record["dynamodb"].get(image, {}).get("v", {}).get("N")
            for image in ("OldImage", "NewImage")
        )
        for record in records
    ]
    assert found == images
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    assert numbers == sorted(numbers)
    assert all(record["dynamodb"]["Keys"] == {"pk": {"S": "k"}} for record in records)
    assert len({record["eventID"] for record in records}) == 3


def test_a_record_has_the_members_and_the_size_that_aws_documents(
    ddb: Any, streams: Any, make: Make
) -> None:
    make("tbl", "Id:N", StreamSpecification=view("NEW_AND_OLD_IMAGES"))
    ddb.put_item(TableName="tbl", Item={"Id": {"N": "101"}, "Message": {"S": "New item!"}})
    record = read(streams, stream_of(ddb))[0]
    assert record["eventSource"] == "aws:dynamodb"
    assert record["eventVersion"] == "1.1"
    assert record["awsRegion"] == "us-east-1"
    assert record["dynamodb"]["SizeBytes"] == 26
    assert record["dynamodb"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert record["dynamodb"]["ApproximateCreationDateTime"].microsecond == 0
    assert "userIdentity" not in record


def test_batches_and_transactions_are_recorded_item_by_item(
    ddb: Any, streams: Any, make: Make
) -> None:
    make("tbl", "pk:S", StreamSpecification=view("KEYS_ONLY"))
    puts = [{"PutRequest": {"Item": {"pk": {"S": str(n)}}}} for n in range(3)]
    ddb.batch_write_item(RequestItems={"tbl": puts})
    ddb.transact_write_items(
        TransactItems=[
            {"Delete": {"TableName": "tbl", "Key": {"pk": {"S": "0"}}}},
            {"Put": {"TableName": "tbl", "Item": {"pk": {"S": "9"}}}},
        ]
    )
    records = read(streams, stream_of(ddb))
    assert [each["dynamodb"]["Keys"]["pk"]["S"] for each in records] == ["0", "1", "2", "0", "9"]


def test_iterators_begin_where_they_say(ddb: Any, streams: Any, make: Make) -> None:
    make("tbl", "pk:S", StreamSpecification=view("KEYS_ONLY"))
    arn = stream_of(ddb)
    latest = iterator(streams, arn, "LATEST")
    change(ddb)
    insert, modify, remove = read(streams, arn)
    number = modify["dynamodb"]["SequenceNumber"]
    at, after = "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"
    assert read(streams, arn, at, SequenceNumber=number) == [modify, remove]
    assert read(streams, arn, after, SequenceNumber=number) == [remove]
    assert read(streams, arn, "LATEST") == []
    assert streams.get_records(ShardIterator=latest)["Records"] == [insert, modify, remove]
    starting = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]
    first = starting["SequenceNumberRange"]["StartingSequenceNumber"]
    assert len(read(streams, arn, at, SequenceNumber=first)) == 3


def test_reading_goes_on_with_the_next_iterator(ddb: Any, streams: Any, make: Make) -> None:
    make("tbl", "pk:S", StreamSpecification=view("KEYS_ONLY"))
    arn = stream_of(ddb)
    change(ddb)
    names, position = [], iterator(streams, arn)
    for _ in range(4):
        page = streams.get_records(ShardIterator=position, Limit=1)
        names.append([record["eventName"] for record in page["Records"]])
        position = page["NextShardIterator"]
    assert names == [["INSERT"], ["MODIFY"], ["REMOVE"], []]


def test_a_stream_ends_when_it_is_disabled_and_can_still_be_read(
    ddb: Any, streams: Any, make: Make
) -> None:
    make("tbl", "pk:S", StreamSpecification=view("KEYS_ONLY"))
    arn = stream_of(ddb)
    change(ddb)
    ddb.update_table(TableName="tbl", StreamSpecification={"StreamEnabled": False})
    ddb.put_item(TableName="tbl", Item={"pk": {"S": "unseen"}})
    description = streams.describe_stream(StreamArn=arn)["StreamDescription"]
    assert description["StreamStatus"] == "DISABLED"
    page = streams.get_records(ShardIterator=iterator(streams, arn))
    assert len(page["Records"]) == 3
    assert "NextShardIterator" not in page
    ending = description["Shards"][0]["SequenceNumberRange"]["EndingSequenceNumber"]
    assert ending == page["Records"][-1]["dynamodb"]["SequenceNumber"]

    ddb.update_table(TableName="tbl", StreamSpecification=view("NEW_IMAGE"))
    assert stream_of(ddb) != arn
    assert read(streams, stream_of(ddb)) == []
    ddb.delete_table(TableName="tbl")
    assert len(read(streams, arn)) == 3


def test_streams_are_listed_by_table_and_in_pages(ddb: Any, streams: Any, make: Make) -> None:
    assert streams.list_streams()["Streams"] == []
    for name in ("one", "one-more", "two"):
        make(name, "pk:S", StreamSpecification=view("KEYS_ONLY"))
    make("none", "pk:S")
    first = streams.list_streams(Limit=2)
    rest = streams.list_streams(ExclusiveStartStreamArn=first["LastEvaluatedStreamArn"])
    assert "LastEvaluatedStreamArn" not in rest
    names = sorted(each["TableName"] for each in first["Streams"] + rest["Streams"])
    assert names == ["one", "one-more", "two"]
    only = streams.list_streams(TableName="one")["Streams"]
    assert [each["StreamArn"] for each in only] == [stream_of(ddb, "one")]
    assert streams.list_streams(TableName="none")["Streams"] == []


def test_what_is_wrong_is_refused(
    ddb: Any, streams: Any, make: Make, refused: Refused, account: str
) -> None:
    make("tbl", "pk:S", StreamSpecification=view("KEYS_ONLY"))
    arn = stream_of(ddb)
    gone = arn.replace("tbl", "nil")
    message = refused(streams.describe_stream, "ResourceNotFoundException", StreamArn=gone)
    assert message == f"Requested resource not found: Stream: {gone} not found"
    refused(streams.describe_stream, StreamArn="x" * 40)
    refused(streams.get_records, ShardIterator="nonsense")
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    ask = {"StreamArn": arn, "ShardId": shard}
    get = streams.get_shard_iterator
    refused(get, **ask, ShardIteratorType="AT_SEQUENCE_NUMBER")
    refused(get, **ask, ShardIteratorType="LATEST", SequenceNumber="1" * 21)
    refused(get, **ask, ShardIteratorType="AFTER_SEQUENCE_NUMBER", SequenceNumber="9" * 21)
    other = {**ask, "ShardId": shard[:-1] + "x"}
    refused(get, "ResourceNotFoundException", **other, ShardIteratorType="LATEST")
    refused(streams.get_records, ShardIterator=iterator(streams, arn), Limit=1001)


def test_records_live_a_day_iterators_a_quarter_of_an_hour(
    fresh_node: Callable[..., Any], connect: Callable[..., Any], refused: Refused
) -> None:
    clock = VirtualClock()
    node = fresh_node(clock=clock)
    ddb = connect(node.endpoint, "dynamodb")
    streams = connect(node.endpoint, "dynamodbstreams")
    ddb.create_table(
        TableName="tbl",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification=view("KEYS_ONLY"),
    )
    arn = stream_of(ddb)
    ddb.put_item(TableName="tbl", Item={"pk": {"S": "early"}})
    number = read(streams, arn)[0]["dynamodb"]["SequenceNumber"]
    early = iterator(streams, arn)
    node.run(clock.jump(DAY / 2))
    refused(streams.get_records, "ExpiredIteratorException", ShardIterator=early)
    ddb.put_item(TableName="tbl", Item={"pk": {"S": "late"}})
    node.run(clock.jump(DAY * 0.6))
    records = read(streams, arn)
    assert [each["dynamodb"]["Keys"]["pk"]["S"] for each in records] == ["late"]
    with pytest.raises(streams.exceptions.TrimmedDataAccessException):
        read(streams, arn, "AT_SEQUENCE_NUMBER", SequenceNumber=number)
    ddb.delete_table(TableName="tbl")
    assert len(read(streams, arn)) == 1
    node.run(clock.jump(DAY * 1.1))
    refused(streams.describe_stream, "ResourceNotFoundException", StreamArn=arn)
    assert streams.list_streams()["Streams"] == []


def test_what_time_to_live_removes_is_marked(
    fresh_node: Callable[..., Any], connect: Callable[..., Any]
) -> None:
    clock = VirtualClock()
    node = fresh_node(clock=clock)
    ddb = connect(node.endpoint, "dynamodb")
    ddb.create_table(
        TableName="tbl",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification=view("OLD_IMAGE"),
    )
    ddb.update_time_to_live(
        TableName="tbl", TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"}
    )
    expiry = str(int(clock.now()) + 10)
    ddb.put_item(TableName="tbl", Item={"pk": {"S": "k"}, "ttl": {"N": expiry}})
    node.run(clock.advance(200))
    record = read(connect(node.endpoint, "dynamodbstreams"), stream_of(ddb))[-1]
    assert record["eventName"] == "REMOVE"
    assert record["userIdentity"] == {
        "PrincipalId": "dynamodb.amazonaws.com",
        "Type": "Service",
    }


def test_a_table_of_before_there_were_streams_gets_one(
    fresh_node: Callable[..., Any], connect: Callable[..., Any]
) -> None:
    clock = VirtualClock()
    node = fresh_node(clock=clock)
    ddb = connect(node.endpoint, "dynamodb")
    ddb.create_table(
        TableName="tbl",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification=view("KEYS_ONLY"),
    )
    node.run(node.node._store.transact(lambda tx: tx.clear("dynamodb.streams")))
    streams = connect(node.endpoint, "dynamodbstreams")
    assert streams.list_streams()["Streams"] == []
    node.run(clock.jump(2 * 3600))
    change(ddb)
    assert len(read(streams, stream_of(ddb))) == 3
