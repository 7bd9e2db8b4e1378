"""What each queue is counted for, for Prometheus and under AWS's names in AWS/SQS.

Counting is an addition to a number in memory; depths and ages are looked up when someone
asks, and once a minute. A transaction that is repeated may be counted twice: these are
figures, not accounts. Source: SQS Developer Guide, "Available CloudWatch metrics for SQS".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from lambent.core.clock import Clock
from lambent.core.distribution import Distribution
from lambent.core.metrics import Histogram, Metric, Metrics
from lambent.services.sqs.model import Queue
from lambent.services.sqs.queues import Queues
from lambent.services.sqs.recovery.letters import letter
from lambent.store.contract import Store, Transaction, WorkCounts

ACTIVE_SECONDS: Final = 6 * 3600.0
"""For how long after its last use an empty queue has metrics."""
_AT_ONCE: Final = 100
"""Queues looked at in one transaction."""
_FIFO_ONLY: Final = frozenset({"deduplicated"})
_LABELS: Final = ("account", "region", "queue")
_COUNTED: Final = {
    "sent": ("NumberOfMessagesSent", "Messages that were added."),
    "received": ("NumberOfMessagesReceived", "Messages that were given out."),
    "deleted": ("NumberOfMessagesDeleted", "Messages that were deleted by their receipts."),
    "empty": ("NumberOfEmptyReceives", "Receives that gave nothing."),
    "deduplicated": (
        "NumberOfDeduplicatedSentMessages",
        "Messages that were not added, as they were sent before.",
    ),
}


class QueueFigures:
    """One queue's counts since the node started, and what was told of them."""

    __slots__ = (
        "deduplicated",
        "deleted",
        "empty",
        "latency",
        "received",
        "sent",
        "sizes",
        "told",
        "used",
    )

    def __init__(self, latency: Histogram) -> None:
        self.latency = latency
        self.sent = 0
        self.received = 0
        self.deleted = 0
        self.empty = 0
        self.deduplicated = 0
        self.sizes = Distribution()
        self.told = dict.fromkeys(_COUNTED, 0)
        self.used = 0.0

    def add_sent(self, size: int, count: int = 1) -> None:
        """So many messages of `size` bytes each were added."""
        self.sent += count
        self.sizes.add(size, count)

    def add_told(self, told: Mapping[str, Any], id: str, size: int) -> None:
        """The sender of a message of that id was told this: it was added, or was before."""
        if told["MessageId"] == id:
            self.add_sent(size)
        else:
            self.deduplicated += 1

    def add_deleted(self, age: float | None) -> None:
        """A receipt's message was deleted so many seconds after it was sent (None: it was
        kept, or gone already)."""
        self.deleted += 1
        if age is not None:
            self.latency.observe(max(0.0, age))

    def add_received(self, count: int) -> None:
        """A receive gave so many messages."""
        if count:
            self.received += count
        else:
            self.empty += 1


class Figures:
    """The figures of all queues of a node. Their depths, which are the same for all nodes, are
    shown while `first` says so."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        queues: Queues,
        metrics: Metrics,
        first: Callable[[], bool] = lambda: True,
    ) -> None:
        self._store = store
        self._clock = clock
        self._queues = queues
        self._metrics = metrics
        self._first = first
        self._known: dict[str, QueueFigures] = {}
        self._named: dict[str, Queue] = {}
        self._counters = {
            name: metrics.counter(f"lambent_queue_{name}", help, *_LABELS)
            for name, (_, help) in _COUNTED.items()
        }
        self._latency = metrics.histogram(
            "lambent_queue_latency_seconds",
            "From when a message was sent until a client deleted it (for those of event source "
            "mappings, see lambent_mapping_latency_seconds).",
            *_LABELS,
        )
        self._depth = metrics.gauge(
            "lambent_queue_messages",
            "Messages in a queue: waiting, in_flight or delayed.",
            *_LABELS,
            "state",
        )
        self._oldest = metrics.gauge(
            "lambent_queue_oldest_seconds", "The age of the oldest message.", *_LABELS
        )
        metrics.before(self._show)
        metrics.each_minute(self._look)
        metrics.each_take(self._tell)

    def of(self, queue: Queue) -> QueueFigures:
        """A queue's figures."""
        found = self._known.get(queue.uid)
        if found is None:
            found = self._known[queue.uid] = QueueFigures(self._latency.child(*_labels(queue)))
            self._named[queue.uid] = queue
        return found

    # For Prometheus --------------------------------------------------------------------

    async def _show(self) -> None:
        self._depth.clear()
        self._oldest.clear()
        queues = await self._present()
        for queue in queues:
            own = self.of(queue)
            for name, family in self._counters.items():
                family.child(*_labels(queue)).value = getattr(own, name)
        for queue, counts, oldest in await self._depths(queues if self._first() else []):
            labels = _labels(queue)
            self._depth.child(*labels, "waiting").set(counts.ready)
            self._depth.child(*labels, "in_flight").set(counts.leased)
            self._depth.child(*labels, "delayed").set(counts.delayed)
            self._oldest.child(*labels).set(self._age(oldest))

    def _age(self, oldest: float | None) -> float:
        return max(0.0, self._clock.now() - oldest) if oldest is not None else 0.0

    async def _present(self) -> list[Queue]:
        """All queues; those that are gone are forgotten."""
        queues = await self._store.transact(self._queues.all)
        there = {queue.uid for queue in queues}
        for uid in [uid for uid in self._known if uid not in there]:
            del self._known[uid]
            gone = self._named.pop(uid)
            for family in (*self._counters.values(), self._latency):
                family.forget(*_labels(gone))
        return queues

    async def _depths(self, queues: list[Queue]) -> list[tuple[Queue, WorkCounts, float | None]]:
        """These queues with their depths, and when the oldest message came to them."""
        found: list[tuple[Queue, WorkCounts, float | None]] = []
        for begin in range(0, len(queues), _AT_ONCE):
            part = queues[begin : begin + _AT_ONCE]

            async def body(
                tx: Transaction, part: list[Queue] = part
            ) -> list[tuple[Queue, WorkCounts, float | None]]:
                return [
                    (queue, await tx.work_counts(queue.work), await _oldest(tx, queue))
                    for queue in part
                ]

            found += await self._store.transact(body)
        return found

    # For CloudWatch --------------------------------------------------------------------

    async def _look(self, at: float) -> None:
        for queue, counts, oldest in await self._depths(await self._present()):
            own = self.of(queue)
            busy = counts.ready or counts.leased or counts.delayed
            if busy or any(own.told[name] != getattr(own, name) for name in _COUNTED):
                own.used = at
            if not own.used or at - own.used > ACTIVE_SECONDS:
                continue
            for name, value in (
                ("ApproximateNumberOfMessagesVisible", counts.ready),
                ("ApproximateNumberOfMessagesNotVisible", counts.leased),
                ("ApproximateNumberOfMessagesDelayed", counts.delayed),
            ):
                self._metrics.measure(_metric(queue, name), at, value)
            age = _metric(queue, "ApproximateAgeOfOldestMessage", "Seconds")
            self._metrics.measure(age, at, int(self._age(oldest)))
            for name, (aws_name, _) in _COUNTED.items():
                if own.told[name] == getattr(own, name) and (queue.fifo or name not in _FIFO_ONLY):
                    self._metrics.measure(_metric(queue, aws_name), at, 0)

    def _tell(self, at: float) -> None:
        for uid, own in self._known.items():
            queue = self._named[uid]
            for name, (aws_name, _) in _COUNTED.items():
                value = getattr(own, name)
                if value != own.told[name]:
                    self._metrics.measure(_metric(queue, aws_name), at, value - own.told[name])
                    own.told[name] = value
                    own.used = at
            if own.sizes.count:
                sizes, own.sizes = own.sizes, Distribution()
                self._metrics.put(_metric(queue, "SentMessageSize", "Bytes"), at, sizes)


async def _oldest(tx: Transaction, queue: Queue) -> float | None:
    """When the oldest message came to the queue, in seconds since the epoch: for a dead letter
    not when it was sent. Ids are in the order in which messages come."""
    first = await tx.browse(queue.work, limit=1)
    return letter(first[0]).arrived if first else None


def _labels(queue: Queue) -> tuple[str, str, str]:
    return queue.account, queue.region, queue.name


def _metric(queue: Queue, name: str, unit: str = "Count") -> Metric:
    dimensions = (("QueueName", queue.name),)
    return Metric(queue.account, queue.region, "AWS/SQS", name, dimensions, unit)
