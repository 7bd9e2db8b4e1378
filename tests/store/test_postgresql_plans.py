"""Statements find their rows by the right index, also when they were planned for tables that
were nearly empty then, and read about as much of a large table as of a small one."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.crash.killing import until
from tests.support import postgres
from tests.support.postgres import Cluster

from lambent.core.clock import SystemClock
from lambent.core.ids import SystemIds
from lambent.store.backends.places import Folder
from lambent.store.backends.postgresql import open_postgresql
from lambent.store.contract import NewWork, StagedBlob, Store, Transaction

pytestmark = pytest.mark.skipif(
    postgres.programs() is None, reason="no PostgreSQL server is installed"
)
LARGE = 20_000
MANY = 3_000
"""More rows than `_use` has to read; a statement that goes over one table reads more."""
_TABLES = ("record", "work", "work_head", "work_tenant", "work_fair", "work_depth", "log", "blob")


def _filled(rows: int) -> str:
    """Makes all tables so large. Some items became due since depths were noted."""
    # Not by TRUNCATE, after which all statements would be planned anew.
    some = f"generate_series(1, {rows}) i"
    now = "extract(epoch FROM clock_timestamp())"
    return f"""
        {"; ".join(f"DELETE FROM {table}" for table in _TABLES)};
        DELETE FROM name WHERE number > 2000000;
        INSERT INTO name SELECT 'name ' || i, 2000000 + i FROM {some};
        INSERT INTO record SELECT number, 'p', i::text::bytea, i, NULL, NULL, 'v'
            FROM name, {some} WHERE name = 'c';
        INSERT INTO record SELECT number, 'p' || i::text::bytea, '', i, NULL, NULL, 'v'
            FROM name, {some} WHERE name = 'c';
        INSERT INTO work SELECT number, 1000000 + i, {now} - 100 + i / 1e6, {now} - 100, NULL, 0, 0,
                false, CASE WHEN name = 'fifo' THEN 'g' || i / 2 END,
                CASE WHEN name = 'fair' THEN 't' || i % 2000 END, 'x'
            FROM name, {some} WHERE name IN ('plain', 'fifo', 'fair');
        INSERT INTO work_head
            SELECT queue, grp, min(id), 0 FROM work WHERE grp IS NOT NULL GROUP BY 1, 2;
        INSERT INTO work_tenant SELECT 2000000 + i, 't', i, 0, 0 FROM {some};
        INSERT INTO work_tenant SELECT queue, tenant, min(id), 0, 0
            FROM work WHERE tenant IS NOT NULL GROUP BY 1, 2;
        INSERT INTO work_fair SELECT 2000000 + i, 0 FROM {some};
        INSERT INTO work_fair SELECT number, {now} - 50 FROM name WHERE name = 'fair';
        INSERT INTO work_depth SELECT queue, count(*), count(*) FILTER (WHERE grp IS NULL),
            count(tenant), 0, 0, {now} - 50 FROM work GROUP BY 1;
        INSERT INTO work_depth SELECT 2000000 + i, 1, 1, 0, 0, 0, 0 FROM {some};
        INSERT INTO log SELECT number, 1000000 + i, {now} - 100, 'x' FROM name, {some}
            WHERE name = 'l';
        INSERT INTO blob SELECT 'b' || i, 1, 'x' FROM {some};
        UPDATE store SET next = greatest(next, 5000000);
    """


async def _use(store: Store) -> None:
    """Everything that is frequent, once or twice."""

    async def writes(tx: Transaction) -> None:
        for number in range(3):
            key = b"new%d" % number
            await tx.get("c", key, b"")
            await tx.put("c", key, b"", b"v")
        for number in range(1, 4):
            await tx.delete("c", b"p", b"%d" % number)
        items = [NewWork(b"x") for _ in range(3)]
        await tx.enqueue("plain", items)
        await tx.enqueue("fifo", [NewWork(b"x", group=f"g{number}") for number in range(3)])
        await tx.enqueue("fair", [NewWork(b"x", tenant=f"t{number}") for number in range(3)])
        await tx.append("l", [b"x"])
        await tx.link_blob(StagedBlob("new", 1, b"x"))

    async def reads(tx: Transaction) -> None:
        await tx.scan("c", b"p", start=b"5", limit=10)
        await tx.scan("c", b"p", end=b"9", reverse=True, limit=10)
        await tx.scan_all("c", limit=10)
        await tx.scan_all("c", after=(b"p", b"5"), until=b"q", limit=10)
        await tx.count("c", b"none")
        await tx.browse("plain", limit=10)
        await tx.item("plain", 1_000_005)
        await tx.read("l", limit=10)
        await tx.read("l", limit=10, max_bytes=1000)
        await tx.tail("l", limit=10)
        await tx.position_at("l", 1.0)
        for queue in ("plain", "fifo", "fair"):
            await tx.work_counts(queue)
            await tx.next_due(queue, ordered=queue == "fifo", created_after=1.0)

    async def ends(tx: Transaction) -> None:
        await tx.unlink_blob("new")
        await tx.clear("c", b"new0")
        await tx.clear("c", b"p", limit=10)
        await tx.clear("c", limit=10)
        await tx.trim("l", before=1.0)
        await tx.trim("l", limit=10)
        await tx.drop("plain", created_before=1.0, limit=10)

    await store.transact(writes)
    await store.transact(reads)
    for queue in ("plain", "fifo", "fair"):

        async def claims(tx: Transaction, queue: str = queue) -> list[tuple[int, int]]:
            """Two at a time, of which the third is held."""
            kind = {"ordered": queue == "fifo", "fair": queue == "fair"}
            found = await tx.claim(queue, 4, 30.0, **kind)
            return [(item.id, item.token) for item in found]

        held = await store.transact(claims)

        async def settles(
            tx: Transaction, queue: str = queue, held: list[tuple[int, int]] = held
        ) -> None:
            await tx.settle_all(queue, held[:2])
            for id, token in held[2:3]:
                await tx.extend(queue, id, token, 60.0)
                await tx.rewrite(queue, id, token, b"y")
            for id, token in held[3:]:
                await tx.release(queue, id, token, 0.0)

        await store.transact(settles)
    await store.transact(ends)


@pytest.mark.parametrize("rows", [0, 1, 5, 40])
async def test_what_was_planned_for_small_tables_serves_large_ones(
    tmp_path: Path, rows: int
) -> None:
    cluster, schema = postgres.cluster(), f"planned_{rows}"
    user = f"planner_{rows}"
    cluster.sql(f"CREATE ROLE {user} LOGIN SUPERUSER")
    place = Folder(tmp_path / "blobs", sync=False)
    store = await open_postgresql(cluster.url(schema, user), place, SystemClock(), SystemIds())
    await _use(store)
    for table in (*_TABLES, "name"):
        _run(cluster, schema, f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
    _run(cluster, schema, _filled(rows))
    for table in (*_TABLES, "name"):
        cluster.sql(f"VACUUM ANALYZE {schema}.{table}")
    await _use(store)
    _run(cluster, schema, _filled(LARGE))
    before = _reads(cluster, schema)
    await _use(store)
    await store.close()
    # A session tells what it has read when it ends, at the latest.
    sessions = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{user}'"
    until(lambda: cluster.sql(sessions), lambda left: int(left) == 0)
    reads = {name: count - before[name] for name, count in _reads(cluster, schema).items()}
    assert sum(reads.values()) < MANY, {name: count for name, count in reads.items() if count}


def _run(cluster: Cluster, schema: str, statements: str) -> str:
    return cluster.sql(f"SET search_path = {schema}; {statements}")


def _reads(cluster: Cluster, schema: str) -> dict[str, int]:
    """How many rows were read, by each index."""
    rows = cluster.sql(
        "SELECT indexrelname, idx_tup_read FROM pg_stat_user_indexes"
        f" WHERE schemaname = '{schema}' ORDER BY 1"
    )
    return {name: int(count) for name, _, count in (row.partition("|") for row in rows.split())}
