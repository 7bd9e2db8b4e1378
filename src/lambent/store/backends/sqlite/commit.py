"""Group commit: one durable commit for all requests that wait at that moment.

The first write opens the shared transaction. It ends one turn of the event loop later: what
is ready now joins it, and so do the requests that arrive meanwhile, which the loop reads
before that turn; waiting for them costs a poll and makes commits under load two to three
times as large (docs/decisions/0008-hot-paths.md). Everyone who wrote in it, or read while
it was open, waits for that one commit (one sync of the disk).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from lambent.core.errors import StoreUnavailable
from lambent.store.backends.sqlite.engine import Effect, Engine


class GroupCommit:
    """Ends an engine's shared transactions and tells those who wait for them."""

    __slots__ = ("_engine", "_handle", "_loop", "_published", "_waiters", "commits", "waited")

    def __init__(
        self,
        engine: Engine,
        loop: asyncio.AbstractEventLoop,
        published: Callable[[list[tuple[Effect, str]]], None],
    ) -> None:
        self.commits = 0
        self.waited = 0
        self._engine = engine
        self._loop = loop
        self._published = published
        self._waiters: list[asyncio.Future[None]] = []
        self._handle: asyncio.Handle | None = None
        engine.opened = self._schedule
        engine.lost = self._fail

    def durable(self) -> asyncio.Future[None]:
        """Done once what is open now is on disk; StoreUnavailable when it was undone."""
        waiter = self._loop.create_future()
        self._waiters.append(waiter)
        return waiter

    def commit(self) -> None:
        """Commit what is open, if anything is."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if not self._engine.open:
            return
        try:
            self._engine.commit()
        except StoreUnavailable as error:
            self._fail(error)
            return
        effects = self._engine.committed
        if effects:
            self._published(effects)
            effects.clear()
        waiters, self._waiters = self._waiters, []
        self.commits += 1
        self.waited += len(waiters)
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _schedule(self) -> None:
        self._handle = self._loop.call_soon(self._one_turn_later)

    def _one_turn_later(self) -> None:
        self._handle = self._loop.call_soon(self.commit)

    def _fail(self, error: StoreUnavailable) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(StoreUnavailable(*error.args))
