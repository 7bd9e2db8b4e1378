"""The write-ahead log is folded back on another thread: what goes on meanwhile, and what waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from lambent.core.clock import VirtualClock
from lambent.core.ids import SeededIds
from lambent.store.backends.sqlite import folding, open_sqlite
from lambent.store.backends.sqlite.folding import Folding
from lambent.store.backends.sqlite.store import SqliteStore
from lambent.store.contract import NewWork

from .calls import call
from .test_sqlite_commit import turns


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await open_sqlite(tmp_path / "data", VirtualClock(), SeededIds(1))
    assert isinstance(store, SqliteStore)
    yield store
    await store.close()


class Gate:
    """Holds folding up until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._open = threading.Event()
        self._loop = asyncio.get_running_loop()
        self.reached = asyncio.Event()
        self.thread: int | None = None
        original = Folding.fold

        def fold(own: Folding) -> None:
            self.thread = threading.get_ident()
            self._loop.call_soon_threadsafe(self.reached.set)
            assert self._open.wait(20)
            original(own)

        monkeypatch.setattr(Folding, "fold", fold)
        monkeypatch.setattr(folding, "PAGES", 1)

    def let_go(self) -> None:
        self._open.set()


async def test_the_log_is_folded_back_as_it_grows(store: SqliteStore, tmp_path: Path) -> None:
    limit = folding.PAGES * 4096
    for number in range(60):
        await call(store, "put", "c", b"%d" % number, b"", b"x" * (limit // 20))
    data = tmp_path / "data"
    assert (data / "lambent.db").stat().st_size > 2 * limit
    assert (data / "lambent.db-wal").stat().st_size < 1.5 * limit


async def test_a_commit_is_acknowledged_before_the_log_is_folded_back_elsewhere(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await call(store, "put", "c", b"p", b"", b"value")
    await call(store, "get", "c", b"p")  # remembered from now on
    gate = Gate(monkeypatch)
    try:
        await call(store, "enqueue", "q", [NewWork(b"first")])
        await gate.reached.wait()
        assert gate.thread != threading.get_ident()
        assert (await call(store, "get", "c", b"p")).value == b"value"
        adding = asyncio.create_task(call(store, "enqueue", "q", [NewWork(b"second")]))
        claiming = asyncio.create_task(call(store, "claim", "q", 10, 30))
        await turns()
        assert store._engine.away
        assert not adding.done() and not claiming.done()
    finally:
        gate.let_go()
    await adding
    assert [item.payload for item in await claiming] == [b"first", b"second"]


async def test_a_store_that_is_closed_while_the_log_is_folded_back_keeps_what_came_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_sqlite(tmp_path / "data", VirtualClock(), SeededIds(1))
    gate = Gate(monkeypatch)
    try:
        await call(store, "enqueue", "q", [NewWork(b"first")])
        await gate.reached.wait()
        adding = asyncio.create_task(call(store, "enqueue", "q", [NewWork(b"second")]))
        await turns()
        closing = asyncio.create_task(store.close())
        await turns()
    finally:
        gate.let_go()
    await asyncio.gather(adding, closing)
    again = await open_sqlite(tmp_path / "data", VirtualClock(), SeededIds(2))
    assert [item.payload for item in await call(again, "browse", "q")] == [b"first", b"second"]
    await again.close()


class Failing:
    """A database that cannot fold its log."""

    def set_wal_hook(self, hook: Any) -> None:
        self.hook = hook

    def wal_checkpoint(self, **_: Any) -> None:
        raise apsw.FullError("database or disk is full")


def test_folding_that_fails_is_tried_again_after_the_next_commit() -> None:
    database: Any = Failing()
    log = Folding(database)
    database.hook(database, "main", folding.PAGES)
    assert log.due
    log.fold()
    assert not log.due
    database.hook(database, "main", folding.PAGES + 1)
    assert log.due
