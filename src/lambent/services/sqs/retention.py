"""Drops messages that are older than their queue keeps them.

Each hour all queues are gone through; a queue that is received from, or whose depth is asked for,
is looked after at most each second besides, a little at a time, so that what is too old never
lies in the way.
Source: SQS API reference, SetQueueAttributes, MessageRetentionPeriod.
"""

from __future__ import annotations

from typing import Final

from lambent.cluster.turns import in_turn
from lambent.core.clock import Clock
from lambent.core.duty import Duty
from lambent.services.sqs import attributes
from lambent.services.sqs.model import Queue
from lambent.services.sqs.queues import Queues
from lambent.store.contract import Store, Transaction

INTERVAL: Final = 3600.0
_AT_ONCE = 200
_LOOK_SECONDS = 1.0
_QUEUES_REMEMBERED = 10_000


def kept_since(now: float, queue: Queue) -> float:
    """What was sent at that time (seconds since the epoch) or before is too old."""
    return now - attributes.value(queue, "MessageRetentionPeriod")


class Retention:
    """The background work of one node that drops old messages."""

    def __init__(self, store: Store, clock: Clock, queues: Queues) -> None:
        self._store = store
        self._clock = clock
        self._queues = queues
        self._looked: dict[str, float] = {}
        round = in_turn(store, "sqs.retention", INTERVAL, self.sweep)
        self.duty = Duty(clock, "dropping old messages", round, retry=INTERVAL)

    async def look(self, tx: Transaction, queue: Queue) -> None:
        """Drop some old messages of a queue, unless that was just done."""
        if tx.now - self._looked.get(queue.work, 0.0) < _LOOK_SECONDS:
            return
        if len(self._looked) >= _QUEUES_REMEMBERED:
            self._looked.clear()
        if await self._drop(tx, queue) < _AT_ONCE:
            self._looked[queue.work] = tx.now

    async def sweep(self) -> None:
        """Drop all old messages of all queues, in small transactions."""
        for queue in await self._store.transact(self._queues.all):

            async def body(tx: Transaction, queue: Queue = queue) -> int:
                present = await self._queues.find(tx, queue.account, queue.region, queue.name)
                if present is None or present.uid != queue.uid:
                    return 0
                return await self._drop(tx, present)

            while await self._store.transact(body) == _AT_ONCE:
                await self._clock.sleep(0)

    async def _drop(self, tx: Transaction, queue: Queue) -> int:
        return await tx.drop(queue.work, created_before=kept_since(tx.now, queue), limit=_AT_ONCE)
