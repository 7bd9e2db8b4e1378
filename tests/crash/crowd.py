"""Producers and consumers of one queue, who go on whatever happens to the nodes, and what they
saw: enough to tell whether something was lost, came back, or came out of order."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError
from tests.conftest import ClientFactory
from tests.support.nodes import ProcessNode

GROUPS = 6
PRODUCERS = 2
CONSUMERS = 3
_pause = threading.Event()


class CutOff(Exception):
    """No answer, or one that says to try again: it may have been done or not."""


class Caller:
    """A client of one node; of the next one, once that does not answer."""

    def __init__(self, connect: ClientFactory, nodes: Sequence[ProcessNode], first: int) -> None:
        self._clients = [
            connect(node.endpoint, "sqs", max_pool_connections=1, read_timeout=30) for node in nodes
        ]
        self._at = first % len(nodes)

    def __call__(self, operation: str, **params: Any) -> Any:
        try:
            return getattr(self._clients[self._at], operation)(**params)
        except (ConnectionError, HTTPClientError) as error:
            self._at = (self._at + 1) % len(self._clients)
            _pause.wait(0.05)
            raise CutOff from error
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 503:
                raise
            _pause.wait(0.05)
            raise CutOff from error

    def persist(self, operation: str, **params: Any) -> Any:
        """Again until there is an answer."""
        while True:
            try:
                return self(operation, **params)
            except CutOff:
                continue


@dataclass
class Seen:
    """What producers and consumers saw, in the order in which they saw it.

    An answer may be seen late: one that a frozen node had ready, after others received and
    deleted what it tells of. So what an answer contradicts must have been seen before it was
    asked for.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    sent: set[str] = field(default_factory=set)
    receipts: dict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    """Of each message the receive counts, and the moment at which each was seen."""
    bodies: set[str] = field(default_factory=set)
    deleting: set[str] = field(default_factory=set)
    deleted: dict[str, int] = field(default_factory=dict)
    moment: int = 0
    cut_off: int = 0
    wrong: list[str] = field(default_factory=list)

    def received(self, batch: list[dict[str, Any]], fifo: bool, asked: int) -> None:
        """What a receive answered that was asked for at the moment `asked`."""
        with self.lock:
            self.moment += 1
            inside: set[str] = set()
            for message in batch:
                body, number = message["Body"], message["MessageId"]
                counts = self.receipts[number]
                count = int(message["Attributes"]["ApproximateReceiveCount"])
                earlier = [each for each, seen in counts.items() if seen <= asked]
                if count in counts or count < max(earlier, default=0):
                    self.wrong.append(f"{body} was received with the count {count} after {counts}")
                counts[count] = self.moment
                if self.deleted.get(number, asked + 1) <= asked:
                    self.wrong.append(f"{body} came back after its deletion")
                if fifo and not self._in_turn(body, inside):
                    self.wrong.append(f"{body} came before the one before it was done")
                inside.add(body)
                self.bodies.add(body)

    def _in_turn(self, body: str, inside: set[str]) -> bool:
        group, _, number = body.partition("/")
        before = f"{group}/{int(number) - 1}"
        return number == "0" or before in self.deleting or before in inside

    def deleted_now(self, number: str) -> None:
        """Its deletion was acknowledged."""
        with self.lock:
            self.moment += 1
            self.deleted[number] = self.moment

    def gaps(self) -> int:
        """Receives that were counted by a node and seen by nobody."""
        return sum(max(counts) - len(counts) for counts in self.receipts.values())

    def check(self) -> None:
        """Nothing lost, nothing back, order kept, counts right; the queue is empty."""
        duplicates = Counter(len(counts) for counts in self.receipts.values())
        print(
            f"{len(self.sent)} sent, {len(self.deleted)} deleted, received so many times: "
            f"{dict(sorted(duplicates.items()))}, {self.cut_off} receives cut off, "
            f"{self.gaps()} messages lost with their answers"
        )
        assert self.wrong == []
        # A deletion whose answer was cut off may or may not have been done.
        assert self.sent <= self.deleting
        # Only an answer that was cut off can have carried a receive that nobody saw.
        assert self.gaps() <= 10 * self.cut_off


class Crowd:
    """Producers, each with groups of its own, and consumers of one queue.

    `visibility` in seconds: what was in a consumer's hand when its node was killed comes
    again after these.
    """

    def __init__(
        self,
        connect: ClientFactory,
        nodes: Sequence[ProcessNode],
        *,
        fifo: bool,
        visibility: int = 2,
    ) -> None:
        self._connect, self._nodes, self._fifo = connect, nodes, fifo
        self.seen = Seen()
        self._threads: list[Future[None]] = []
        self._enough = threading.Event()
        self._produced = threading.Event()
        attributes = {"VisibilityTimeout": str(visibility)}
        if fifo:
            attributes["FifoQueue"] = "true"
        made = self._caller(0)(
            "create_queue", QueueName="all.fifo" if fifo else "all", Attributes=attributes
        )
        self._url = made["QueueUrl"]

    @contextmanager
    def working(self, pool: ThreadPoolExecutor) -> Iterator[None]:
        """Go on while the body runs, then come to an end in the background."""
        for part in range(CONSUMERS):
            self._threads.append(pool.submit(self._consume, part))
        producers = [pool.submit(self._produce, part) for part in range(PRODUCERS)]
        try:
            yield
        finally:
            self._enough.set()
            for one in producers:
                one.result()
            self._produced.set()

    def finish(self) -> Seen:
        """Wait until the queue is empty; what was seen."""
        for one in self._threads:
            one.result()
        return self.seen

    def _caller(self, part: int) -> Caller:
        return Caller(self._connect, self._nodes, part)

    def _produce(self, part: int) -> None:
        call = self._caller(part)
        number = 0
        while not self._enough.is_set():
            for group in range(part, GROUPS, PRODUCERS):
                body = f"{group}/{number}"
                # The same again until it is acknowledged: the deduplication id makes it one.
                extra = {"MessageGroupId": f"g{group}", "MessageDeduplicationId": body}
                call.persist(
                    "send_message",
                    QueueUrl=self._url,
                    MessageBody=body,
                    **(extra if self._fifo else {}),
                )
                with self.seen.lock:
                    self.seen.sent.add(body)
            number += 1

    def _consume(self, part: int) -> None:
        call = self._caller(part)
        while not (self._produced.is_set() and self._empty(call)):
            asked = self.seen.moment
            try:
                answer = call(
                    "receive_message",
                    QueueUrl=self._url,
                    MaxNumberOfMessages=10,
                    WaitTimeSeconds=1,
                    AttributeNames=["ApproximateReceiveCount"],
                )
            except CutOff:
                with self.seen.lock:
                    self.seen.cut_off += 1
                continue
            self.seen.received(answer.get("Messages", []), self._fifo, asked)
            for message in answer.get("Messages", ()):
                if not self._delete(call, message):
                    break

    def _empty(self, call: Caller) -> bool:
        answer = call.persist("get_queue_attributes", QueueUrl=self._url, AttributeNames=["All"])
        return {v for k, v in answer["Attributes"].items() if k.startswith("Approx")} == {"0"}

    def _delete(self, call: Caller, message: dict[str, Any]) -> bool:
        """Whether the message is deleted for sure."""
        with self.seen.lock:
            self.seen.deleting.add(message["Body"])
        try:
            call("delete_message", QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        except CutOff:
            return False
        except ClientError as error:
            # On a FIFO queue, what is not deleted in time comes again.
            if error.response["Error"]["Code"] != "InvalidParameterValue":
                raise
            return False
        self.seen.deleted_now(message["MessageId"])
        return True


def during(trouble: AbstractContextManager[None], *crowds: Crowd) -> None:
    """Let all crowds go on until the trouble is over, and look at what they saw."""
    with ThreadPoolExecutor(len(crowds) * (PRODUCERS + CONSUMERS)) as pool:
        with ExitStack() as all_of_them:
            for crowd in crowds:
                all_of_them.enter_context(crowd.working(pool))
            with trouble:
                pass
        seen = [crowd.finish() for crowd in crowds]
    for one in seen:
        one.check()
