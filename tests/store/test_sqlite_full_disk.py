"""No space: StoreUnavailable, nothing half done, and all is well once there is space."""

from __future__ import annotations

import asyncio
import resource
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

from .calls import call, chunks


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await open_sqlite(tmp_path / "data", VirtualClock(), SeededIds(1))
    assert isinstance(store, SqliteStore)
    yield store
    await store.close()


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """Writes beyond `size` bytes of any file fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def pages(store: SqliteStore, count: int) -> None:
    store._engine.db.pragma("max_page_count", count)


async def put_all(store: SqliteStore, numbers: range) -> set[int]:
    """Write each number to records and work; those that were acknowledged."""

    async def write(number: int) -> None:
        async def body(tx: Transaction) -> None:
            await tx.enqueue("q", [NewWork(b"x" * 1000)])
            await tx.put("c", b"%d" % number, b"", b"x" * 1000)

        await store.transact(body)

    outcomes = await asyncio.gather(*(write(n) for n in numbers), return_exceptions=True)
    for outcome in outcomes:
        assert outcome is None or isinstance(outcome, StoreUnavailable)
    return {n for n, outcome in zip(numbers, outcomes, strict=True) if outcome is None}


async def stored(store: SqliteStore) -> set[int]:
    records = {int(record.partition) for record in await call(store, "scan_all", "c")}
    counts = await call(store, "work_counts", "q")
    assert counts.ready == len(await call(store, "browse", "q", limit=10_000)) == len(records)
    return records


async def test_a_full_database_refuses_whole_transactions(store: SqliteStore) -> None:
    pages(store, 100)
    acknowledged: set[int] = set()
    refused = False
    for first in range(0, 400, 10):
        kept = await put_all(store, range(first, first + 10))
        acknowledged |= kept
        refused = refused or len(kept) < 10
        assert await stored(store) == acknowledged
    assert acknowledged and refused


async def test_space_made_is_used_again(store: SqliteStore) -> None:
    pages(store, 60)
    assert len(await put_all(store, range(200))) < 200
    pages(store, 10_000)
    before = await stored(store)
    assert await put_all(store, range(1000, 1010)) == set(range(1000, 1010))
    assert await stored(store) == before | set(range(1000, 1010))


async def test_a_body_that_hides_the_error_is_refused_all_the_same(store: SqliteStore) -> None:
    pages(store, 40)

    async def body(tx: Transaction) -> None:
        for number in range(100):
            try:
                await tx.put("c", b"%d" % number, b"", b"x" * 4000)
            except Exception:
                await tx.put("c", b"-1", b"", b"")

    with pytest.raises(StoreUnavailable):
        await store.transact(body)
    pages(store, 10_000)
    assert await call(store, "count", "c") == 0


async def test_a_failing_commit_fails_all_who_wait(store: SqliteStore, tmp_path: Path) -> None:
    kept = await put_all(store, range(10))
    with files_limited_to((tmp_path / "data" / "lambent.db-wal").stat().st_size):
        assert await put_all(store, range(100, 110)) == set()
    assert await stored(store) == kept == set(range(10))
    assert await put_all(store, range(200, 210)) == set(range(200, 210))
    assert await stored(store) == kept | set(range(200, 210))


async def test_no_space_while_staging_leaves_nothing(store: SqliteStore, tmp_path: Path) -> None:
    with files_limited_to(1_500_000), pytest.raises(StoreUnavailable):
        await store.blobs.stage(chunks(b"x" * 1_000_000, b"x" * 1_000_000))
    assert list((tmp_path / "data" / "blobs").iterdir()) == []


async def test_who_only_reads_is_answered_while_others_cannot_write(store: SqliteStore) -> None:
    kept = await put_all(store, range(10))
    pages(store, 1)

    async def write() -> None:
        async def body(tx: Transaction) -> None:
            await tx.enqueue("q", [NewWork(b"x" * 4000) for _ in range(500)])

        with pytest.raises(StoreUnavailable):
            await store.transact(body)

    async def read() -> int:
        count: int = await call(store, "count", "c")
        return count

    for _ in range(5):
        _, *counts = await asyncio.gather(write(), *(read() for _ in range(5)))
        assert counts == [len(kept)] * 5
