"""What a service acknowledged is there after `kill -9`; what it did not may be, but whole."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from typing import Any

import pytest
from botocore.exceptions import ConnectionError, HTTPClientError
from tests.conftest import ClientFactory
from tests.support.nodes import ProcessNode

pytestmark = pytest.mark.crash

WRITERS = 4
rounds = pytest.mark.parametrize(
    "kills", [2, pytest.param(20, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)


def write_until_killed(
    node: ProcessNode, chance: random.Random, write: Callable[[int], None], numbers: Iterator[int]
) -> tuple[set[int], set[int]]:
    """Write from several threads, and kill the node meanwhile: what was acknowledged, and
    what was not."""
    acknowledged: set[int] = set()
    open_ended: set[int] = set()
    some = threading.Event()

    def writer() -> None:
        while True:
            number = next(numbers)
            try:
                write(number)
            except (ConnectionError, HTTPClientError):
                open_ended.add(number)
                return
            acknowledged.add(number)
            some.set()

    with ThreadPoolExecutor(WRITERS) as pool:
        writers = [pool.submit(writer) for _ in range(WRITERS)]
        assert some.wait(30)
        threading.Event().wait(chance.uniform(0.0, 0.3))
        node.kill()
        for one in writers:
            one.result()
    node.start()
    return acknowledged, open_ended


def _kills(
    node: ProcessNode, write: Callable[[int], None], seed: int, kills: int
) -> Iterator[tuple[set[int], set[int]]]:
    """After each kill: everything acknowledged so far, and everything not."""
    chance, numbers = random.Random(seed), count()
    acknowledged: set[int] = set()
    open_ended: set[int] = set()
    for _ in range(kills):
        more, cut_off = write_until_killed(node, chance, write, numbers)
        acknowledged |= more
        open_ended |= cut_off
        yield acknowledged, open_ended


@rounds
def test_acknowledged_messages_are_there_once_each(
    node_process: Callable[..., ProcessNode], connect: ClientFactory, kills: int
) -> None:
    node = node_process()
    sqs = connect(node.endpoint, "sqs", max_pool_connections=WRITERS)
    url = sqs.create_queue(QueueName="all")["QueueUrl"]

    def send(number: int) -> None:
        sqs.send_message(QueueUrl=url, MessageBody=str(number))

    *_, (acknowledged, open_ended) = _kills(node, send, seed=1, kills=kills)
    found = _drain(sqs, url)
    assert len(found) == len(set(found))
    assert acknowledged <= set(found) <= acknowledged | open_ended


def _drain(sqs: Any, url: str) -> list[int]:
    found: list[int] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [int(message["Body"]) for message in messages]
        sqs.delete_message_batch(
            QueueUrl=url,
            Entries=[
                {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]}
                for n, message in enumerate(messages)
            ],
        )
    return found


def _body(number: int) -> bytes:
    # Small ones lie beside the records, large ones in files.
    return str(number).encode() * (1 if number % 2 else 60_000)


@rounds
def test_acknowledged_objects_are_readable_with_their_etag(
    node_process: Callable[..., ProcessNode], connect: ClientFactory, kills: int
) -> None:
    node = node_process()
    s3 = connect(node.endpoint, "s3", max_pool_connections=WRITERS)
    s3.create_bucket(Bucket="kept-objects")

    def put(number: int) -> None:
        answer = s3.put_object(Bucket="kept-objects", Key=f"k{number}", Body=_body(number))
        assert answer["ETag"] == f'"{hashlib.md5(_body(number)).hexdigest()}"'

    for acknowledged, open_ended in _kills(node, put, seed=2, kills=kills):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket="kept-objects")
        listed = {o["Key"]: o["ETag"] for page in pages for o in page.get("Contents", ())}
        assert {f"k{n}" for n in acknowledged} <= set(listed)
        assert set(listed) <= {f"k{n}" for n in acknowledged | open_ended}
        for key, etag in listed.items():
            body = s3.get_object(Bucket="kept-objects", Key=key)["Body"].read()
            assert body == _body(int(key[1:]))
            assert etag == f'"{hashlib.md5(body).hexdigest()}"'


@rounds
def test_acknowledged_items_are_there_and_transactions_whole(
    node_process: Callable[..., ProcessNode], connect: ClientFactory, kills: int
) -> None:
    node = node_process()
    dynamodb = connect(node.endpoint, "dynamodb", max_pool_connections=WRITERS)
    dynamodb.create_table(
        TableName="kept",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    put = partial(dict, TableName="kept")

    def write(number: int) -> None:
        if number % 2:
            dynamodb.put_item(**put(Item={"id": {"S": f"{number}"}}))
            return
        both = [{"id": {"S": f"{number}"}}, {"id": {"S": f"{number}/other"}}]
        dynamodb.transact_write_items(TransactItems=[{"Put": put(Item=item)} for item in both])

    for acknowledged, open_ended in _kills(node, write, seed=3, kills=kills):
        pages = dynamodb.get_paginator("scan").paginate(TableName="kept", ConsistentRead=True)
        found = {item["id"]["S"] for page in pages for item in page["Items"]}
        whole = {n for n in acknowledged | open_ended if f"{n}" in found}
        assert acknowledged <= whole
        assert found == {f"{n}" for n in whole} | {f"{n}/other" for n in whole if n % 2 == 0}
