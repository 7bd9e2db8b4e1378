"""How many messages of a queue may be in flight, without counting at each receive.

A reading of the queue's depth tells how much room there is; it is trusted until a quarter of
that room was claimed from here, so that other nodes may claim meanwhile too.
Source: SQS developer guide, "Amazon SQS message quotas".
"""

from __future__ import annotations

from lambent.services.sqs.model import Queue
from lambent.store.contract import Transaction

MAX_IN_FLIGHT = 120_000
_SHARE = 4
_QUEUES_REMEMBERED = 10_000


class Flight:
    """The room that the queues of one node have."""

    def __init__(self) -> None:
        self._trusted: dict[str, int] = {}

    async def room(self, tx: Transaction, queue: Queue) -> int:
        """How many messages may be claimed now; 0 when the queue is at its limit."""
        trusted = self._trusted.get(queue.work, 0)
        if trusted > 0:
            return trusted
        room = max(MAX_IN_FLIGHT - (await tx.work_counts(queue.work)).leased, 0)
        if len(self._trusted) >= _QUEUES_REMEMBERED:
            self._trusted.clear()
        self._trusted[queue.work] = room // _SHARE
        return room

    def claimed(self, queue: Queue, count: int) -> None:
        """Messages of a queue are in flight now."""
        self._trusted[queue.work] = self._trusted.get(queue.work, 0) - count
