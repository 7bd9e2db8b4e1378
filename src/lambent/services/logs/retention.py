"""Forgetting: events older than their group's retention are trimmed every hour."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from lambent.cluster.turns import take_turn
from lambent.core.clock import Clock
from lambent.core.errors import StoreError
from lambent.services.logs import catalogue
from lambent.services.logs.model import decode_group, decode_stream
from lambent.store.contract import Store, Transaction

_log = logging.getLogger("lambent.logs")

INTERVAL = 3600.0
DAY = 86_400.0


async def trim_in_turn(tx: Transaction) -> None:
    """Trim, if no other node did in this period."""
    if await take_turn(tx, "logs.retention", INTERVAL):
        await trim_expired(tx)


async def trim_expired(tx: Transaction) -> int:
    """Trim the events of every group that has a retention; how many went."""
    trimmed = 0
    for record in await tx.scan_all(catalogue.GROUPS):
        group = decode_group(record.value)
        if group.retention is None:
            continue
        for stream in await tx.scan(catalogue.STREAMS, group.uid.encode()):
            trimmed += await tx.trim(
                decode_stream(stream.value).log, before=tx.now - group.retention * DAY
            )
    return trimmed


class Retention:
    """The hourly duty."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(INTERVAL)
            try:
                await self._store.transact(trim_in_turn)
            except StoreError as error:
                _log.warning("trimming old log events is put off: %s", error)
