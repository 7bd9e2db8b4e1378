"""Brings what the node measured into the store, and looks after what lies there.

What the node counts of itself waits in memory (`core.metrics`) for at most a minute, and is
written, fifty in a transaction, at each full minute, before someone reads, and when the node
stops. A node that is killed loses less than a minute of its own figures, and nothing that was
put through the API. Each hour old points are summed up and the oldest dropped.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from typing import Final

import msgspec

from lambent.cluster.turns import in_turn
from lambent.core.clock import Clock
from lambent.core.distribution import Distribution
from lambent.core.duty import Duty
from lambent.core.errors import StoreError
from lambent.core.metrics import Metric, Metrics
from lambent.services.cloudwatch import points
from lambent.services.cloudwatch.alarms import HISTORY_SECONDS
from lambent.services.cloudwatch.model import (
    HISTORY,
    LOOKED,
    METRICS,
    UNITS,
    decode_history,
    decode_listed,
    encode,
)
from lambent.services.cloudwatch.points import Point
from lambent.store.contract import Store, Transaction

_HOUR: Final = 3600.0
_PAST_THE_MINUTE: Final = 0.05
_AT_ONCE: Final = 50
"""Measurements written in one transaction, so that it holds nobody up for long."""
_WAITING: Final = 100_000
"""Measurements that may wait while the store is away; what comes on top is dropped."""
_log = logging.getLogger("lambent.cloudwatch")


class Recorder:
    """Writes one node's measurements."""

    def __init__(self, store: Store, clock: Clock, metrics: Metrics) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._waiting: list[tuple[Metric, int, Distribution]] = []
        self._writing = asyncio.Lock()
        self._looked = 0
        tidying = in_turn(store, "cloudwatch.retention", _HOUR, self.tidy)
        self.duties = (
            Duty(clock, "writing measurements", self._record, retry=0.0),
            Duty(clock, "summing up old measurements", tidying, retry=_HOUR, first=60.0),
        )

    async def finish(self) -> None:
        """Write what is left when the duties have ended."""
        try:
            await self.flush()
        except StoreError as error:
            _log.warning("the last minute's measurements are lost: %s", error)

    async def flush(self) -> None:
        """Write what waits. What is looked up is so once in a minute, by one node."""
        now = self._clock.now()
        minute = int(now // 60)
        if minute > self._looked:
            self._looked = minute
            at = await self._store.transact(_first)
            if at is not None:
                await self._metrics.look(at)
        await self._write(now)

    async def _write(self, at: float) -> None:
        self._waiting = (self._waiting + self._metrics.take(at))[-_WAITING:]
        async with self._writing:
            while self._waiting:
                part, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
                try:
                    await self._store.transact(functools.partial(_add, part=part))
                except StoreError as error:
                    _log.warning("measurements wait for the store: %s", error)
                    self._waiting = part + self._waiting
                    return

    async def _record(self) -> float:
        """Write what was measured until the next full minute."""
        await self._clock.sleep(60 - self._clock.now() % 60 + _PAST_THE_MINUTE)
        await self._write(self._clock.now() - 1)
        await self.flush()
        return 0.0

    async def tidy(self) -> None:
        """Sum up and drop what is old, metric by metric."""
        for record in await self._store.transact(lambda tx: tx.scan_all(METRICS)):
            account, _, region = record.partition.decode().partition("/")
            metric = decode_listed(record.value)

            await self._store.transact(
                functools.partial(points.roll_up, account=account, region=region, metric=metric)
            )
        await self._store.transact(_forget)


async def _first(tx: Transaction) -> float | None:
    """What time it is, if no node has looked in this minute yet: by the store's clock, as
    those of nodes differ."""
    minute = int(tx.now // 60)
    record = await tx.get(LOOKED, b"")
    if record is not None and msgspec.msgpack.decode(record.value, type=int) >= minute:
        return None
    await tx.put(LOOKED, b"", b"", encode(minute))
    return tx.now


async def _add(tx: Transaction, part: list[tuple[Metric, int, Distribution]]) -> None:
    for metric, minute, values in part:
        unit = metric.unit if metric.unit in UNITS else "None"
        await points.add(
            tx,
            metric.account,
            metric.region,
            metric.namespace,
            metric.name,
            metric.dimensions,
            [Point(minute * 60, 60, unit, values)],
        )


async def _forget(tx: Transaction) -> None:
    for record in await tx.scan_all(HISTORY):
        if decode_history(record.value).at < tx.now - HISTORY_SECONDS:
            await tx.delete(HISTORY, record.partition, record.sort)
