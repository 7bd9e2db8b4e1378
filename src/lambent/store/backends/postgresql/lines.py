"""Lines of bodies that wait for a database transaction, and what happens when one is lost.

There are two. Bodies that write take their turn with those of all nodes: a transaction first
locks the one row that holds the store's sequence and time, so transactions that write come
one after the other, in the order of their numbers and of their commits. That makes them
serialisable without a conflict, and what grows grows in the order in which it is seen. While
one commits, all that arrive wait together for the next.

Bodies that only read share a snapshot, beside the writers. Which line a body takes is learned
from its code: one that turns out to write is moved to the other line and starts again.

Each trip to the database and back costs both sides more than what is said in it, so there are
few: the row comes with the transaction's begin, and the commit goes with the last write. Those
who read what the node knows already (`known.py`) need but the row, and no transaction.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

from lambent.core.clock import Clock, SystemClock
from lambent.core.errors import StoreUnavailable
from lambent.store.backends.postgresql.connecting import (
    BEGIN_READING,
    BEGIN_WRITING,
    ROLLBACK,
    Connection,
    Target,
    connect,
    lost,
    passing,
    unavailable,
)
from lambent.store.backends.postgresql.fate import FateUnknown, was_committed
from lambent.store.backends.postgresql.known import Known
from lambent.store.backends.postgresql.overlay import Effect, Overlay
from lambent.store.backends.postgresql.schema import SCHEMA
from lambent.store.backends.postgresql.shared import Job, PostgresTransaction, Shared
from lambent.store.backends.postgresql.telling import Telling, news_of, notifications

Effects = list[tuple[Effect, str]]

MOST_BODIES: Final = 256
"""How many bodies share one transaction."""
READERS: Final = 2
TRIES: Final = 2
"""How often a body runs before the loss of its transaction is told."""
PATIENCE_SECONDS: Final = 20.0
"""How long a body waits for its turn and its transaction before its caller is told that neither
came to an end. One that has not begun by then never does; what became of others is not known."""
_LOOK_SECONDS: Final = 1.0
CODES_REMEMBERED: Final = 10_000
_NEXT: Final = "SELECT next, last, minimum, stamps, extract(epoch FROM clock_timestamp())::float8"
_READ: Final = f"{_NEXT} FROM store"
# The transaction's id, by which its fate can be asked for.
_WRITE: Final = f"{_NEXT}, pg_current_xact_id()::text::bigint FROM store FOR UPDATE"


class Waiting(Job):
    """A body, and who waits for it since when (monotonic)."""

    __slots__ = ("since", "waiter")

    def __init__(
        self,
        body: Callable[[Any], Awaitable[Any]],
        waiter: asyncio.Future[None],
        since: float,
    ) -> None:
        super().__init__(body)
        self.waiter = waiter
        self.since = since

    def told(self, error: BaseException | None = None) -> None:
        """End the wait."""
        if self.waiter.done():
            return
        if error is None:
            self.waiter.set_result(None)
        else:
            self.waiter.set_exception(error)


class Lines:
    """Both lines of one node. `time` replaces the database's clock, for tests."""

    def __init__(
        self,
        to: Target,
        channel: str,
        committed: Callable[[Effects, int], None],
        time: Callable[[], float] | None,
    ) -> None:
        self.to = to
        self.channel = channel
        self.committed = committed
        self.time = time
        self.commits = 0
        self.transactions = 0
        self.known = Known()
        self.clock: Clock = SystemClock()
        self.telling = Telling(self._tell, self.clock)
        self._writers = _Line(self, writable=True, most=1)
        self._readers = _Line(self, writable=False, most=READERS)
        self._learned: dict[object, tuple[bool, bool]] = {}

    async def run(self, body: Callable[[Any], Awaitable[Any]]) -> Any:
        """Run a body; return its result once that is durable."""
        waiter = asyncio.get_running_loop().create_future()
        job = Waiting(body, waiter, self.clock.monotonic())
        code = _code(body)
        writes, job.asks = self._learned.get(code, (False, True))
        (self._writers if writes else self._readers).add(job)
        await job.waiter
        if (writes, job.asks) != (job.wrote, job.asked):
            self._learn(code, job)
        if job.error is not None:
            raise job.error
        return job.result

    def promote(self, jobs: list[Job]) -> None:
        """These turned out to write."""
        for job in jobs:
            assert isinstance(job, Waiting)
            self._writers.add(job)

    async def close(self) -> None:
        """Let what waits be done, then hang up."""
        await self.telling.close()
        await self._readers.close()
        await self._writers.close()

    async def _tell(self) -> None:
        async def body(tx: PostgresTransaction) -> None:
            await tx._state.writing()
            tx._state.effects.append((Effect.TOLD_LATER, ""))

        await self.run(body)

    def _learn(self, code: object, job: Job) -> None:
        if len(self._learned) >= CODES_REMEMBERED:
            self._learned.clear()
        self._learned[code] = job.wrote, job.asked


class _Line:
    """Bodies that wait, and up to `most` connections that serve them."""

    def __init__(self, lines: Lines, writable: bool, most: int) -> None:
        self._lines = lines
        self._writable = writable
        self._begin, self._next = (BEGIN_WRITING, _WRITE) if writable else (BEGIN_READING, _READ)
        self._most = most
        self._waiting: deque[Waiting] = deque()
        self._serving: dict[asyncio.Task[None], list[Waiting]] = {}
        self._idle: list[Connection] = []
        self._looking: asyncio.TimerHandle | None = None

    def add(self, job: Waiting) -> None:
        self._waiting.append(job)
        if len(self._serving) < self._most:
            self._serving[asyncio.get_running_loop().create_task(self._serve())] = []
            if self._looking is None:
                self._look()

    def _look(self) -> None:
        """Tell those who have waited too long; now and then, while anybody waits."""
        self._looking = None
        if self._serving:
            latest = self._lines.clock.monotonic() - PATIENCE_SECONDS
            for jobs in (self._waiting, *self._serving.values()):
                for job in jobs:
                    if job.since < latest:
                        job.told(unavailable(TimeoutError()))
            loop = asyncio.get_running_loop()
            self._looking = loop.call_later(_LOOK_SECONDS, self._look)

    async def close(self) -> None:
        while self._serving:
            await asyncio.wait(list(self._serving))
        if self._looking is not None:
            self._looking.cancel()
        for connection in self._idle:
            connection.terminate()
        self._idle.clear()

    async def _serve(self) -> None:
        """Share transactions until nobody waits."""
        task = asyncio.current_task()
        assert task is not None
        connection: Connection | None = self._idle.pop() if self._idle else None
        while self._waiting or _open(connection):
            jobs = self._serving[task] = []
            fresh = connection is None or connection.is_closed()
            try:
                if connection is None or fresh:
                    connection = None
                    connection = await connect(self._lines.to)
                    await connection.ready_for(self._next)
                    self._lines.known.forget()
                await self._share(connection, jobs)
            except Exception as error:  # the waiters are told, whatever it is
                gone = lost(error, connection) and not isinstance(error, FateUnknown)
                if connection is not None:
                    connection.terminate()
                    connection = None
                if jobs or fresh or not gone:
                    self._failed(jobs or self._take(), error, gone, repeat=bool(jobs))
        # Not only when the task is done: who comes in between begins another.
        del self._serving[task]
        if connection is not None:
            self._idle.append(connection)

    async def _share(self, connection: Connection, jobs: list[Waiting]) -> None:
        """One transaction, for all who wait: those who write once it is their turn. They are put
        into `jobs`."""
        lines = self._lines
        if not self._waiting:
            await connection.execute("ROLLBACK")
            return
        if not self._writable:
            # Not later: who comes while the snapshot is taken may have written what it lacks.
            jobs += self._take()
        else:
            # Who has sent a request already shares the transaction, and its costs.
            await lines.clock.sleep(0)
            await lines.clock.sleep(0)
        lasting = self._writable or any(job.asks for job in jobs)
        ahead = ROLLBACK if _open(connection) else b""
        try:
            row = await connection.first(ahead + self._begin if lasting else ahead)
        except Exception as error:
            if lost(error, connection):
                # Before anybody ran: they wait on, for another connection.
                self._waiting.extendleft(reversed(jobs))
                jobs.clear()
            raise
        number, last, minimum, stamps, clock, *ids = row
        if minimum > SCHEMA:
            raise StoreUnavailable("A newer version of Lambent has taken the database over.")
        now = max(last, clock if lines.time is None else lines.time())
        state = Overlay(now, number, self._writable, lines.known, stamps)
        if self._writable:
            jobs += self._take()
        shared = Shared(connection, state, lines.channel, closed=not lasting)
        await shared.play(list(jobs))
        if not (shared.wrote or state.changed or state.effects):
            # Nothing to lose: whoever read what is durable already need not wait.
            self._tell(jobs, shared)
            jobs.clear()  # they are done with, or wait elsewhere, whatever becomes of this one
            if self._writable:
                await connection.execute("ROLLBACK")
            return
        news = news_of(state.effects)
        told = lines.telling.due(news)
        writer, run = connection.get_server_pid(), connection.run
        try:
            await shared.write(notifications(told), last=True)
        except Exception as error:
            if not (lost(error, connection) and await was_committed(lines.to, run, *ids)):
                raise
            connection.terminate()
        # First of all: whatever fails from here on, nobody's body may run again.
        done = list(jobs)
        jobs.clear()
        self._tell(done, shared)
        lines.commits += 1
        lines.transactions += len(done)
        lines.known.names.update(state.named)
        lines.telling.committed(news, told)
        lines.committed(state.effects, writer)

    def _tell(self, jobs: list[Waiting], shared: Shared) -> None:
        asking = [job for job in jobs if job in shared.asking]
        elsewhere = {*shared.promoted, *asking}
        for job in jobs:
            if job not in elsewhere:
                job.told()
        for job in asking:
            job.asks = True
        self._waiting.extendleft(reversed(asking))
        self._lines.promote(shared.promoted)

    def _take(self) -> list[Waiting]:
        """The next to share a transaction: those for whom somebody still waits."""
        waiting = self._waiting
        jobs: list[Waiting] = []
        while waiting and len(jobs) < MOST_BODIES and not (jobs and waiting[0].single):
            job = waiting.popleft()
            if job.waiter.done():
                continue
            jobs.append(job)
            if job.single:
                break
        return jobs

    def _failed(self, jobs: list[Waiting], error: Exception, gone: bool, repeat: bool) -> None:
        """A transaction was refused, or lost (`gone`): run its bodies again, or tell them."""
        again: list[Waiting] = []
        for job in jobs:
            job.wrote = False
            job.tries += 1
            if gone or passing(error) or isinstance(error, StoreUnavailable):
                if gone and repeat and job.tries < TRIES:
                    again.append(job)
                else:
                    job.told(unavailable(error))
            elif len(jobs) > 1:
                # One of them is at fault: each for itself, and only that one fails.
                job.single = True
                again.append(job)
            else:
                job.told(error)
        self._waiting.extendleft(reversed(again))


def _open(connection: Connection | None) -> bool:
    """Whether a snapshot that nobody needs is still open."""
    return (
        connection is not None
        and not connection.is_closed()
        and bool(connection.is_in_transaction())
    )


def _code(body: object) -> object:
    """What tells one kind of body from another: its code."""
    while (inner := getattr(body, "func", None)) is not None:
        body = inner
    return getattr(getattr(body, "__func__", body), "__code__", type(body))
