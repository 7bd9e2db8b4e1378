"""The embedded store: puts the engine, the group commit and the blob files together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import apsw

from lambent.core.clock import Clock
from lambent.core.errors import StoreUnavailable
from lambent.core.ids import Ids
from lambent.core.temporary import TemporaryFolder
from lambent.store.backends.files import sync_folder
from lambent.store.backends.sqlite.blobs import BlobFiles, BlobLinks
from lambent.store.backends.sqlite.commit import GroupCommit
from lambent.store.backends.sqlite.engine import Away, Effects, Engine
from lambent.store.backends.sqlite.folder import (
    FolderLock,
    make_folder,
    open_database,
    refuse_blobs_alone,
)
from lambent.store.backends.sqlite.folding import Folding
from lambent.store.backends.sqlite.log import Logs
from lambent.store.backends.sqlite.records import Records
from lambent.store.backends.sqlite.work import WorkQueues
from lambent.store.backends.wakeups import Wakeups
from lambent.store.contract import Commits, Store, Transaction

T = TypeVar("T")

_AGAIN = 5
"""How often a body that changes nothing is run again when what it saw was undone."""


class SqliteTransaction(Records, WorkQueues, Logs, BlobLinks):
    """A transaction: its four parts side by side."""

    __slots__ = ()


class SqliteStore:
    """A store in one SQLite file; see `open_sqlite`."""

    def __init__(
        self,
        db: apsw.Connection,
        blob_folder: Path,
        clock: Clock,
        ids: Ids,
        data_dir: Path | None,
        lock: FolderLock | TemporaryFolder,
    ) -> None:
        self.description = f"sqlite {data_dir or ':memory:'}"
        self.shared = False
        self._db = db
        self._engine = Engine(db, clock)
        loop = asyncio.get_running_loop()
        self._commits = GroupCommit(self._engine, Folding(db), loop, clock, self._published)
        self._arrivals = Wakeups()
        self._growth = Wakeups()
        self.blobs = BlobFiles(
            blob_folder, self._engine, clock, ids, self._commits, sync=data_dir is not None
        )
        self._lock = lock
        self._sweep = loop.create_task(self.blobs.sweep())
        self._closed = False

    async def transact(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        engine = self._engine
        again = _AGAIN
        while True:
            if self._closed:
                raise StoreUnavailable("The store is closed.")
            if engine.running:
                raise RuntimeError("transact was called inside a transaction's body")
            tx = SqliteTransaction(engine, engine.now())
            failure: BaseException | None = None
            try:
                result = engine.run(body, tx)
            except Away:
                await self._commits.connection()
                continue
            except BaseException as error:
                failure = error
            finally:
                del tx._engine
            wrote = engine.wrote
            try:
                # What the body saw must be durable before it is told, also when it failed.
                if engine.open or engine.away:
                    await self._commits.durable()
                if failure is not None:
                    raise failure
            except StoreUnavailable:
                # That others cannot write is no reason not to read.
                if wrote or not again:
                    raise
                again -= 1
                continue
            return result

    @property
    def committed(self) -> Commits:
        return Commits(self._commits.commits, self._commits.waited)

    def work_arrived(self, queue: str) -> asyncio.Event:
        return self._arrivals.event(queue)

    def log_grew(self, log: str) -> asyncio.Event:
        return self._growth.event(log)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._sweep.cancel()
        await asyncio.gather(self._sweep, return_exceptions=True)
        await self._commits.close()
        await asyncio.get_running_loop().run_in_executor(None, self.blobs.close)
        self._db.close()
        self._lock.release()

    def _published(self, effects: Effects) -> None:
        for queue in effects.arrived:
            self._arrivals.wake(queue)
        for log in effects.grew:
            self._growth.wake(log)
        if effects.links:
            self.blobs.committed(effects.links)


async def open_sqlite(data_dir: Path | None, clock: Clock, ids: Ids) -> Store:
    """Open the store of a data folder, making it if need be; None: nothing is kept.

    StartupError when the folder is in use, cannot be written to, or is too new.
    """
    if data_dir is None:
        folder = TemporaryFolder("lambent-blobs-")
        return SqliteStore(open_database(None), folder.path, clock, ids, None, folder)
    lock = FolderLock(data_dir)
    try:
        blob_folder = make_folder(data_dir / "blobs")
        refuse_blobs_alone(data_dir)
        db = open_database(data_dir)
        # The files' bytes are synced as they are written; their names are synced here.
        for each in (data_dir, data_dir.parent):
            sync_folder(each)
        return SqliteStore(db, blob_folder, clock, ids, data_dir, lock)
    except BaseException:
        lock.release()
        raise
