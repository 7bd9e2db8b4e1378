"""Copies a table's items: into a backup, or into a table that is restored.

A copy is made in small steps while others write to the table, then what has changed since the
wanted time is taken back (see `history`). It can be cut off anywhere: what was copied twice is
the same, and each step first looks whether the copy is still wanted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

import msgspec

from lambent.core.clock import Clock
from lambent.services.dynamodb import capacity
from lambent.services.dynamodb.background import Jobs
from lambent.services.dynamodb.backups.history import decode_before
from lambent.services.dynamodb.backups.model import (
    BACKUPS,
    Backup,
    decode_backup,
    save_backup,
)
from lambent.services.dynamodb.changes import Stored, apply_change, read_item
from lambent.services.dynamodb.duties import Duties
from lambent.services.dynamodb.keys import StoreKey
from lambent.services.dynamodb.model import (
    TABLES,
    Table,
    decode_item,
    decode_table,
    encode_item,
    find_table,
    save_table,
    scope,
    stored_size,
)
from lambent.services.dynamodb.statistics import Statistics
from lambent.store import removal
from lambent.store.contract import Store, Transaction

_BATCH = 200

Put = Callable[[StoreKey, Stored | None], Awaitable[None]]
"""Makes something the item under a key of the copy; None: nothing."""
Opened = Callable[[Transaction], Awaitable[Put | None]]
"""What writes to the copy in a transaction; None when it is not wanted any more."""


class Origin(NamedTuple):
    """The items to copy, and the changes to take back: those after a place in a log. No log,
    nothing to take back."""

    items: str
    log: str
    after: int


class Copier(Jobs):
    """Makes the copies that one node has begun, or found unfinished."""

    def __init__(self, store: Store, clock: Clock, duties: Duties) -> None:
        super().__init__(clock)
        self._store = store
        self._clock = clock
        self._duties = duties

    def back_up(self, backup: Backup) -> None:
        """Begin to fill a backup."""
        self._begin(backup.id, partial(self._back_up, backup))

    def restore(self, table: Table) -> None:
        """Begin to fill a table."""
        self._begin(table.id, partial(self._restore, table))

    async def _take_up(self) -> None:
        async def body(tx: Transaction) -> tuple[list[Backup], list[Table]]:
            backups = [decode_backup(record) for record in await tx.scan_all(BACKUPS)]
            return backups, [decode_table(record) for record in await tx.scan_all(TABLES)]

        backups, tables = await self._store.transact(body)
        for backup in backups:
            if backup.copying:
                self.back_up(backup)
        for table in tables:
            if table.restoring:
                self.restore(table)

    async def _back_up(self, backup: Backup) -> None:
        async def open_copy(tx: Transaction) -> Put | None:
            return put_into(tx, backup.items) if await _unfinished(tx, backup) else None

        async def finish(tx: Transaction) -> None:
            if await _unfinished(tx, backup):
                await save_backup(tx, msgspec.structs.replace(backup, copying=False))
                await let_go(tx, backup.table, backup.id)

        await self.copy(Origin(backup.table.items, backup.table.history, backup.after), open_copy)
        await self._store.transact(finish)

    async def _restore(self, table: Table) -> None:
        restore = table.restore
        if restore is None:
            return

        async def open_copy(tx: Transaction) -> Put | None:
            if not await _restoring(tx, table):
                return None
            statistics, meter = Statistics(), capacity.Meter(table)

            async def put(key: StoreKey, stored: Stored | None) -> None:
                present = await read_item(tx, table, key)
                await apply_change(tx, table, key, present, stored, statistics, meter)

            return put

        async def finish(tx: Transaction) -> None:
            if await _restoring(tx, table):
                done = msgspec.structs.replace(restore, under_way=False)
                await save_table(tx, msgspec.structs.replace(table, restore=done))
                if restore.log:
                    source = await find_table(tx, table.account, table.region, restore.source)
                    if source is not None:
                        await let_go(tx, source, table.id)

        await self.copy(Origin(restore.items, restore.log, restore.after), open_copy)
        await self._duties.recount(table)
        await self._store.transact(finish)

    async def copy(self, origin: Origin, open_copy: Opened) -> None:
        """Copy all items, and take back what changed since."""
        after: tuple[bytes, bytes] | None = None
        while True:
            position = after

            async def copy(
                tx: Transaction, position: tuple[bytes, bytes] | None = position
            ) -> tuple[bytes, bytes] | None:
                put = await open_copy(tx)
                if put is None:
                    return None
                records = await tx.scan_all(origin.items, after=position, limit=_BATCH)
                for record in records:
                    stored = Stored(decode_item(record.value), stored_size(record.value))
                    await put(StoreKey(record.partition, record.sort), stored)
                full = len(records) == _BATCH
                return (records[-1].partition, records[-1].sort) if full else None

            after = await self._store.transact(copy)
            if after is None:
                break
            await self._clock.sleep(0)
        if origin.log:
            await self._take_back(origin, open_copy)

    async def _take_back(self, origin: Origin, open_copy: Opened) -> None:
        before: int | None = None
        while True:
            position = before

            async def take_back(tx: Transaction, position: int | None = position) -> int | None:
                put = await open_copy(tx)
                if put is None:
                    return None
                entries = await tx.tail(origin.log, before=position, limit=_BATCH)
                for entry in entries:
                    if entry.position <= origin.after:
                        return None
                    was = decode_before(entry)
                    item = was.item
                    await put(was.key, None if item is None else Stored(item, was.size))
                return entries[-1].position if len(entries) == _BATCH else None

            before = await self._store.transact(take_back)
            if before is None:
                return
            await self._clock.sleep(0)


def put_into(tx: Transaction, items: str) -> Put:
    """What writes to a copy that is a collection of its own."""

    async def put(key: StoreKey, stored: Stored | None) -> None:
        if stored is None:
            await tx.delete(items, key.partition, key.sort)
        else:
            value = encode_item(stored.item, stored.size)
            await tx.put(items, key.partition, key.sort, value)

    return put


async def _unfinished(tx: Transaction, backup: Backup) -> bool:
    where = scope(backup.table.account, backup.table.region)
    record = await tx.get(BACKUPS, where, backup.id.encode())
    return record is not None and decode_backup(record).copying


async def _restoring(tx: Transaction, table: Table) -> bool:
    present = await find_table(tx, table.account, table.region, table.name)
    return present is not None and present.id == table.id and present.restoring


async def hold(tx: Transaction, table: Table, copy: str) -> None:
    """Note that a table is being copied: it stays, and its changes are remembered."""
    held = (*table.copies, copy)
    await save_table(tx, msgspec.structs.replace(table, copies=held))


async def let_go(tx: Transaction, known: Table, copy: str) -> None:
    """A copy is done: forget the changes, unless they are remembered for something else."""
    table = await find_table(tx, known.account, known.region, known.name)
    if table is None or table.id != known.id:
        return
    held = tuple(each for each in table.copies if each != copy)
    table = msgspec.structs.replace(table, copies=held)
    await save_table(tx, table)
    if not table.remembered:
        await removal.remove(tx, removal.log(table.history, before=tx.now))
