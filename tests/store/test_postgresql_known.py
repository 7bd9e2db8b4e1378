"""What a node keeps in memory of records never hides what another node has changed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import postgres

from lambent.core.clock import SystemClock
from lambent.core.ids import SystemIds
from lambent.store.backends.places import Folder
from lambent.store.backends.postgresql import open_postgresql
from lambent.store.backends.postgresql.connecting import Session
from lambent.store.contract import ABSENT, NewWork, Store, Transaction

from .calls import call

pytestmark = pytest.mark.skipif(
    postgres.programs() is None, reason="no PostgreSQL server is installed"
)


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[tuple[Store, Store]]:
    """Two nodes' stores on one schema."""
    url = postgres.cluster().url()
    place = Folder(tmp_path / "blobs", sync=False)
    stores = [await open_postgresql(url, place, SystemClock(), SystemIds()) for _ in range(2)]
    yield stores[0], stores[1]
    for store in stores:
        await store.close()


async def _send(tx: Transaction) -> bytes | None:
    """A body that writes, upon a definition that it reads."""
    record = await tx.get("definitions", b"a")
    await tx.enqueue("q", [NewWork(b"m")])
    return None if record is None else record.value


async def _see(store: Store, key: bytes = b"a") -> bytes | None:
    record = await call(store, "get", "definitions", key)
    return None if record is None else record.value


async def test_a_change_elsewhere_is_seen_by_the_next_transaction(two: tuple[Store, Store]) -> None:
    one, other = two
    await call(one, "put", "definitions", b"a", b"", b"0")
    for number in range(1, 20):
        before = str(number - 1).encode()
        assert [await _see(other), await other.transact(_send)] == [before, before]
        await call(one, "put", "definitions", b"a", b"", str(number).encode())
        after = str(number).encode()
        assert [await _see(other), await other.transact(_send)] == [after, after]


async def test_what_is_removed_elsewhere_is_gone(two: tuple[Store, Store]) -> None:
    one, other = two
    for remove in (("delete", "definitions", b"a"), ("clear", "definitions")):
        await call(one, "put", "definitions", b"a", b"", b"v", expect=ABSENT)
        assert [await _see(other), await other.transact(_send)] == [b"v", b"v"]
        await call(one, *remove)
        assert [await _see(other), await other.transact(_send)] == [None, None]


async def test_a_body_sees_what_it_cleared_itself(two: tuple[Store, Store]) -> None:
    store, other = two
    await call(store, "put", "definitions", b"a", b"", b"v")
    assert await _see(store) == b"v"

    async def body(tx: Transaction) -> list[bool]:
        await tx.clear("definitions")
        cleared = await tx.get("definitions", b"a") is None
        await tx.put("definitions", b"a", b"", b"w")
        return [cleared, await tx.get("definitions", b"a") is not None]

    assert await store.transact(body) == [True, True]
    assert await _see(store) == await _see(other) == b"w"


async def test_what_was_rolled_back_is_not_remembered(two: tuple[Store, Store]) -> None:
    store, _ = two
    await call(store, "put", "definitions", b"a", b"", b"v")

    async def body(tx: Transaction) -> None:
        await tx.clear("definitions")
        assert await tx.get("definitions", b"a") is None
        raise LookupError

    for _ in range(2):
        with pytest.raises(LookupError):
            await store.transact(body)
        assert await _see(store) == b"v"


async def test_an_unchanged_record_is_asked_for_once(two: tuple[Store, Store]) -> None:
    store, _ = two
    await call(store, "put", "definitions", b"a", b"", b"v")
    assert await store.transact(_send) == b"v"
    # Past Lambent, so without a stamp: whoever asked the database would see it.
    schema = re.findall(r"schema (\w+)", store.description)[0]
    postgres.cluster().sql(f"UPDATE {schema}.record SET value = 'other'")
    assert await store.transact(_send) == await _see(store) == b"v"
    await call(store, "put", "definitions", b"b", b"", b"w")
    assert await store.transact(_send) == await _see(store) == b"other"


async def test_who_settles_a_claim_asks_once_and_sees_what_others_did(
    two: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = two
    await call(store, "enqueue", "q", [NewWork(b"")] * 10)
    claimed = await call(store, "claim", "q", 10, 30)
    assert await call(other, "settle", "q", claimed[3].id, claimed[3].token)
    asked: list[str] = []
    fetch = Session.fetch

    async def note(self: Any, query: str, *args: Any, **more: Any) -> Any:
        asked.append(query)
        return await fetch(self, query, *args, **more)

    async def settle(tx: Transaction) -> list[bool]:
        return [await tx.settle("q", item.id, item.token) for item in claimed]

    monkeypatch.setattr(Session, "fetch", note)
    assert await store.transact(settle) == [index != 3 for index in range(10)]
    assert len([query for query in asked if "JOIN work" in query]) <= 2  # to read, then to write
    assert (await call(store, "work_counts", "q")).leased == 0
