"""A commit whose answer was lost: it is acknowledged only if it was made, and never doubled."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.support import postgres
from tests.support.postgres import Cluster

from lambent.core.clock import SystemClock
from lambent.core.errors import StoreUnavailable
from lambent.core.ids import SystemIds
from lambent.store.backends.places import Folder
from lambent.store.backends.postgresql import lines, open_postgresql
from lambent.store.backends.postgresql.connecting import Connection, Session, Target, connect
from lambent.store.contract import NewWork, Store, Transaction

from .calls import call

pytestmark = pytest.mark.skipif(
    postgres.programs() is None, reason="no PostgreSQL server is installed"
)
_OTHERS = """
    DO $$ BEGIN FOR i IN 1..20 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$
"""
"""Transactions that are given the next ids."""


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    server = postgres.own()
    # What is not committed reaches the disk late, so that a crash loses it.
    server.sql("ALTER SYSTEM SET wal_writer_delay = '10s'")
    server.sql("SELECT pg_reload_conf()")
    yield server
    server.remove()


async def _opened(server: Cluster, folder: Path) -> Store:
    place = Folder(folder / "blobs", sync=False)
    return await open_postgresql(server.url(), place, SystemClock(), SystemIds())


def _lose_the_next_commit(
    monkeypatch: pytest.MonkeyPatch, made: bool, meanwhile: Callable[[], object]
) -> list[bool]:
    """The connection breaks after, or before, the server has seen the next COMMIT. What is
    returned is true once it has."""
    last = Session.last
    lost: list[bool] = []

    async def lose(self: Any, query: str, *args: Any) -> None:
        if lost:
            return await last(self, query, *args)
        lost.append(True)
        if made:
            await last(self, query, *args)
        else:
            await self.fetchrow(query, *args)
        meanwhile()
        self.terminate()
        raise asyncpg.ConnectionDoesNotExistError("closed in the middle")

    monkeypatch.setattr(Session, "last", lose)
    return lost


async def _append(store: Store) -> None:
    async def body(tx: Transaction) -> None:
        await tx.append("log", [b"once"])

    await store.transact(body)


@pytest.mark.parametrize("made", [True, False])
async def test_after_a_crash_only_what_is_there_is_acknowledged(
    server: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: bool
) -> None:
    store = await _opened(server, tmp_path)
    await _append(store)

    def crash() -> None:
        server.stop("immediate")
        server.start()
        server.sql(_OTHERS)

    lost = _lose_the_next_commit(monkeypatch, made, crash)
    with pytest.raises(StoreUnavailable, match="not known"):
        await _append(store)
    assert lost
    assert len(await call(store, "read", "log")) == 1 + made
    await store.close()


@pytest.mark.parametrize("made", [True, False])
async def test_a_cut_connection_neither_loses_nor_doubles_a_commit(
    server: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: bool
) -> None:
    store = await _opened(server, tmp_path)
    await _append(store)
    lost = _lose_the_next_commit(monkeypatch, made, lambda: None)
    await _append(store)
    assert lost
    assert len(await call(store, "read", "log")) == 2
    await store.close()


class Way:
    """A way to the server, by a socket in that folder. While `holding`, a client is not told
    that the server has hung up before it asks for something more."""

    def __init__(self, folder: Path, server: Cluster) -> None:
        self._here = folder / f".s.PGSQL.{server.port}"
        self._there = server.folder / f".s.PGSQL.{server.port}"
        self._answering: list[asyncio.Task[None]] = []
        self.holding = False

    async def open(self) -> asyncio.Server:
        return await asyncio.start_unix_server(self._client, self._here)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_unix_connection(self._there)
        answering = asyncio.ensure_future(self._pass_on(answers, writer))
        self._answering.append(answering)
        while (data := await reader.read(1 << 16)) and not answering.done():
            requests.write(data)
        requests.close()
        writer.close()

    async def _pass_on(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(1 << 16):
            target.write(data)
        if not self.holding:
            target.close()

    async def ended(self) -> None:
        """Return once the server has hung up, and clients have read its last words."""
        await asyncio.gather(*self._answering)
        for _ in range(10):
            await SystemClock().sleep(0)


@pytest.mark.parametrize("new", [True, False])
async def test_a_connection_that_was_told_of_its_end_is_as_good_as_cut(
    server: Cluster, monkeypatch: pytest.MonkeyPatch, new: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        way = Way(Path(name), server)
        listening = await way.open()
        place = Folder(Path(name) / "blobs", sync=False)
        store = await open_postgresql(server.url(host=name), place, SystemClock(), SystemIds())

        async def end() -> None:
            way.holding = True
            server.sql(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE application_name = 'lambent'"
            )
            await way.ended()
            way.holding = False

        async def connect_and_end(to: Target) -> Connection:
            connection = await connect(to)
            await end()
            return connection

        if new:
            monkeypatch.setattr(lines, "connect", connect_and_end)
            with pytest.raises(StoreUnavailable):
                await _append(store)
            monkeypatch.undo()
        else:
            await _append(store)
            await end()
        await _append(store)
        assert len(await call(store, "read", "log")) == (1 if new else 2)
        await store.close()
        listening.close()


async def test_what_went_on_or_was_told_is_not_run_again_when_its_snapshot_is_lost_at_its_end(
    server: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await _opened(server, tmp_path)
    given: list[int] = []

    async def claim(tx: Transaction) -> int:
        """Only reads while there is nothing."""
        claimed = await tx.claim("queue", 1, 60.0)
        given.append(len(claimed))
        return len(claimed)

    async def enqueue(tx: Transaction) -> None:
        await tx.enqueue("queue", [NewWork(b"1"), NewWork(b"2")])

    assert await store.transact(claim) == 0
    await store.transact(enqueue)
    execute = Session.execute
    lost: list[str] = []

    async def lose(self: Any, query: str, *args: Any, **more: Any) -> Any:
        if lost or not query.startswith("ROLLBACK"):
            return await execute(self, query, *args, **more)
        lost.append(query)
        self.terminate()
        raise asyncpg.ConnectionDoesNotExistError("closed in the middle")

    monkeypatch.setattr(Session, "execute", lose)
    given.clear()
    # It begins among the readers, and goes on among the writers.
    assert await store.transact(claim) == 1
    monkeypatch.undo()
    assert lost
    counts = await call(store, "work_counts", "queue")
    await store.close()
    assert given == [1]
    assert counts.leased == 1
