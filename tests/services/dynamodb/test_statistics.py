"""The counts of a table are whole at any moment, also while what is pending is being written."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from lambent.core.errors import StoreUnavailable
from lambent.services.dynamodb.statistics import Count, Ledger, Statistics
from lambent.store.contract import Record, Store


class Paused:
    """A store of one transaction after the other that stops where it is told to: before a body
    begins, behind its first look, behind the commit."""

    def __init__(self) -> None:
        self.rows: dict[bytes, Record] = {}
        self.before = self.looked = self.after = _open()
        self.fails = False

    async def transact(self, body: Callable[[Any], Awaitable[Any]]) -> Any:
        after = self.after
        await self.before.wait()
        if self.fails:
            raise StoreUnavailable("no")
        result = await body(self)
        await after.wait()
        return result

    async def get(self, collection: str, partition: bytes) -> Record | None:
        row = self.rows.get(partition)
        await self.looked.wait()
        return row

    async def put(self, collection: str, partition: bytes, sort: bytes, value: bytes) -> int:
        version = max((row.version for row in self.rows.values()), default=0) + 1
        self.rows[partition] = Record(partition, sort, value, version)
        return version


def _open() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


def _added(items: int) -> Statistics:
    statistics = Statistics()
    for _ in range(items):
        statistics.count("t", "", None, 10)
    return statistics


@pytest.fixture
def store() -> Paused:
    return Paused()


@pytest.fixture
async def ledger(store: Paused) -> Ledger:
    ledger = Ledger(cast(Store, store))
    ledger.add(_added(1))
    await ledger.flush()
    ledger.add(_added(2))
    return ledger


async def _items(ledger: Ledger) -> int:
    return (await ledger.counts("t")).get("", Count()).items


async def _begun(work: Awaitable[Any]) -> asyncio.Future[Any]:
    task = asyncio.ensure_future(work)
    for _ in range(5):
        await asyncio.sleep(0)  # noqa: TID251 - a turn of the loop
    return task


async def test_what_a_flush_has_taken_and_not_written_is_counted(
    store: Paused, ledger: Ledger
) -> None:
    store.before = asyncio.Event()
    flush = await _begun(ledger.flush())
    held, store.before = store.before, _open()
    ledger.add(_added(4))
    assert await _items(ledger) == 7
    held.set()
    await flush
    assert await _items(ledger) == 7
    await ledger.flush()
    assert await _items(ledger) == 7


async def test_what_a_flush_has_written_is_not_counted_twice_before_it_returns(
    store: Paused, ledger: Ledger
) -> None:
    store.after = asyncio.Event()
    flush = await _begun(ledger.flush())
    held, store.after = store.after, _open()
    ledger.add(_added(4))
    assert await _items(ledger) == 7
    held.set()
    await flush
    assert await _items(ledger) == 7


async def test_a_look_that_is_older_than_the_flush_misses_nothing(
    store: Paused, ledger: Ledger
) -> None:
    store.looked = asyncio.Event()
    look = await _begun(_items(ledger))
    held, store.looked = store.looked, _open()
    await ledger.flush()
    ledger.add(_added(4))
    held.set()
    assert await look == 7


async def test_a_flush_that_failed_is_pending_again(store: Paused, ledger: Ledger) -> None:
    store.fails = True
    with pytest.raises(StoreUnavailable):
        await ledger.flush()
    store.fails = False
    assert await _items(ledger) == 3
    await ledger.flush()
    assert await _items(ledger) == 3
