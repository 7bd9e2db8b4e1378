"""How the embedded store runs bodies and shares commits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lambent.core.clock import VirtualClock
from lambent.core.errors import StoreUnavailable
from lambent.core.ids import SeededIds
from lambent.store.backends.sqlite import open_sqlite
from lambent.store.backends.sqlite.store import SqliteStore
from lambent.store.contract import NewWork, Transaction

from .calls import call


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await open_sqlite(tmp_path, VirtualClock(), SeededIds(1))
    assert isinstance(store, SqliteStore)
    yield store
    await store.close()


@contextmanager
def commits(store: SqliteStore) -> Iterator[list[None]]:
    seen: list[None] = []

    def hook() -> bool:
        seen.append(None)
        return False

    store._engine.db.set_commit_hook(hook)
    yield seen
    store._engine.db.set_commit_hook(None)


async def test_all_who_wait_share_one_commit(store: SqliteStore) -> None:
    with commits(store) as seen:
        await asyncio.gather(*(call(store, "put", "c", b"%d" % n, b"", b"") for n in range(64)))
    assert len(seen) == 1


async def test_reads_alone_commit_nothing(store: SqliteStore) -> None:
    await call(store, "enqueue", "q", [NewWork(b"", delay=5)])
    with commits(store) as seen:
        for method, *arguments in (
            ("get", "c", b"p"),
            ("scan", "c", b"p"),
            ("claim", "q", 1, 30),
            ("browse", "q"),
            ("work_counts", "q"),
            ("read", "l"),
        ):
            await call(store, method, *arguments)
    assert seen == []


async def test_a_read_waits_until_what_it_read_is_durable(store: SqliteStore) -> None:
    order: list[str] = []
    store._engine.db.set_commit_hook(lambda: order.append("commit") or False)

    async def act(method: str, *arguments: object) -> None:
        await call(store, method, *arguments)
        order.append(method)

    await asyncio.gather(act("put", "c", b"p", b"", b"v"), act("get", "c", b"p"))
    assert order[0] == "commit"
    assert sorted(order[1:]) == ["get", "put"]


async def test_an_error_waits_until_what_caused_it_is_durable(store: SqliteStore) -> None:
    order: list[str] = []
    store._engine.db.set_commit_hook(lambda: order.append("commit") or False)

    async def refuse(tx: Transaction) -> None:
        assert await tx.get("c", b"p") is not None
        raise LookupError

    async def failing() -> None:
        with pytest.raises(LookupError):
            await store.transact(refuse)
        order.append("error")

    await asyncio.gather(call(store, "put", "c", b"p", b"", b"v"), failing())
    assert order == ["commit", "error"]


async def test_a_body_that_suspends_is_refused_and_undone(store: SqliteStore) -> None:
    async def body(tx: Transaction) -> None:
        await tx.put("c", b"p", b"", b"v")
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="awaited something other than"):
        await store.transact(body)
    assert await call(store, "get", "c", b"p") is None


async def test_a_transaction_within_a_transaction_is_refused(store: SqliteStore) -> None:
    async def inner(tx: Transaction) -> None:
        await tx.put("c", b"inner", b"", b"v")

    async def outer(tx: Transaction) -> None:
        await tx.put("c", b"outer", b"", b"v")
        await store.transact(inner)

    with pytest.raises(RuntimeError, match="inside a transaction"):
        await store.transact(outer)
    assert await call(store, "count", "c") == 0


async def test_a_transaction_is_of_no_use_after_its_body(store: SqliteStore) -> None:
    kept: list[Transaction] = []

    async def body(tx: Transaction) -> None:
        kept.append(tx)

    await store.transact(body)
    with pytest.raises(AttributeError):
        await kept[0].put("c", b"p", b"", b"v")


async def test_time_never_goes_back(tmp_path: Path) -> None:
    class Wayward(VirtualClock):
        def now(self) -> float:
            return next(times)

    times = iter([100.0, 90.0, 110.0])
    store = await open_sqlite(tmp_path / "wayward", Wayward(), SeededIds(1))

    async def body(tx: Transaction) -> float:
        return tx.now

    assert [await store.transact(body) for _ in range(3)] == [100.0, 100.0, 110.0]
    await store.close()


async def test_log_times_do_not_go_back_over_a_restart(tmp_path: Path) -> None:
    for start in (2000.0, 1000.0, 3000.0):
        store = await open_sqlite(tmp_path / "log", VirtualClock(start), SeededIds(1))
        await call(store, "append", "l", [b"%d" % start])
        times = [entry.time for entry in await call(store, "read", "l")]
        await store.close()
    assert times == [2000.0, 2000.0, 3000.0]


async def test_a_closed_store_is_unavailable(store: SqliteStore) -> None:
    await store.close()
    await store.close()
    with pytest.raises(StoreUnavailable):
        await call(store, "get", "c", b"p")


async def test_only_a_queue_with_moved_work_is_indexed_by_age(store: SqliteStore) -> None:
    def indexed() -> int:
        rows = store._engine.db.execute("SELECT count(*) FROM work WHERE dated").fetchall()
        return int(rows[0][0])

    await call(store, "enqueue", "q", [NewWork(b"new")])
    assert indexed() == 0
    [moved] = await call(store, "enqueue", "q", [NewWork(b"moved", created=5.0)])
    [beside] = await call(store, "enqueue", "q", [NewWork(b"new")])
    await call(store, "enqueue", "other", [NewWork(b"new")])
    assert indexed() == 2
    for id in (moved, beside):
        assert await call(store, "settle", "q", id, None)
    await call(store, "enqueue", "q", [NewWork(b"new")])
    assert indexed() == 0
