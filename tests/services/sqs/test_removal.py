"""Queues that are purged or deleted while they hold much: empty for everyone with the answer, and
from the disk little by little."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.support.nodes import ThreadNode
from tests.support.removals import all_removed

MESSAGES = 40
Client = Callable[..., Any]


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


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_a_purge_takes_all_at_once_and_the_queue_goes_on(
    small_removals: None, node: ThreadNode, client: Client, fifo: bool
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
    all_removed(node)
    assert _depth(sqs, url) == 1


def test_who_waits_for_messages_during_a_purge_gets_the_next_one(
    small_removals: None, client: Client
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
    small_removals: None, node: ThreadNode, client: Client
) -> None:
    sqs = client("sqs")
    url = _filled(sqs)
    sqs.delete_queue(QueueUrl=url)
    assert sqs.create_queue(QueueName="much")["QueueUrl"] == url
    assert _depth(sqs, url) == 0
    all_removed(node)
