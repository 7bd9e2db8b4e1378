"""Item counts and sizes of tables and indexes, kept cheaply.

A write does not touch a shared counter: its effect is added up in memory and written now
and then, and added to what a description of the table says. What a crash loses is put right
by a recount at the next start (see `duties`), and by one every six hours, which is how often
DynamoDB itself brings its numbers up to date.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from lambent.services.dynamodb.model import STATISTICS
from lambent.store.contract import Store, Transaction


class Count(NamedTuple):
    """How many items, and their bytes."""

    items: int = 0
    bytes: int = 0


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(dict[str, Count])


class Statistics:
    """What one transaction changed, by table id and index id ("" is the table itself)."""

    __slots__ = ("deltas",)

    def __init__(self) -> None:
        self.deltas: dict[tuple[str, str], list[int]] = {}

    def count(self, table: str, index: str, old: int | None, new: int | None) -> None:
        """An item's size went from `old` to `new`; None where there is no item."""
        delta = self.deltas.setdefault((table, index), [0, 0])
        delta[0] += (new is not None) - (old is not None)
        delta[1] += (new or 0) - (old or 0)


class Ledger:
    """The changes of committed transactions that are not written yet."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pending: dict[str, dict[str, list[int]]] = {}
        self.moves: Counter[str] = Counter()
        """How often each table's counts moved since the start."""
        self.changed = asyncio.Event()
        """Set while something is pending."""

    def add(self, statistics: Statistics) -> None:
        """Take the changes of a transaction that was committed."""
        if statistics.deltas:
            self.changed.set()
        for (table, index), (items, size) in statistics.deltas.items():
            self.moves[table] += 1
            pending = self._pending.setdefault(table, {}).setdefault(index, [0, 0])
            pending[0] += items
            pending[1] += size

    async def counts(self, table: str) -> Mapping[str, Count]:
        """The counts of a table and its indexes, pending changes included."""

        async def body(tx: Transaction) -> dict[str, Count]:
            # Added up here and not after the commit: a flush in between would take what is
            # pending away from what was read.
            return _sum(await _load(tx, table), self._pending.get(table, {}))

        return await self._store.transact(body)

    async def flush(self) -> None:
        """Write what is pending."""
        taken, self._pending = self._pending, {}
        self.changed.clear()
        if not taken:
            return

        async def body(tx: Transaction) -> None:
            for table, changes in taken.items():
                await _save(tx, table, _sum(await _load(tx, table), changes))

        try:
            await self._store.transact(body)
        except BaseException:
            for table, changes in taken.items():
                for index, (items, size) in changes.items():
                    pending = self._pending.setdefault(table, {}).setdefault(index, [0, 0])
                    pending[0] += items
                    pending[1] += size
            self.changed.set()
            raise

    async def replace(self, tx: Transaction, table: str, counts: dict[str, Count]) -> None:
        """Put recounted numbers in place of the stored ones."""
        await _save(tx, table, counts)

    def forget(self, table: str) -> None:
        """Drop what is pending for a table (it is gone, or is being recounted)."""
        self._pending.pop(table, None)


async def _load(tx: Transaction, table: str) -> dict[str, Count]:
    record = await tx.get(STATISTICS, table.encode())
    return _decoder.decode(record.value) if record is not None else {}


async def _save(tx: Transaction, table: str, counts: dict[str, Count]) -> None:
    await tx.put(STATISTICS, table.encode(), b"", _encoder.encode(counts))


def _sum(counts: Mapping[str, Count], changes: Mapping[str, list[int]]) -> dict[str, Count]:
    result = dict(counts)
    for index, (items, size) in changes.items():
        known = result.get(index, Count())
        result[index] = Count(max(0, known.items + items), max(0, known.bytes + size))
    return result
