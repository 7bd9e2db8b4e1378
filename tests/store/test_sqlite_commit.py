"""A commit that a thread writes: what goes on meanwhile, and what does not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lambent.core.clock import VirtualClock
from lambent.core.errors import StoreUnavailable
from lambent.core.ids import SeededIds
from lambent.store.backends.sqlite import open_sqlite
from lambent.store.backends.sqlite.store import SqliteStore
from lambent.store.backends.sqlite.unwritten import Unwritten
from lambent.store.contract import NewWork, Transaction

from .calls import call

TURNS = 50
"""Turns of the loop after which whatever can happen without the thread has happened."""


class Gate:
    """Holds the thread's commits while it is shut, and then lets them pass or fail."""

    def __init__(self, store: SqliteStore) -> None:
        self._open = threading.Event()
        self._loop = asyncio.get_running_loop()
        self.reached = asyncio.Event()
        self.fails = False
        self._open.set()
        store._engine.db.set_commit_hook(self._commit)

    def shut(self) -> None:
        self._open.clear()

    def let_go(self) -> None:
        self._open.set()

    def _commit(self) -> bool:
        self._loop.call_soon_threadsafe(self.reached.set)
        assert self._open.wait(20)
        return self.fails


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await open_sqlite(tmp_path / "data", VirtualClock(), SeededIds(1))
    assert isinstance(store, SqliteStore)
    await call(store, "put", "c", b"p", b"", b"before")
    await call(store, "enqueue", "q", [NewWork(b"first")])
    await call(store, "get", "c", b"p")  # remembered from now on
    store._commits.rule = lambda *_: True
    yield store
    await store.close()


@pytest.fixture
async def gate(store: SqliteStore) -> AsyncIterator[Gate]:
    gate = Gate(store)
    yield gate
    gate.let_go()


async def turns() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)  # noqa: TID251 - a switch, no time


async def test_work_is_added_while_a_commit_is_written_and_not_acknowledged_before_its_own(
    store: SqliteStore,
    gate: Gate,
) -> None:
    gate.shut()
    first = asyncio.create_task(call(store, "enqueue", "q", [NewWork(b"second")]))
    await gate.reached.wait()
    ran: list[int] = []

    async def body(tx: Transaction) -> None:
        assert await tx.get("c", b"p") is not None
        ran.extend(await tx.enqueue("q", [NewWork(b"third")]))

    second = asyncio.create_task(store.transact(body))
    await turns()
    assert store._engine.away
    assert len(ran) == 1
    assert not first.done() and not second.done()
    gate.let_go()
    await asyncio.gather(first, second)
    assert [item.payload for item in await call(store, "browse", "q")] == [
        b"first",
        b"second",
        b"third",
    ]


async def test_what_needs_the_connection_waits_for_it_and_sees_all_before_it(
    store: SqliteStore,
    gate: Gate,
) -> None:
    gate.shut()
    writing = asyncio.create_task(call(store, "put", "c", b"p", b"", b"after"))
    await gate.reached.wait()
    adding = asyncio.create_task(call(store, "enqueue", "q", [NewWork(b"second")]))
    reading = asyncio.create_task(call(store, "get", "c", b"p"))
    claiming = asyncio.create_task(call(store, "claim", "q", 10, 30))
    await turns()
    assert not any(task.done() for task in (writing, adding, reading, claiming))
    gate.let_go()
    await asyncio.gather(writing, adding, reading, claiming)
    assert reading.result().value == b"after"
    assert [item.payload for item in claiming.result()] == [b"first", b"second"]


async def test_a_body_that_fails_meanwhile_leaves_nothing_behind(
    store: SqliteStore, gate: Gate
) -> None:
    gate.shut()
    first = asyncio.create_task(call(store, "enqueue", "q", [NewWork(b"second")]))
    await gate.reached.wait()

    async def body(tx: Transaction) -> None:
        await tx.enqueue("q", [NewWork(b"never"), NewWork(b"ever")])
        raise LookupError

    second = asyncio.create_task(store.transact(body))
    third = asyncio.create_task(call(store, "enqueue", "q", [NewWork(b"third")]))
    await turns()
    gate.let_go()
    with pytest.raises(LookupError):
        await second
    await asyncio.gather(first, third)
    found = [item.payload for item in await call(store, "browse", "q")]
    assert found == [b"first", b"second", b"third"]
    assert (await call(store, "work_counts", "q")).ready == 3


async def test_a_commit_that_fails_fails_those_who_came_meanwhile_too(
    store: SqliteStore, gate: Gate
) -> None:
    gate.shut()
    first = asyncio.create_task(call(store, "put", "c", b"p", b"", b"after"))
    await gate.reached.wait()
    second = asyncio.create_task(call(store, "enqueue", "q", [NewWork(b"second")]))
    reading = asyncio.create_task(call(store, "get", "c", b"p"))
    await turns()
    gate.fails = True
    gate.let_go()
    for task in (first, second):
        with pytest.raises(StoreUnavailable):
            await task
    assert (await reading).value == b"before"
    gate.fails = False
    await call(store, "enqueue", "q", [NewWork(b"third")])
    found = [item.payload for item in await call(store, "browse", "q")]
    assert found == [b"first", b"third"]
    assert (await call(store, "work_counts", "q")).ready == 2


async def test_whatever_goes_wrong_in_the_thread_is_told_and_passes(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OverflowError

    with monkeypatch.context() as patch:
        patch.setattr(Unwritten, "write", broken)
        with pytest.raises(StoreUnavailable):
            await call(store, "enqueue", "q", [NewWork(b"never")])
    await call(store, "enqueue", "q", [NewWork(b"second")])
    found = [item.payload for item in await call(store, "browse", "q")]
    assert found == [b"first", b"second"]


async def test_a_store_is_closed_once_its_last_commits_are_written(
    store: SqliteStore, gate: Gate, tmp_path: Path
) -> None:
    gate.shut()
    first = asyncio.create_task(call(store, "enqueue", "q", [NewWork(b"second")]))
    await gate.reached.wait()
    second = asyncio.create_task(call(store, "enqueue", "q", [NewWork(b"third")]))
    late = asyncio.create_task(call(store, "count", "c"))
    await turns()
    closing = asyncio.create_task(store.close())
    await turns()
    assert not closing.done()
    gate.let_go()
    await asyncio.gather(first, second, closing)
    with pytest.raises(StoreUnavailable):
        await late
    again = await open_sqlite(tmp_path / "data", VirtualClock(), SeededIds(2))
    assert len(await call(again, "browse", "q")) == 3
    await again.close()


async def test_blobs_are_read_once_the_connection_is_back(store: SqliteStore, gate: Gate) -> None:
    async def one() -> AsyncIterator[bytes]:
        yield b"bytes"

    blob = await store.blobs.stage(one())
    await call(store, "link_blob", blob)
    gate.shut()
    writing = asyncio.create_task(call(store, "put", "c", b"p", b"", b"after"))
    await gate.reached.wait()

    async def read() -> bytes:
        return b"".join([piece async for piece in store.blobs.read(blob.id)])

    reading = asyncio.create_task(read())
    await turns()
    assert not reading.done()
    gate.let_go()
    await writing
    assert await reading == b"bytes"


async def test_a_quick_commit_needs_no_thread(tmp_path: Path) -> None:
    store = await open_sqlite(tmp_path / "quick", VirtualClock(), SeededIds(1))
    assert isinstance(store, SqliteStore)
    threads: list[str] = []
    store._engine.db.set_commit_hook(
        lambda: threads.append(threading.current_thread().name) or False
    )
    for _ in range(3):
        await call(store, "enqueue", "q", [NewWork(b"")])
    store._engine.db.set_commit_hook(None)
    await store.close()
    assert set(threads) == {"MainThread"}
