"""Group commit: one durable commit for all requests that wait at that moment.

The first write opens a group. It ends one turn of the event loop later: what is ready now
joins it, and so do the requests that arrive meanwhile, which the loop reads before that
turn; waiting for them costs a poll and makes commits under load two to three times as large
(docs/decisions/0008-hot-paths.md). Everyone who wrote in it, or read while it was open,
waits for that one commit (one sync of the disk).

What may be expected to take long, by what commits took lately, is left to a thread, and the
loop goes on meanwhile: it answers, reads requests, and runs those bodies that need no
connection, which make up the next group. On a disk whose syncs are slow that group then waits
a little for those who were just answered, as there are fewer commits if they come along. Folding
the write-ahead log back follows a commit on the same thread, after those who waited were told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from lambent.core.clock import Clock
from lambent.core.errors import StoreUnavailable
from lambent.store.backends.sqlite.engine import Effects, Ending, Engine
from lambent.store.backends.sqlite.folding import Folding

LONG: Final = 0.0003
"""Seconds of a commit that are some times what it costs to give one to a thread."""
MUCH: Final = 1 << 20
"""Bytes of new items during whose writing the loop had better go on."""
SLOW: Final = 0.002
"""Seconds of a sync during which the loop had better go on."""
_PATIENCE: Final = 0.25
"""For what share of a sync those are waited for who were just answered."""
_FADING: Final = 1.1


def is_long(took: float, sync: float, size: int) -> bool:
    """Whether a commit is one for the thread: with new items of so many bytes, after one that
    took `took` seconds, where a sync takes `sync`."""
    return took > LONG and (size >= MUCH or sync > SLOW)


class GroupCommit:
    """Ends an engine's groups and tells those who wait for them; `rule` is `is_long`."""

    __slots__ = (
        "_absent",
        "_clock",
        "_engine",
        "_expected",
        "_folding",
        "_folds",
        "_handle",
        "_leaving",
        "_loop",
        "_published",
        "_returned",
        "_sync",
        "_thread",
        "_took",
        "_waiters",
        "commits",
        "rule",
        "waited",
    )

    def __init__(
        self,
        engine: Engine,
        folding: Folding,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        published: Callable[[Effects], None],
    ) -> None:
        self.commits = 0
        self.waited = 0
        self.rule = is_long
        self._engine = engine
        self._folding = folding
        self._folds = False
        self._loop = loop
        self._clock = clock
        self._published = published
        self._waiters: list[asyncio.Future[None]] = []
        self._leaving: list[asyncio.Future[None]] = []
        self._returned: asyncio.Future[None] | None = None
        self._absent = 0
        self._expected = 0
        self._handle: asyncio.Handle | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lambent-commit")
        self._took = 0.0
        self._sync = 0.0
        engine.opened = self._opened
        engine.lost = self._fail

    def durable(self) -> asyncio.Future[None]:
        """Done once all that was done until now is on disk; StoreUnavailable when it was
        undone. To be asked for while a group is open or the connection away."""
        waiter = self._loop.create_future()
        if not self._engine.open:
            if self._folds:
                waiter.set_result(None)
            else:
                self._leaving.append(waiter)
            return waiter
        self._waiters.append(waiter)
        if 0 < self._expected <= len(self._waiters):
            self._expected = 0
            self._reschedule()
        return waiter

    async def connection(self) -> None:
        """Return once the connection is here."""
        self._absent += 1
        try:
            while self._engine.away:
                if self._returned is None:
                    self._returned = self._loop.create_future()
                await asyncio.shield(self._returned)
        finally:
            self._absent -= 1

    async def close(self) -> None:
        """Commit what is open, if anything is, and end the thread."""
        await self.connection()
        if self._handle is not None:
            self._handle.cancel()
        while self._engine.open:
            self._end()
            await self.connection()
        self._thread.shutdown()

    def _opened(self) -> None:
        if self._handle is None:
            self._schedule()

    def _schedule(self) -> None:
        self._handle = self._loop.call_soon(self._one_turn_later)

    def _reschedule(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._schedule()

    def _one_turn_later(self) -> None:
        self._handle = self._loop.call_soon(self._commit)

    def _commit(self) -> None:
        self._handle = None
        self._expected = 0
        if self._engine.open and not self._engine.away:
            self._end()

    def _end(self) -> None:
        self._leaving, self._waiters = self._waiters, []
        ending = self._engine.end()
        if self.rule(self._took, self._sync, ending.size):
            written = self._loop.run_in_executor(self._thread, self._write, ending)
            written.add_done_callback(lambda future: self._returns(ending, future.result()))
        else:
            self._ended(ending, self._write(ending))

    def _returns(self, ending: Ending, error: StoreUnavailable | None) -> None:
        """The thread is done."""
        coming = len(self._leaving) + len(self._waiters) + self._absent
        others = coming > len(self._leaving)
        self._ended(ending, error)
        if error is None and others and self._sync > SLOW:
            # Most of those who were answered now will ask for more in a moment.
            self._expected = coming
            if self._handle is not None:
                self._handle.cancel()
            self._handle = self._loop.call_later(self._sync * _PATIENCE, self._commit)

    def _write(self, ending: Ending) -> StoreUnavailable | None:
        """Of either thread: what went wrong."""
        began = left = self._clock.monotonic()

        def written() -> None:
            nonlocal left
            left = self._clock.monotonic()

        try:
            ending.write(written)
        except StoreUnavailable as error:
            return error
        ended = self._clock.monotonic()
        self._took = ended - began
        # The shortest of late, as a thread may have to wait for its turn besides.
        self._sync = min(ended - left, max(self._sync, SLOW) * _FADING)
        return None

    def _ended(self, ending: Ending, error: StoreUnavailable | None) -> None:
        if error is not None:
            self._engine.back()
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
            if self._folding.due:
                self._folds = True
                folded = self._loop.run_in_executor(self._thread, self._folding.fold)
                folded.add_done_callback(self._folded)
                return
            self._engine.back()
        self._here()

    def _folded(self, future: asyncio.Future[None]) -> None:
        self._folds = False
        self._engine.back()
        self._here()
        future.result()

    def _here(self) -> None:
        """The connection is back."""
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
