"""Group commit: one durable commit for all requests that wait at that moment.

The first write opens a group. It ends one turn of the event loop later: what is ready now
joins it, and so do the requests that arrive meanwhile, which the loop reads before that
turn; waiting for them costs a poll and makes commits under load two to three times as large
(docs/decisions/0008-hot-paths.md). Everyone who wrote in it, or read while it was open,
waits for that one commit (one sync of the disk).

A commit that may be expected to take long, because the last one did, is left to a thread,
and the loop goes on meanwhile: it answers, reads requests, and runs those bodies that need no
connection, which make up the next group.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from lambent.core.clock import Clock
from lambent.core.errors import StoreUnavailable
from lambent.store.backends.sqlite.engine import Effects, Ending, Engine

LONG: Final = 0.0003
"""Seconds of a commit after which the next one gets a thread: some times what it costs to
give it there and to be told of its end."""


class GroupCommit:
    """Ends an engine's groups and tells those who wait for them. `long` is how many seconds
    a commit has to take for the next one to be left to a thread."""

    __slots__ = (
        "_clock",
        "_engine",
        "_handle",
        "_leaving",
        "_loop",
        "_published",
        "_returned",
        "_thread",
        "_took",
        "_waiters",
        "commits",
        "long",
        "waited",
    )

    def __init__(
        self,
        engine: Engine,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        published: Callable[[Effects], None],
    ) -> None:
        self.commits = 0
        self.waited = 0
        self.long = LONG
        self._engine = engine
        self._loop = loop
        self._clock = clock
        self._published = published
        self._waiters: list[asyncio.Future[None]] = []
        self._leaving: list[asyncio.Future[None]] = []
        self._returned: asyncio.Future[None] | None = None
        self._handle: asyncio.Handle | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lambent-commit")
        self._took = 0.0
        engine.opened = self._schedule
        engine.lost = self._fail

    def durable(self) -> asyncio.Future[None]:
        """Done once all that was done until now is on disk; StoreUnavailable when it was
        undone. To be asked for while a group is open or the connection away."""
        waiter = self._loop.create_future()
        (self._waiters if self._engine.open else self._leaving).append(waiter)
        return waiter

    async def connection(self) -> None:
        """Return once the connection is here."""
        while self._engine.away:
            if self._returned is None:
                self._returned = self._loop.create_future()
            await asyncio.shield(self._returned)

    async def close(self) -> None:
        """Commit what is open, if anything is, and end the thread."""
        await self.connection()
        if self._handle is not None:
            self._handle.cancel()
        if self._engine.open:
            self._end(in_thread=False)
        self._thread.shutdown()

    def _schedule(self) -> None:
        self._handle = self._loop.call_soon(self._one_turn_later)

    def _one_turn_later(self) -> None:
        self._handle = self._loop.call_soon(self._commit)

    def _commit(self) -> None:
        self._handle = None
        if self._engine.open and not self._engine.away:
            self._end(in_thread=self._took > self.long)

    def _end(self, in_thread: bool) -> None:
        self._leaving, self._waiters = self._waiters, []
        ending = self._engine.end()
        if in_thread:
            written = self._loop.run_in_executor(self._thread, self._write, ending)
            written.add_done_callback(lambda future: self._ended(ending, future.result()))
        else:
            self._ended(ending, self._write(ending))

    def _write(self, ending: Ending) -> StoreUnavailable | None:
        """Of either thread: what went wrong."""
        began = self._clock.monotonic()
        try:
            ending.write()
        except StoreUnavailable as error:
            return error
        finally:
            self._took = self._clock.monotonic() - began
        return None

    def _ended(self, ending: Ending, error: StoreUnavailable | None) -> None:
        self._engine.back()
        if error is not None:
            self._engine.undone()
            self._fail(error)
        else:
            self._published(ending.effects)
            self.commits += 1
            self.waited += len(self._leaving)
            for waiter in self._leaving:
                if not waiter.done():
                    waiter.set_result(None)
            self._leaving = []
        if self._returned is not None:
            self._returned.set_result(None)
            self._returned = None
        if self._engine.open and self._handle is None:
            self._schedule()

    def _fail(self, error: StoreUnavailable) -> None:
        waiters = self._leaving + self._waiters
        self._leaving, self._waiters = [], []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(StoreUnavailable(*error.args))
