"""The backends under test. A new backend is one more entry in `BACKENDS`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tests.support import buckets, postgres

from lambent.core.clock import Clock
from lambent.core.ids import Ids
from lambent.store.backends.bucket import open_bucket
from lambent.store.backends.places import Folder
from lambent.store.backends.postgresql import open_postgresql
from lambent.store.backends.sqlite import open_sqlite
from lambent.store.backends.sqlite.store import SqliteStore
from lambent.store.contract import Store


@dataclass(frozen=True)
class Backend:
    """How to open a store in a folder of its own.

    `virtual_time` is whether the store takes its time from the clock it is given; the tests
    that drive time need that. `missing` is why it cannot be tested here.
    """

    name: str
    open: Callable[[Path, Clock, Ids], Awaitable[Store]]
    virtual_time: bool
    missing: str = ""


async def _in_memory(folder: Path, clock: Clock, ids: Ids) -> Store:
    return await open_sqlite(None, clock, ids)


async def _in_thread(folder: Path, clock: Clock, ids: Ids) -> Store:
    """Every commit is written by the thread."""
    store = await open_sqlite(folder, clock, ids)
    assert isinstance(store, SqliteStore)
    store._commits.rule = lambda *_: True
    return store


async def _postgresql(folder: Path, clock: Clock, ids: Ids) -> Store:
    place = Folder(folder / "blobs", sync=False)
    return await open_postgresql(postgres.cluster().url(), place, clock, ids, own_time=True)


async def _bucket(folder: Path, clock: Clock, ids: Ids) -> Store:
    """With its blobs in a bucket of a node of our own."""
    place = open_bucket(buckets.url())
    return await open_postgresql(postgres.cluster().url(), place, clock, ids, own_time=True)


BACKENDS = (
    Backend("sqlite", open_sqlite, virtual_time=True),
    Backend("sqlite-memory", _in_memory, virtual_time=True),
    Backend("sqlite-thread", _in_thread, virtual_time=True),
    Backend(
        "postgresql",
        _postgresql,
        virtual_time=True,
        missing="" if postgres.programs() else "no PostgreSQL server is installed",
    ),
)

BUCKET = Backend(
    "postgresql-bucket",
    _bucket,
    virtual_time=True,
    missing="" if postgres.programs() else "no PostgreSQL server is installed",
)
"""For the blobs' tests: everything else is as in "postgresql"."""
