"""Which blob files lie in the data folder, and when they go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lambent.core.clock import VirtualClock
from lambent.core.ids import SeededIds, SystemIds
from lambent.core.temporary import TemporaryFolder
from lambent.store.backends.sqlite import open_sqlite
from lambent.store.backends.sqlite.blobs import INLINE_BYTES
from lambent.store.backends.sqlite.store import SqliteStore

from .calls import call, chunks, whole

LARGE = b"x" * (INLINE_BYTES + 1)


async def opened(folder: Path, clock: VirtualClock | None = None) -> SqliteStore:
    store = await open_sqlite(folder, clock or VirtualClock(), SystemIds())
    assert isinstance(store, SqliteStore)
    return store


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "blobs").iterdir())


async def test_small_blobs_have_no_file(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    staged = await store.blobs.stage(chunks(LARGE[:-1]))
    assert staged.inline == LARGE[:-1]
    assert files(tmp_path) == []
    await store.close()


async def test_an_unlinked_blobs_file_goes_after_the_commit(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    staged = await store.blobs.stage(chunks(LARGE))
    await call(store, "link_blob", staged)
    assert files(tmp_path) == [staged.id]
    await call(store, "unlink_blob", staged.id)
    await store.close()
    assert files(tmp_path) == []


async def test_orphans_of_an_earlier_run_are_swept(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    kept = await store.blobs.stage(chunks(LARGE))
    await call(store, "link_blob", kept)
    await store.blobs.stage(chunks(LARGE))
    await store.close()
    (tmp_path / "blobs" / "abandoned.part").write_bytes(b"x")
    store = await opened(tmp_path)
    await store._sweep
    assert files(tmp_path) == [kept.id]
    assert await whole(store, kept.id) == LARGE
    await store.close()


async def test_the_sweep_spares_what_is_being_staged(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    release = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"x" * 2_000_000
        await release.wait()

    staging = asyncio.ensure_future(store.blobs.stage(slow()))
    staged = await store.blobs.stage(chunks(LARGE))
    await store.blobs.sweep()
    release.set()
    for blob in (staged, await staging):
        await call(store, "link_blob", blob)
        assert len(await whole(store, blob.id)) == blob.size
    await store.close()


async def test_what_is_never_linked_goes_after_an_hour(tmp_path: Path) -> None:
    clock = VirtualClock()
    store = await opened(tmp_path, clock)
    old = await store.blobs.stage(chunks(LARGE))
    await clock.advance(3599)
    recent = await store.blobs.stage(chunks(LARGE))
    assert files(tmp_path) == sorted([old.id, recent.id])
    await clock.advance(2)
    await store.blobs.stage(chunks(b""))
    assert files(tmp_path) == [recent.id]
    await store.close()


@pytest.mark.parametrize("before", [1, 3_000_000])
async def test_a_cancelled_upload_leaves_nothing(tmp_path: Path, before: int) -> None:
    store = await opened(tmp_path)
    started = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"x" * before
        started.set()
        await asyncio.Event().wait()

    staging = asyncio.ensure_future(store.blobs.stage(endless()))
    await started.wait()
    staging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await staging
    assert files(tmp_path) == []
    await store.close()


async def test_the_blobs_of_a_store_in_memory_go_with_it() -> None:
    store = await open_sqlite(None, VirtualClock(), SeededIds(1))
    assert isinstance(store, SqliteStore)
    await call(store, "link_blob", await store.blobs.stage(chunks(LARGE)))
    assert isinstance(store._lock, TemporaryFolder)
    folder = store._lock.path
    assert list(folder.iterdir())
    await store.close()
    assert not folder.exists()


async def test_a_reading_left_open_ends_quietly_after_close(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    staged = await store.blobs.stage(chunks(LARGE * 100))
    await call(store, "link_blob", staged)
    reading = store.blobs.read(staged.id)
    await anext(reading)
    await store.close()
    await reading.aclose()  # type: ignore[attr-defined]
