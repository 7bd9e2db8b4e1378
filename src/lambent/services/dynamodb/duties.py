"""What goes on behind the requests: filling new indexes, expiry, and keeping the counts.

Each duty works in small transactions, can be interrupted anywhere, and is taken up again
when the node starts.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any

import msgspec

from lambent.cluster.turns import in_turn
from lambent.core.clock import Clock
from lambent.core.duty import Duty
from lambent.core.errors import StoreUnavailable
from lambent.services.dynamodb import capacity
from lambent.services.dynamodb.background import Background
from lambent.services.dynamodb.changes import (
    EXPIRY_PARTITION,
    FIVE_YEARS,
    Stored,
    add_entry,
    apply_change,
    change_expiry,
    is_expired,
    read_item,
)
from lambent.services.dynamodb.keys import StoreKey
from lambent.services.dynamodb.model import (
    COUNTED,
    STATISTICS,
    TABLES,
    TOKENS,
    Table,
    decode_item,
    decode_table,
    find_table,
    save_table,
    stored_size,
)
from lambent.services.dynamodb.statistics import Count, Ledger, Statistics
from lambent.services.dynamodb.tokens import TOKEN_SECONDS
from lambent.store.contract import Store, Transaction

_BATCH = 200
_FLUSH_SECONDS = 5.0
_SWEEP_SECONDS = 60.0
_RECOUNTS = 5
_RECOUNT_SECONDS = 6 * 3600.0

Position = tuple[bytes, bytes] | None
_log = logging.getLogger("lambent.dynamodb")


class Duties:
    """The background work of one node."""

    def __init__(self, store: Store, clock: Clock, ledger: Ledger) -> None:
        self._store = store
        self._clock = clock
        self._ledger = ledger
        self._background = Background(clock)
        self._started = False
        self._filling: dict[str, set[asyncio.Task[None]]] = {}
        sweep = in_turn(store, "dynamodb.sweep", _SWEEP_SECONDS, self.sweep)
        recount = in_turn(store, "dynamodb.recount", _RECOUNT_SECONDS, self._recount_all)
        self.regular = (
            Duty(
                clock,
                "writing the counts of tables",
                self._flush,
                retry=_FLUSH_SECONDS,
                woken_by=lambda: ledger.changed,
            ),
            Duty(
                clock,
                "deleting expired items",
                sweep,
                retry=_SWEEP_SECONDS,
                first=_SWEEP_SECONDS,
            ),
            Duty(
                clock,
                "counting items",
                recount,
                retry=_RECOUNT_SECONDS,
                first=_RECOUNT_SECONDS,
            ),
        )

    async def start(self) -> None:
        """Take up what an earlier run left; later, when the store cannot write now."""
        self._started = True
        try:
            await self._resume()
        except StoreUnavailable as error:
            _log.warning("background work of DynamoDB is put off: %s", error)
            self._background.begin(self._resume)

    async def _resume(self) -> None:
        counted = await self._store.transact(lambda tx: tx.delete(COUNTED, b""))
        if await self._take_up() and not counted:
            self._background.begin(self._recount_all)

    def members_changed(self) -> None:
        """Another node came or went, perhaps in the middle of a duty."""
        if self._started:
            self._background.begin(self._take_up)

    async def _take_up(self) -> bool:
        """Go on with what is unfinished and not under way here; whether there are tables."""

        async def body(tx: Transaction) -> list[Table]:
            return [decode_table(record) for record in await tx.scan_all(TABLES)]

        tables = await self._store.transact(body)
        for table in tables:
            unfinished = table.ttl_filling or any(index.filling for index in table.indexes)
            if unfinished and table.id not in self._filling:
                self.fill(table)
        return bool(tables)

    async def stop(self) -> None:
        """End all duties; what they were at is taken up by the next start."""
        self._started = False
        await self._background.stop()
        await self._ledger.flush()

        async def body(tx: Transaction) -> None:
            await tx.put(COUNTED, b"", b"", b"")

        await self._store.transact(body)

    def fill(self, table: Table) -> None:
        """Begin to fill the table's new indexes."""
        task = self._background.begin(partial(self._fill, table))
        self._filling.setdefault(table.id, set()).add(task)
        task.add_done_callback(lambda done: self._filled(table.id, done))

    def _filled(self, table_id: str, task: asyncio.Task[None]) -> None:
        tasks = self._filling.get(table_id, set())
        tasks.discard(task)
        if not tasks:
            self._filling.pop(table_id, None)

    async def filled(self, table_id: str) -> None:
        """Wait until the table's new indexes are filled."""
        while tasks := self._filling.get(table_id):
            await asyncio.wait(set(tasks))

    async def _flush(self) -> None:
        await self._clock.sleep(_FLUSH_SECONDS)
        await self._ledger.flush()

    async def _fill(self, table: Table) -> None:
        after: Position = None
        while True:
            position = after

            async def body(tx: Transaction, position: Position = position) -> tuple[Position, bool]:
                return await self._fill_batch(tx, table, position)

            after, done = await self._store.transact(body)
            if done:
                break
            await self._clock.sleep(0)
        await self.recount(table)

    async def _fill_batch(
        self, tx: Transaction, known: Table, after: Position
    ) -> tuple[Position, bool]:
        table = await find_table(tx, known.account, known.region, known.name)
        if table is None or table.id != known.id:
            return None, True
        records = await tx.scan_all(table.items, after=after, limit=_BATCH)
        for record in records:
            key = StoreKey(record.partition, record.sort)
            stored = Stored(decode_item(record.value), stored_size(record.value))
            for index in table.indexes:
                if index.filling:
                    await add_entry(tx, table, index, key, stored)
            if table.ttl_filling:
                await change_expiry(tx, table, key, None, stored.item)
        if len(records) == _BATCH:
            return (records[-1].partition, records[-1].sort), False
        # Only what was filling when this pass began has seen every item.
        begun = {index.id for index in known.indexes if index.filling}
        indexes = tuple(
            msgspec.structs.replace(index, filling=False) if index.id in begun else index
            for index in table.indexes
        )
        filling = table.ttl_filling and not (known.ttl_filling and known.ttl == table.ttl)
        await save_table(tx, msgspec.structs.replace(table, indexes=indexes, ttl_filling=filling))
        return None, True

    async def sweep(self) -> None:
        """Delete expired items, and forget old client request tokens."""

        await self._forget_tokens()

        async def expiring(tx: Transaction) -> list[Table]:
            tables = [decode_table(record) for record in await tx.scan_all(TABLES)]
            return [table for table in tables if table.ttl]

        for table in await self._store.transact(expiring):
            while await self._expire(table):
                await self._clock.sleep(0)

    async def _forget_tokens(self) -> None:
        after: Position = None
        while True:

            async def body(tx: Transaction, after: Position = after) -> Position:
                """Look at some behind a key; the last one's, None when there are no more."""
                tokens = await tx.scan_all(TOKENS, after=after, limit=_BATCH)
                for record in tokens:
                    if int.from_bytes(record.value[:8], "big") < tx.now - TOKEN_SECONDS:
                        await tx.delete(TOKENS, record.partition, record.sort)
                if len(tokens) < _BATCH:
                    return None
                return tokens[-1].partition, tokens[-1].sort

            after = await self._store.transact(body)
            if after is None:
                return
            await self._clock.sleep(0)

    async def _expire(self, known: Table) -> bool:
        async def body(tx: Transaction) -> tuple[bool, Statistics]:
            statistics = Statistics()
            table = await find_table(tx, known.account, known.region, known.name)
            if table is None or table.id != known.id or not table.ttl:
                return False, statistics
            due = await tx.scan(
                table.expiries,
                EXPIRY_PARTITION,
                start=max(0, int(tx.now) - FIVE_YEARS).to_bytes(8, "big"),
                end=int(tx.now).to_bytes(8, "big"),
                limit=_BATCH,
            )
            for record in due:
                length = int.from_bytes(record.value[:4], "big")
                key = StoreKey(record.value[4 : 4 + length], record.value[4 + length :])
                stored = await read_item(tx, table, key)
                if stored is not None and is_expired(table, stored.item, tx.now):
                    meter = capacity.Meter(table)
                    await apply_change(
                        tx, table, key, stored, None, statistics, meter, expired=True
                    )
                await tx.delete(table.expiries, record.partition, record.sort)
            return len(due) == _BATCH, statistics

        more, statistics = await self._store.transact(body)
        self._ledger.add(statistics)
        return more

    async def _recount_all(self) -> None:
        async def body(tx: Transaction) -> list[Table]:
            return [decode_table(record) for record in await tx.scan_all(TABLES)]

        for table in await self._store.transact(body):
            await self.recount(table)

    async def recount(self, table: Table) -> None:
        """Count the table's items and entries afresh.

        A write in between may be counted and added up as well, so what moved is counted once
        more; a table that never rests keeps the small error until the next recount.
        """
        for _ in range(_RECOUNTS):
            moves = self._ledger.moves[table.id]
            await self._recount(table)
            if self._ledger.moves[table.id] == moves:
                return

    async def _recount(self, table: Table) -> None:
        self._ledger.forget(table.id)
        counts = {"": await self._count(table.items)}
        for index in table.indexes:
            counts[index.id] = await self._count(table.entries(index))

        async def body(tx: Transaction) -> None:
            present = await find_table(tx, table.account, table.region, table.name)
            if present is not None and present.id == table.id:
                await self._ledger.replace(tx, table.id, counts)
            else:
                await tx.delete(STATISTICS, table.id.encode())

        await self._store.transact(body)

    async def _count(self, collection: str) -> Count:
        items = size = 0
        after: Position = None
        while True:
            position = after

            async def body(tx: Transaction, position: Position = position) -> Any:
                return await tx.scan_all(collection, after=position, limit=_BATCH)

            records = await self._store.transact(body)
            items += len(records)
            size += sum(stored_size(record.value) for record in records)
            if len(records) < _BATCH:
                return Count(items, size)
            after = (records[-1].partition, records[-1].sort)
            await self._clock.sleep(0)
