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
    """The changes of committed transactions that are not written yet.

    What the last flush took is kept with the versions of the records that it wrote: who reads an
    older one, because the flush is not done or the look was begun before it, adds it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pending: dict[str, dict[str, list[int]]] = {}
        self._taken: dict[str, dict[str, list[int]]] = {}
        self._written: dict[str, int] = {}
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
            version, counts = await _load(tx, table)
            if version < self._written.get(table, version + 1):
                counts = _sum(counts, self._taken.get(table, {}))
            return _sum(counts, self._pending.get(table, {}))

        return await self._store.transact(body)

    async def flush(self) -> None:
        """Write what is pending."""
        if not self._pending:
            self.changed.clear()
            return
        taken, self._pending = self._pending, {}
        self._taken, self._written = taken, {}
        self.changed.clear()

        async def body(tx: Transaction) -> None:
            for table, changes in taken.items():
                _, counts = await _load(tx, table)
                self._written[table] = await _save(tx, table, _sum(counts, changes))

        try:
            await self._store.transact(body)
        except BaseException:
            self._taken = {}
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


async def _load(tx: Transaction, table: str) -> tuple[int, dict[str, Count]]:
    """The version of a table's record, and what it says."""
    record = await tx.get(STATISTICS, table.encode())
    return (0, {}) if record is None else (record.version, _decoder.decode(record.value))


async def _save(tx: Transaction, table: str, counts: dict[str, Count]) -> int:
    return await tx.put(STATISTICS, table.encode(), b"", _encoder.encode(counts))


def _sum(counts: Mapping[str, Count], changes: Mapping[str, list[int]]) -> dict[str, Count]:
    result = dict(counts)
    for index, (items, size) in changes.items():
        known = result.get(index, Count())
        result[index] = Count(max(0, known.items + items), max(0, known.bytes + size))
    return result
