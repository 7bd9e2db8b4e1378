"""Producers and consumers go on while the node is killed: nothing lost, order kept."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError
from tests.conftest import ClientFactory
from tests.crash.killing import killed_at, moments, persist
from tests.support.nodes import ProcessNode

pytestmark = pytest.mark.crash

GROUPS = 6
PRODUCERS = 2
CONSUMERS = 3
VISIBILITY = 2
"""Seconds: what was in a consumer's hand when the node was killed comes again after these."""


@dataclass
class Seen:
    """What producers and consumers saw, in the order in which they saw it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    sent: set[str] = field(default_factory=set)
    receipts: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    bodies: set[str] = field(default_factory=set)
    deleting: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    cut_off: int = 0
    wrong: list[str] = field(default_factory=list)

    def received(self, batch: list[dict[str, Any]], fifo: bool) -> None:
        with self.lock:
            inside: set[str] = set()
            for message in batch:
                body, number = message["Body"], message["MessageId"]
                counts = self.receipts[number]
                counts.append(int(message["Attributes"]["ApproximateReceiveCount"]))
                if counts != sorted(set(counts)):
                    self.wrong.append(f"{body} was received with the counts {counts}")
                if number in self.deleted:
                    self.wrong.append(f"{body} came back after its deletion")
                if fifo and not self._in_turn(body, inside):
                    self.wrong.append(f"{body} came before the one before it was done")
                inside.add(body)
                self.bodies.add(body)

    def _in_turn(self, body: str, inside: set[str]) -> bool:
        group, _, number = body.partition("/")
        before = f"{group}/{int(number) - 1}"
        return number == "0" or before in self.deleting or before in inside

    def gaps(self) -> int:
        """Receives that were counted by the node and seen by nobody."""
        return sum(counts[-1] - len(counts) for counts in self.receipts.values())


class Crowd:
    """Producers, each with groups of its own, and consumers of one queue."""

    def __init__(self, connect: ClientFactory, node: ProcessNode, url: str, fifo: bool) -> None:
        self._connect, self._node, self._url, self._fifo = connect, node, url, fifo
        self.seen = Seen()
        self.enough = threading.Event()
        self.produced = threading.Event()

    def produce(self, part: int) -> None:
        sqs = self._connect(self._node.endpoint, "sqs", max_pool_connections=1)
        groups = range(part, GROUPS, PRODUCERS)
        number = 0
        while not self.enough.is_set():
            for group in groups:
                body = f"{group}/{number}"
                fifo = {"MessageGroupId": f"g{group}", "MessageDeduplicationId": body}
                # The same again until it is acknowledged: the deduplication id makes it one.
                persist(
                    lambda body=body, extra=fifo if self._fifo else {}: sqs.send_message(
                        QueueUrl=self._url, MessageBody=body, **extra
                    )
                )
                with self.seen.lock:
                    self.seen.sent.add(body)
            number += 1

    def consume(self) -> None:
        sqs = self._connect(self._node.endpoint, "sqs", max_pool_connections=1)
        while not (self.produced.is_set() and self._empty(sqs)):
            try:
                answer = sqs.receive_message(
                    QueueUrl=self._url,
                    MaxNumberOfMessages=10,
                    WaitTimeSeconds=1,
                    AttributeNames=["ApproximateReceiveCount"],
                )
            except (ConnectionError, HTTPClientError):
                with self.seen.lock:
                    self.seen.cut_off += 1
                persist(lambda: sqs.list_queues())
                continue
            self.seen.received(answer.get("Messages", []), self._fifo)
            for message in answer.get("Messages", ()):
                if not self._delete(sqs, message):
                    break

    def _empty(self, sqs: Any) -> bool:
        answer = persist(
            lambda: sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["All"])
        )
        return {v for k, v in answer["Attributes"].items() if k.startswith("Approx")} == {"0"}

    def _delete(self, sqs: Any, message: dict[str, Any]) -> bool:
        """Whether the message is deleted for sure."""
        with self.seen.lock:
            self.seen.deleting.add(message["Body"])
        try:
            sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        except (ConnectionError, HTTPClientError):
            return False
        except ClientError as error:
            # On a FIFO queue, what is not deleted in time comes again.
            if error.response["Error"]["Code"] != "InvalidParameterValue":
                raise
            return False
        with self.seen.lock:
            self.seen.deleted.add(message["MessageId"])
        return True


def _run(node: ProcessNode, connect: ClientFactory, kills: int, fifo: bool) -> Seen:
    sqs = connect(node.endpoint, "sqs")
    attributes = {"VisibilityTimeout": str(VISIBILITY)}
    if fifo:
        attributes["FifoQueue"] = "true"
    name = "all.fifo" if fifo else "all"
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    crowd = Crowd(connect, node, url, fifo)
    with ThreadPoolExecutor(PRODUCERS + CONSUMERS) as pool:
        producers = [pool.submit(crowd.produce, part) for part in range(PRODUCERS)]
        consumers = [pool.submit(crowd.consume) for _ in range(CONSUMERS)]
        try:
            with killed_at(node, moments(kills, kills, 0.6)):
                pass
        finally:
            crowd.enough.set()
        for one in producers:
            one.result()
        crowd.produced.set()
        for one in consumers:
            one.result()
    return crowd.seen


@pytest.mark.parametrize("fifo", [True, False], ids=["fifo", "standard"])
@pytest.mark.parametrize(
    "kills", [3, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
def test_nothing_is_lost_and_order_is_kept_whenever_the_node_is_killed(
    node_process: Callable[..., ProcessNode], connect: ClientFactory, kills: int, fifo: bool
) -> None:
    seen = _run(node_process(), connect, kills, fifo)
    duplicates = Counter(len(counts) for counts in seen.receipts.values())
    print(
        f"{kills} kills: {len(seen.sent)} sent, {len(seen.deleted)} deleted, "
        f"received so many times: {dict(sorted(duplicates.items()))}, "
        f"{seen.cut_off} receives cut off, {seen.gaps()} messages lost with their answers"
    )
    assert seen.wrong == []
    # A deletion whose answer was cut off may or may not have been done; the queue is empty.
    assert seen.sent <= seen.deleting
    # Only an answer that was cut off can have carried a receive that nobody saw.
    assert seen.gaps() <= 10 * seen.cut_off
