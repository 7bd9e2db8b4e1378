"""A read sees what was acknowledged before it began, whoever else reads at that moment."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.support import postgres

from lambent.core.clock import SystemClock
from lambent.core.ids import SystemIds
from lambent.store.backends.places import Folder
from lambent.store.backends.postgresql import open_postgresql
from lambent.store.backends.postgresql.connecting import BEGIN_READING, Session
from lambent.store.contract import Store, Transaction

pytestmark = pytest.mark.skipif(
    postgres.programs() is None, reason="no PostgreSQL server is installed"
)


async def _append(store: Store, value: bytes) -> None:
    async def body(tx: Transaction) -> None:
        await tx.append("l", [value])

    await store.transact(body)


async def _read(store: Store) -> list[bytes]:
    async def body(tx: Transaction) -> list[bytes]:
        return [entry.value for entry in await tx.read("l")]

    return await store.transact(body)


async def test_a_read_does_not_join_a_snapshot_from_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Folder(tmp_path / "blobs", sync=False)
    store = await open_postgresql(postgres.cluster().url(), place, SystemClock(), SystemIds())
    await _append(store, b"before")
    first = Session.first
    late: list[asyncio.Task[Any]] = []

    appended = asyncio.Event()

    async def _append_and_read() -> Any:
        await _append(store, b"after")
        reading = asyncio.create_task(_read(store))
        await asyncio.wait({reading}, timeout=0)  # it waits in line now
        appended.set()
        return await reading

    async def slow(self: Any, ahead: bytes) -> Any:
        row = await first(self, ahead)
        if ahead.endswith(BEGIN_READING) and not late:
            # This reader has its snapshot. Now something is acknowledged, and then read.
            late.append(asyncio.create_task(_append_and_read()))
            await appended.wait()
            await self.fetchrow("SELECT 1")
        return row

    monkeypatch.setattr(Session, "first", slow)
    assert await _read(store) == [b"before"]
    assert await late[0] == [b"before", b"after"]
    await store.close()
