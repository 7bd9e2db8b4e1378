"""Queues that are purged or deleted while they hold much: empty for everyone with the answer, and
from the disk little by little, also after a restart in the middle of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.conftest import ClientFactory
from tests.crash.killing import until
from tests.support.nodes import ThreadNode

from lambent.core.errors import StoreUnavailable
from lambent.services.sqs import removal
from lambent.store.contract import Transaction

MESSAGES = 40
Client = Callable[..., Any]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few messages are many."""
    monkeypatch.setattr(removal, "AT_ONCE", 5)


def _filled(sqs: Any, fifo: bool = False) -> str:
    suffix, attributes = (".fifo", {"FifoQueue": "true"}) if fifo else ("", {})
    url: str = sqs.create_queue(QueueName=f"much{suffix}", Attributes=attributes)["QueueUrl"]
    for number in range(MESSAGES):
        more = (
            {"MessageGroupId": str(number % 7), "MessageDeduplicationId": str(number)}
            if fifo
            else {}
        )
        sqs.send_message(QueueUrl=url, MessageBody=str(number), **more)
    return url


def _depth(sqs: Any, url: str) -> int:
    names = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    ]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(count) for count in found.values())


def _kept(node: ThreadNode) -> tuple[int, int]:
    """How much is noted, and how many items lie in work queues of SQS that are noted."""

    async def body(tx: Transaction) -> tuple[int, int]:
        notes = await tx.scan_all(removal.COLLECTION)
        works = [note.partition.decode() for note in notes if note.value == b"work"]
        counts = [await tx.work_counts(work) for work in works]
        return len(notes), sum(count.ready + count.leased + count.delayed for count in counts)

    store = node.node._store
    assert store is not None
    return node.run(store.transact(body))


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_a_purge_takes_all_at_once_and_the_queue_goes_on(
    small: None, node: ThreadNode, client: Client, fifo: bool
) -> None:
    sqs = client("sqs")
    url = _filled(sqs, fifo)
    (held,) = sqs.receive_message(QueueUrl=url)["Messages"]
    sqs.purge_queue(QueueUrl=url)
    assert _depth(sqs, url) == 0
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=held["ReceiptHandle"])
    more = {"MessageGroupId": "0", "MessageDeduplicationId": "new"} if fifo else {}
    sqs.send_message(QueueUrl=url, MessageBody="new", **more)
    (found,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert found["Body"] == "new"
    until(lambda: _kept(node), lambda kept: kept == (0, 0))
    assert _depth(sqs, url) == 1


def test_who_waits_for_messages_during_a_purge_gets_the_next_one(
    small: None, client: Client
) -> None:
    sqs = client("sqs")
    url = _filled(sqs)
    while sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        pass
    begun = threading.Event()

    def wait() -> list[dict[str, Any]]:
        begun.set()
        found: list[dict[str, Any]] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=15).get(
            "Messages", []
        )
        return found

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        assert begun.wait(10)
        sqs.purge_queue(QueueUrl=url)
        sqs.send_message(QueueUrl=url, MessageBody="next")
        assert [message["Body"] for message in waiting.result()] == ["next"]


def test_a_queue_that_is_made_again_after_its_deletion_is_empty(
    small: None, node: ThreadNode, client: Client
) -> None:
    sqs = client("sqs")
    url = _filled(sqs)
    sqs.delete_queue(QueueUrl=url)
    assert sqs.create_queue(QueueName="much")["QueueUrl"] == url
    assert _depth(sqs, url) == 0
    until(lambda: _kept(node), lambda kept: kept == (0, 0))


def test_what_a_node_that_ended_had_not_removed_is_removed_by_the_next(
    small: None,
    fresh_node: Callable[..., ThreadNode],
    connect: ClientFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    remove, removed = removal._remove, []

    async def once(tx: Transaction) -> bool:
        if removed:
            raise StoreUnavailable("the test ends it here")
        more = await remove(tx)
        removed.extend([1] * more)
        return more

    monkeypatch.setattr(removal, "_remove", once)
    node = fresh_node()
    sqs = connect(node.endpoint, "sqs")
    url = _filled(sqs)
    sqs.purge_queue(QueueUrl=url)
    until(lambda: _kept(node), lambda kept: kept == (1, MESSAGES - 10))
    node.stop()
    monkeypatch.setattr(removal, "_remove", remove)
    node.start()
    until(lambda: _kept(node), lambda kept: kept == (0, 0))
    assert _depth(sqs, url) == 0
