"""One schema for nodes of several versions: made once, upgraded once, and who is too old is
told so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support import postgres

from lambent.core.clock import SystemClock
from lambent.core.errors import StartupError, StoreUnavailable
from lambent.core.ids import SystemIds
from lambent.store.backends.places import Folder
from lambent.store.backends.postgresql import open_postgresql
from lambent.store.backends.postgresql.connecting import connect, target
from lambent.store.backends.postgresql.schema import SCHEMA, STEPS, Step, migrate
from lambent.store.contract import NewWork, Store

from .calls import call

pytestmark = pytest.mark.skipif(
    postgres.programs() is None, reason="no PostgreSQL server is installed"
)


class Database:
    """A schema of its own, and the stores opened on it."""

    def __init__(self, folder: Path) -> None:
        self.url = postgres.cluster().url()
        self.schema = target(self.url).schema
        self._folder = folder
        self._stores: list[Store] = []

    async def open(self) -> Store:
        place = Folder(self._folder / "blobs", sync=False)
        store = await open_postgresql(self.url, place, SystemClock(), SystemIds())
        self._stores.append(store)
        return store

    async def upgrade(self, minimum: int) -> None:
        """As the next version would."""
        next_step = Step(minimum, "CREATE TABLE next_version (one boolean)")
        connection = await connect(target(self.url))
        try:
            await migrate(connection, self.schema, (*STEPS, next_step))
        finally:
            await connection.close()

    def state(self) -> str:
        return postgres.cluster().sql(f"SELECT version, minimum FROM {self.schema}.store").strip()

    async def close(self) -> None:
        for store in self._stores:
            await store.close()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path)
    yield database
    await database.close()


async def _works(store: Store) -> bool:
    await call(store, "put", "c", b"p", b"s", b"v")
    return (await call(store, "get", "c", b"p", b"s")).value == b"v"


async def test_nodes_that_start_at_once_make_the_schema_once(database: Database) -> None:
    stores = await asyncio.gather(*(database.open() for _ in range(5)))
    assert all([await _works(store) for store in stores])
    assert database.state() == f"{SCHEMA}|{STEPS[-1].minimum}"


async def test_the_previous_version_goes_on_beside_one_that_allows_it(database: Database) -> None:
    running = await database.open()
    await database.upgrade(minimum=SCHEMA)
    assert database.state() == f"{SCHEMA + 1}|{SCHEMA}"
    assert await _works(running)
    assert await _works(await database.open())


async def test_a_node_that_became_too_old_says_so_and_writes_nothing(database: Database) -> None:
    running = await database.open()
    assert await _works(running)
    await database.upgrade(minimum=SCHEMA + 1)
    with pytest.raises(StoreUnavailable, match="newer version of Lambent"):
        await call(running, "put", "c", b"p", b"late", b"v")
    with pytest.raises(StartupError, match="was made by a newer version of Lambent"):
        await database.open()
    assert database.state() == f"{SCHEMA + 1}|{SCHEMA + 1}"
    rows = postgres.cluster().sql(f"SELECT count(*) FROM {database.schema}.record")
    assert rows.strip() == "1"


async def test_the_tenants_of_an_earlier_schema_keep_their_places(database: Database) -> None:
    """Of a and b, who have something due, b holds less; c has something due later."""
    connection = await connect(target(database.url))
    await migrate(connection, database.schema, STEPS[:2])
    await connection.close()
    now = "extract(epoch FROM clock_timestamp())"
    items = {1: ("a", 60, True), 2: ("a", -9, False), 3: ("b", -9, False), 4: ("c", 60, False)}
    rows = ", ".join(
        f"(7, {id}, {now} + {due}, {now}, 0, 1, {leased}, '{tenant}', '{tenant}{id}')"
        for id, (tenant, due, leased) in items.items()
    )
    postgres.cluster().sql(
        f"SET search_path = {database.schema};"
        "INSERT INTO name VALUES ('q', 7);"
        "INSERT INTO work (queue, id, due, created, token, attempts, leased, tenant, payload)"
        f" VALUES {rows};"
        "INSERT INTO work_tenant VALUES (7, 'a', 1);"
        f"INSERT INTO work_depth VALUES (7, 4, 4, 4, 1, 1, {now} - 9);"
        f"UPDATE store SET next = 1000, last = {now} - 9"
    )
    store = await database.open()
    claimed = await call(store, "claim", "q", 9, 60.0, fair=True)
    assert [work.payload for work in claimed] == [b"b3", b"a2"]
    await call(store, "enqueue", "q", [NewWork(b"c5", tenant="c"), NewWork(b"b6", tenant="b")])
    claimed = await call(store, "claim", "q", 9, 60.0, fair=True)
    assert [work.payload for work in claimed] == [b"c5", b"b6"]


async def test_the_schema_of_another_program_is_left_alone(database: Database) -> None:
    server = postgres.cluster()
    server.sql(f"CREATE SCHEMA {database.schema}")
    with pytest.raises(StartupError, match="is not Lambent's"):
        await database.open()
    tables = f"SELECT count(*) FROM pg_tables WHERE schemaname = '{database.schema}'"
    assert server.sql(tables).strip() == "0"


async def test_an_upgrade_waits_for_what_runs_without_standing_in_its_way(
    database: Database,
) -> None:
    assert await _works(await database.open())
    node = await connect(target(database.url))
    upgrading = await connect(target(database.url))
    step = Step(SCHEMA, "ALTER TABLE record ADD more text; ALTER TABLE store ADD more text")
    waits = (
        f"SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = {upgrading.get_server_pid()}"
    )
    try:
        async with node.transaction():
            await node.fetchrow("SELECT next FROM store")  # as every transaction begins
            migration = asyncio.ensure_future(migrate(upgrading, database.schema, (*STEPS, step)))
            while not await node.fetchval(waits):
                assert not migration.done()
            await node.fetch("SELECT * FROM record", timeout=5)
        await migration
    finally:
        await node.close()
        await upgrading.close()
    assert database.state() == f"{SCHEMA + 1}|{SCHEMA}"
