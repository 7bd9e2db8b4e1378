"""The shared store: puts the lines, the listener and the blobs together."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

from lambent.core.clock import Clock, SystemClock
from lambent.core.duty import Duty
from lambent.core.errors import StartupError, StoreUnavailable
from lambent.core.ids import Ids
from lambent.store.backends.places import Place
from lambent.store.backends.postgresql.blobs import Blobs, Linked
from lambent.store.backends.postgresql.connecting import Target, first_connection, target
from lambent.store.backends.postgresql.lines import Effects, Lines
from lambent.store.backends.postgresql.listening import Listener
from lambent.store.backends.postgresql.overlay import Effect
from lambent.store.backends.postgresql.schema import migrate
from lambent.store.backends.postgresql.shared import PostgresTransaction
from lambent.store.backends.wakeups import Wakeups
from lambent.store.contract import Commits, Store, Transaction

T = TypeVar("T")

SWEEP_SECONDS = 6 * 3600.0


class PostgresStore:
    """A store in one schema of a PostgreSQL database; see `open_postgresql`."""

    def __init__(
        self, to: Target, description: str, place: Place, clock: Clock, ids: Ids, own_time: bool
    ) -> None:
        self.description = description
        self.shared = True
        channel = "lambent_" + hashlib.sha256(to.schema.encode()).hexdigest()[:16]
        self._clock = clock
        self._arrivals = Wakeups()
        self._growth = Wakeups()
        self._lines = Lines(to, channel, self._committed, clock.now if own_time else None)
        self._listener = Listener(to, channel, self._heard, self._missed)
        self._writer = 0
        self.blobs = Blobs(place, ids, self._linked, self._live)
        self._sweep = Duty(
            SystemClock(), "collecting orphaned blobs", self._sweep_blobs, retry=SWEEP_SECONDS
        )
        self._closed = False

    async def start(self) -> None:
        """Listen to the other nodes, and collect orphans now and then."""
        await self._listener.start()
        self._sweep.start()

    async def transact(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        if self._closed:
            raise StoreUnavailable("The store is closed.")
        result: T = await self._lines.run(body)
        return result

    @property
    def committed(self) -> Commits:
        return Commits(self._lines.commits, self._lines.transactions)

    def work_arrived(self, queue: str) -> asyncio.Event:
        return self._arrivals.event(queue)

    def log_grew(self, log: str) -> asyncio.Event:
        return self._growth.event(log)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await self._sweep.stop()
        await self._lines.close()
        await self._listener.close()
        await self.blobs.close()

    def _committed(self, effects: Effects, writer: int) -> None:
        self._writer = writer
        links: dict[str, bool] = {}
        for effect, name in effects:
            if effect is Effect.ARRIVED:
                self._arrivals.wake(name)
            elif effect is Effect.GREW:
                self._growth.wake(name)
            elif effect is not Effect.TOLD_LATER:
                links[name] = effect is Effect.LINKED
        gone = [id for id, linked in links.items() if not linked]
        if gone:
            self.blobs.unlinked(gone)

    def _heard(self, text: str, sender: int) -> None:
        if sender == self._writer:
            return
        for line in text.split("\n"):
            kind, name = line[:1], line[1:]
            (self._arrivals if kind == Effect.ARRIVED.value else self._growth).wake(name)

    def _missed(self) -> None:
        self._arrivals.wake_all()
        self._growth.wake_all()

    async def _linked(self, id: str) -> Linked | None:
        async def body(tx: PostgresTransaction) -> Linked | None:
            row: Linked | None = await tx._state.ask(("blob", id))
            return row

        row: Linked | None = await self._lines.run(body)
        return row

    async def _live(self, ids: list[str]) -> set[str]:
        async def body(tx: PostgresTransaction) -> set[str]:
            return {id for id in ids if await tx._state.ask(("blob", id)) is not None}

        live: set[str] = await self._lines.run(body)
        return live

    async def _sweep_blobs(self) -> float:
        # What one sweep leaves, the next one finds.
        await self.blobs.sweep(SystemClock().now())
        return SWEEP_SECONDS


async def open_postgresql(
    url: str, place: Place, clock: Clock, ids: Ids, *, own_time: bool = False
) -> Store:
    """Open the store of a database, making or upgrading its schema if need be.

    `own_time` lets it follow `clock` instead of the database's, for tests. StartupError, and
    nothing changed, when the database cannot be used.
    """
    to = target(url)
    connection = await first_connection(to)
    try:
        await migrate(connection, to.schema)
        description = to.shown
        if await connection.fetchval("SHOW fsync") == "off":
            description += " (its fsync is off: a power loss may lose what was acknowledged)"
    except asyncpg.InsufficientPrivilegeError as error:
        raise StartupError(
            f"The database's user lacks a right that Lambent needs: {error}."
        ) from error
    except asyncpg.PostgresError as error:
        raise StartupError(f"The database cannot be used: {error}.") from error
    finally:
        await connection.close()
    store = PostgresStore(to, description, place, clock, ids, own_time)
    await store.start()
    return store
