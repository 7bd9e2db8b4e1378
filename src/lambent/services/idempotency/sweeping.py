"""Removes outcomes that have expired, once an hour, by one node at a time."""

from __future__ import annotations

import asyncio
import logging

from lambent.cluster.turns import take_turn
from lambent.core.clock import Clock
from lambent.core.errors import StoreError
from lambent.events import idempotency
from lambent.store.contract import Store

INTERVAL = 3600.0
_AT_ONCE = 500
_log = logging.getLogger(__name__)


class Sweeper:
    """The background work of one node."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin the hourly round."""
        self._running = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End it."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def sweep(self) -> None:
        """Remove all that has expired, in small transactions."""
        while await self._store.transact(lambda tx: idempotency.sweep(tx, _AT_ONCE)) == _AT_ONCE:
            await self._clock.sleep(0)

    async def _run(self) -> None:
        while True:
            try:
                if await self._store.transact(
                    lambda tx: take_turn(tx, "idempotency.sweep", INTERVAL)
                ):
                    await self.sweep()
            except StoreError as error:
                _log.warning("forgetting outcomes is put off: %s", error)
            except Exception:
                _log.exception("forgetting outcomes failed")
            await self._clock.sleep(INTERVAL)
