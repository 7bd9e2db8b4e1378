"""What begins and ends a transaction travels with its statements, and holds them together."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.support import postgres

from lambent.core.clock import SystemClock
from lambent.core.ids import SystemIds
from lambent.store.backends.places import Folder
from lambent.store.backends.postgresql import open_postgresql
from lambent.store.backends.postgresql.connecting import BEGIN_WRITING, Session, connect, target
from lambent.store.backends.postgresql.flights import Gate, alone
from lambent.store.contract import NewWork, Store, Transaction

from .calls import call

pytestmark = pytest.mark.skipif(
    postgres.programs() is None, reason="no PostgreSQL server is installed"
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    place = Folder(tmp_path / "blobs", sync=False)
    store = await open_postgresql(postgres.cluster().url(), place, SystemClock(), SystemIds())
    yield store
    await store.close()


def _xmin(store: Store, table: str) -> int:
    """The transaction that wrote a table's newest row."""
    schema = re.findall(r"schema (\w+)", store.description)[0]
    found = postgres.cluster().sql(f"SELECT max(xmin::text::bigint) FROM {schema}.{table}")
    return int(found)


async def test_the_first_statement_of_its_kind_is_in_the_transaction_that_holds_the_row(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    first = Session.first

    async def note(self: Any, ahead: bytes) -> Any:
        row = await first(self, ahead)
        if ahead.endswith(BEGIN_WRITING):
            begun.append(row[5] % (1 << 32))
        return row

    monkeypatch.setattr(Session, "first", note)
    await call(store, "enqueue", "q", [NewWork(b"")])
    assert (_xmin(store, "store"), _xmin(store, "work")) == (begun[-1], begun[-1])
    await call(store, "put", "c", b"p", b"s", b"v")
    assert (_xmin(store, "store"), _xmin(store, "record")) == (begun[-1], begun[-1])
    await call(store, "enqueue", "q", [NewWork(b"", group="g")])
    assert (_xmin(store, "work"), _xmin(store, "work_head")) == (begun[-1], begun[-1])


async def test_a_commit_behind_a_statement_that_fails_is_not_reached() -> None:
    session = await connect(target(postgres.cluster().url("public")))
    try:
        await session.ready_for("SELECT 1")
        await session.execute("CREATE TEMPORARY TABLE t (n integer)")
        await session.first(BEGIN_WRITING)
        await session.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(asyncpg.DivisionByZeroError):
            await session.last("SELECT 1 / $1::integer", 0)
        assert session.is_in_transaction()
        await session.execute("ROLLBACK")
        assert await session.fetchval("SELECT count(*) FROM t") == 0
    finally:
        session.terminate()


async def test_who_reads_what_is_known_needs_no_transaction(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await call(store, "put", "c", b"p", b"", b"v")

    async def see(tx: Transaction) -> Any:
        return await tx.get("c", b"p")

    for _ in range(2):
        await store.transact(see)
    sent: list[bytes] = []
    write = Gate.write

    def note(self: Gate, data: Any) -> None:
        sent.append(self.before + bytes(data) + self.behind)
        write(self, data)

    monkeypatch.setattr(Gate, "write", note)
    found = await asyncio.gather(*(store.transact(see) for _ in range(5)))
    assert [record.value for record in found] == [b"v"] * 5
    assert sent
    assert not [one for one in sent if b"BEGIN" in one or b"ROLLBACK" in one]


def test_only_what_ends_with_a_sync_takes_others_along() -> None:
    class Wire:
        def __init__(self) -> None:
            self.sent: list[bytes] = []

        def write(self, data: bytes) -> None:
            self.sent.append(bytes(data))

    wire = Wire()
    gate = Gate(wire)
    gate.before, gate.behind = alone("BEGIN"), alone("COMMIT")
    sync, flush = b"S\0\0\0\4", b"H\0\0\0\4"
    for message in (b"parse" + flush, memoryview(b"execute" + sync), b"more" + sync):
        gate.write(message)
    assert wire.sent == [
        b"parse" + flush,
        alone("BEGIN") + b"execute" + alone("COMMIT") + sync,
        b"more" + sync,
    ]
