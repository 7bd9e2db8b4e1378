"""Opening data folders: new, old, in use, damaged, too new."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import apsw
import pytest

from lambent.core.clock import VirtualClock
from lambent.core.errors import StartupError
from lambent.core.ids import SeededIds
from lambent.store.backends.sqlite import open_sqlite
from lambent.store.backends.sqlite.schema import APPLICATION_ID, STEPS, migrate
from lambent.store.contract import NewWork, Store

from .calls import call, chunks


async def opened(folder: Path | None) -> Store:
    return await open_sqlite(folder, VirtualClock(), SeededIds(1))


async def test_what_was_written_is_there_after_reopening(tmp_path: Path) -> None:
    store = await opened(tmp_path / "new" / "folder")
    version = await call(store, "put", "c", b"p", b"s", b"v")
    await store.close()
    store = await opened(tmp_path / "new" / "folder")
    assert (await call(store, "get", "c", b"p", b"s")).value == b"v"
    assert await call(store, "put", "c", b"p", b"s", b"v") > version
    await store.close()


async def test_depths_and_numbers_go_on_after_reopening(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    ids = await call(store, "enqueue", "q", [NewWork(b"1"), NewWork(b"2"), NewWork(b"3", delay=9)])
    [work] = await call(store, "claim", "q", 1, 30)
    await store.close()
    store = await opened(tmp_path)
    counts = await call(store, "work_counts", "q")
    assert (counts.ready, counts.leased, counts.delayed) == (1, 1, 1)
    [again] = await call(store, "claim", "q", 1, 30)
    assert again.token > work.token
    assert await call(store, "enqueue", "q", [NewWork(b"4")]) > ids[-1:]
    assert await call(store, "settle", "q", work.id, work.token)
    await store.close()


async def test_the_folder_is_its_owners_alone(tmp_path: Path) -> None:
    store = await opened(tmp_path / "data")
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0
    await store.close()


async def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    with pytest.raises(StartupError, match=r"is in use by another Lambent node \(process \d+\)\."):
        await opened(tmp_path)
    await store.close()
    await (await opened(tmp_path)).close()


async def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartupError, match="cannot be written to: Not a directory"):
        await opened(tmp_path / "file" / "data")
    with pytest.raises(StartupError, match="file is no folder"):
        await opened(tmp_path / "file")


async def test_a_disk_with_no_room_for_a_process_number_is_locked_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.pwrite", full)
    store = await opened(tmp_path)
    with pytest.raises(StartupError, match=r"is in use by another Lambent node\."):
        await opened(tmp_path)
    await store.close()


@pytest.mark.parametrize("left", ["nothing", "an empty file"])
async def test_blobs_whose_database_is_gone_are_left_alone(tmp_path: Path, left: str) -> None:
    store = await opened(tmp_path)
    blob = await store.blobs.stage(chunks(b"x" * 100_000))
    await call(store, "link_blob", blob)
    await store.close()
    (tmp_path / "lambent.db").unlink()
    if left == "an empty file":
        (tmp_path / "lambent.db").touch()
    with pytest.raises(StartupError, match="holds blobs but no database"):
        await opened(tmp_path)
    assert os.listdir(tmp_path / "blobs") == [blob.id]


async def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    await (await opened(tmp_path)).close()
    db = apsw.Connection(str(tmp_path / "lambent.db"))
    db.pragma("user_version", len(STEPS) + 1)
    db.close()
    for _ in range(2):
        with pytest.raises(StartupError, match="made by a newer version of Lambent"):
            await opened(tmp_path)


async def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lambent.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(StartupError, match="holds a damaged database"):
        await opened(tmp_path)


@pytest.mark.parametrize("version", [0, 1])
async def test_another_programs_database_is_refused(tmp_path: Path, version: int) -> None:
    db = apsw.Connection(str(tmp_path / "lambent.db"))
    db.execute("CREATE TABLE theirs (x)")
    db.pragma("user_version", version)
    db.close()
    with pytest.raises(StartupError, match="another program's database"):
        await opened(tmp_path)


def test_an_older_schema_has_the_missing_steps_run_once() -> None:
    db = apsw.Connection(":memory:")
    steps = ("CREATE TABLE a (x)", "CREATE TABLE b (x)")
    migrate(db, None, steps[:1])
    migrate(db, None, steps)
    migrate(db, None, steps)
    assert db.pragma("user_version") == 2
    assert db.pragma("application_id") == APPLICATION_ID


async def test_work_of_an_older_schema_keeps_its_age_and_its_order(tmp_path: Path) -> None:
    db = apsw.Connection(str(tmp_path / "lambent.db"))
    migrate(db, None, STEPS[:2])
    db.execute("INSERT INTO name VALUES (1, 'q')")
    for id, created in ((1, 70.0), (2, 50.0), (3, 60.0)):
        db.execute(
            "INSERT INTO work (queue, id, due, leased, created, token, attempts)"
            " VALUES (1, ?, ?, 0, ?, 0, 0)",
            (id, created, created),
        )
        db.execute("INSERT INTO work_payload VALUES (?, ?)", (id, b"%d" % id))
    db.execute("INSERT INTO work_depth VALUES (1, 3, 3, 0, 0, 70.0, 0)")
    db.execute("UPDATE sequence SET reserved = 4")
    db.close()
    store = await opened(tmp_path)
    [new] = await call(store, "enqueue", "q", [NewWork(b"new")])
    assert (await call(store, "work_counts", "q")).oldest == 50.0
    for id in (2, 3, 1, new):
        before = [work.id for work in await call(store, "browse", "q")]
        assert await call(store, "drop", "q", created_before=1e12, limit=1) == 1
        before.remove(id)
        assert [work.id for work in await call(store, "browse", "q")] == before
    assert (await call(store, "work_counts", "q")).ready == 0
    await store.close()


def test_a_failing_step_undoes_all_of_them() -> None:
    db = apsw.Connection(":memory:")
    with pytest.raises(apsw.SQLError):
        migrate(db, None, ("CREATE TABLE a (x)", "CREATE TABEL"))
    assert db.pragma("user_version") == 0
    assert db.execute("SELECT name FROM sqlite_master").fetchall() == []


async def test_only_the_owner_can_read_the_data_in_whatever_folder(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o755)
    store = await opened(folder)
    await call(store, "put", "c", b"p", b"s", b"secret")
    modes = {path.name: path.stat().st_mode & 0o077 for path in folder.iterdir()}
    assert {"lambent.db", "lambent.db-wal", "lock"} <= modes.keys()
    assert set(modes.values()) == {0}
    await store.close()
    (folder / "lambent.db").chmod(0o644)
    store = await opened(folder)
    assert (folder / "lambent.db").stat().st_mode & 0o077 == 0
    await store.close()
