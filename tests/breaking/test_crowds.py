"""Many clients at the same thing: nothing lost, nothing torn, and one winner."""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.conftest import ClientFactory
from tests.support.http import Raw
from tests.support.nodes import ThreadNode

WRITERS = 64


@pytest.fixture
def crowd(client: ClientFactory) -> Callable[[str], Any]:
    return lambda service: client(service, max_pool_connections=WRITERS)


def everyone(work: Callable[[int], Any], count: int = WRITERS) -> list[Any]:
    with ThreadPoolExecutor(WRITERS) as threads:
        return list(threads.map(work, range(count)))


@pytest.fixture
def table(crowd: Callable[[str], Any]) -> Any:
    dynamodb = crowd("dynamodb")
    dynamodb.create_table(
        TableName="hot",
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return dynamodb


def test_no_update_of_a_hot_key_is_lost(table: Any) -> None:
    key = {"p": {"S": "counter"}}

    def add(number: int) -> int:
        found = table.update_item(
            TableName="hot",
            Key=key,
            UpdateExpression="ADD n :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
            ReturnValues="UPDATED_NEW",
        )
        return int(found["Attributes"]["n"]["N"])

    assert sorted(everyone(add, 4 * WRITERS)) == list(range(1, 4 * WRITERS + 1))
    assert table.get_item(TableName="hot", Key=key)["Item"]["n"] == {"N": str(4 * WRITERS)}


def test_of_many_conditional_puts_exactly_one_wins(table: Any) -> None:
    def put(number: int) -> int | None:
        try:
            table.put_item(
                TableName="hot",
                Item={"p": {"S": "once"}, "by": {"N": str(number)}},
                ConditionExpression="attribute_not_exists(p)",
            )
        except table.exceptions.ConditionalCheckFailedException:
            return None
        return number

    [winner] = [number for number in everyone(put) if number is not None]
    item = table.get_item(TableName="hot", Key={"p": {"S": "once"}})["Item"]
    assert item["by"] == {"N": str(winner)}


def test_of_many_uploads_to_a_free_key_exactly_one_wins(crowd: Callable[[str], Any]) -> None:
    s3 = crowd("s3")
    s3.create_bucket(Bucket="once-only")

    def put(number: int) -> int | None:
        try:
            s3.put_object(Bucket="once-only", Key="k", Body=b"%d" % number, IfNoneMatch="*")
        except s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] == "PreconditionFailed":
                return None
            raise
        return number

    [winner] = [number for number in everyone(put) if number is not None]
    assert s3.get_object(Bucket="once-only", Key="k")["Body"].read() == b"%d" % winner


def test_an_object_that_is_overwritten_while_read_is_never_torn(
    crowd: Callable[[str], Any],
) -> None:
    s3 = crowd("s3")
    s3.create_bucket(Bucket="torn-not")
    size = 600_000
    s3.put_object(Bucket="torn-not", Key="k", Body=b"\x00" * size)

    def both(number: int) -> None:
        if number % 4 == 0:
            s3.put_object(Bucket="torn-not", Key="k", Body=bytes([number]) * size)
        else:
            body = s3.get_object(Bucket="torn-not", Key="k")["Body"].read()
            assert len(body) == size
            assert body == body[:1] * size

    everyone(both)


def test_messages_go_to_one_receiver_each(crowd: Callable[[str], Any]) -> None:
    sqs = crowd("sqs")
    url = sqs.create_queue(QueueName="shared")["QueueUrl"]
    everyone(lambda n: sqs.send_message(QueueUrl=url, MessageBody=str(n)), 200)

    def receive(number: int) -> list[str]:
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        return [message["Body"] for message in found.get("Messages", [])]

    bodies = [body for some in everyone(receive) for body in some]
    assert len(bodies) == len(set(bodies)) == 200


def test_idle_and_half_sent_connections_keep_nobody_waiting(node: ThreadNode, raw: Raw) -> None:
    place = urlsplit(node.endpoint)
    beginnings = [
        b"",
        b"PUT /b",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n{",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: ",
    ]
    held: list[socket.socket] = []
    try:
        for number in range(400):
            held.append(socket.create_connection((place.hostname, place.port), timeout=5))
            held[-1].sendall(beginnings[number % len(beginnings)])
        assert raw("GET", "/_lambent/health").status == 200
        headers = {"X-Amz-Target": "AmazonSQS.ListQueues"}
        assert raw("POST", "/", b"{}", headers, sign="sqs").status == 200
    finally:
        for connection in held:
            connection.close()
