"""The one way by which items change.

`apply_change` writes the item, its index entries and its expiry, counts what changed, and
adds the change to the table's stream, all in the transaction that it is given.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from lambent.services.dynamodb import capacity
from lambent.services.dynamodb.backups.history import remember
from lambent.services.dynamodb.keys import StoreKey, entry_key, escape
from lambent.services.dynamodb.model import Index, Table, decode_item, encode_item, stored_size
from lambent.services.dynamodb.statistics import Statistics
from lambent.services.dynamodb.streams.records import append_change
from lambent.services.dynamodb.values import Item, item_size
from lambent.store.contract import Transaction


class Stored(NamedTuple):
    """An item as it was read, with its size by DynamoDB's rules."""

    item: Item
    size: int


async def read_item(tx: Transaction, table: Table, key: StoreKey) -> Stored | None:
    """The item under a key, or None."""
    record = await tx.get(table.items, key.partition, key.sort)
    if record is None:
        return None
    return Stored(decode_item(record.value), stored_size(record.value))


async def apply_change(
    tx: Transaction,
    table: Table,
    key: StoreKey,
    old: Stored | None,
    new: Stored | None,
    statistics: Statistics,
    meter: capacity.Meter,
    *,
    factor: int = 1,
    expired: bool = False,
) -> None:
    """Make `new` (None: nothing) the item under `key`, where `old` was.

    Units are counted on `meter`, `factor` times (2 in transactions). `expired` when time to
    live does it.
    """
    larger = max(old.size if old else 0, new.size if new else 0)
    meter.write(capacity.write_units(larger) * factor)
    if old is not None and new is not None and old.item == new.item:
        return
    if new is not None:
        await tx.put(table.items, key.partition, key.sort, encode_item(new.item, new.size))
    elif old is not None:
        await tx.delete(table.items, key.partition, key.sort)
    else:
        return
    statistics.count(table.id, "", old.size if old else None, new.size if new else None)
    for index in table.indexes:
        await _change_entry(tx, table, index, key, old, new, statistics, meter, factor)
    if table.ttl:
        await change_expiry(tx, table, key, old.item if old else None, new.item if new else None)
    if table.remembered:
        log, size = table.history, old.size if old else 0
        await remember(tx, log, key, old.item if old else None, size)
    if table.stream_view:
        before, after = old.item if old else None, new.item if new else None
        await append_change(tx, table, before, after, expired=expired)


async def _change_entry(
    tx: Transaction,
    table: Table,
    index: Index,
    key: StoreKey,
    old: Stored | None,
    new: Stored | None,
    statistics: Statistics,
    meter: capacity.Meter,
    factor: int,
) -> None:
    before = entry_key(table, index, key, old.item) if old else None
    after = entry_key(table, index, key, new.item) if new else None
    if before is None and after is None:
        return
    was = project(table, index, old) if old and before is not None else None
    now = project(table, index, new) if new and after is not None else None
    if before == after and was is not None and now is not None and was.item == now.item:
        return
    collection = table.entries(index)
    if before is not None and before != after:
        await tx.delete(collection, before.partition, before.sort)
        if was is not None:
            meter.write(capacity.write_units(was.size) * factor, index.name)
    if after is not None and now is not None:
        await tx.put(collection, after.partition, after.sort, encode_item(now.item, now.size))
        larger = max(now.size, was.size if was and before == after else 0)
        meter.write(capacity.write_units(larger) * factor, index.name)
    if not index.filling:
        statistics.count(table.id, index.id, was.size if was else None, now.size if now else None)


async def add_entry(
    tx: Transaction,
    table: Table,
    index: Index,
    key: StoreKey,
    stored: Stored,
) -> None:
    """Put an existing item into a new index, which is counted once it is filled."""
    where = entry_key(table, index, key, stored.item)
    if where is None:
        return
    entry = project(table, index, stored)
    await tx.put(
        table.entries(index), where.partition, where.sort, encode_item(entry.item, entry.size)
    )


def project(table: Table, index: Index, stored: Stored) -> Stored:
    """What of an item an index holds."""
    if index.projection == "ALL":
        return stored
    names = projected(table, index)
    item = {name: value for name, value in stored.item.items() if name in names}
    return Stored(item, item_size(item))


def projected(table: Table, index: Index) -> frozenset[str]:
    """The attributes that an index of KEYS_ONLY or INCLUDE holds."""
    return frozenset((*table.key.attributes, *index.key.attributes, *index.included))


EXPIRY_PARTITION = b"ttl"
FIVE_YEARS = 5 * 365 * 24 * 3600


def expiry(table: Table, item: Item) -> int | None:
    """When the item expires, in whole seconds since the epoch; None when it does not."""
    value = item.get(table.ttl)
    if value is None or "N" not in value:
        return None
    seconds = int(Decimal(value["N"]))
    return seconds if 0 < seconds < 1 << 62 else None


def is_expired(table: Table, item: Item, now: float) -> bool:
    """Whether time to live removes the item now; what is five years overdue stays."""
    due = expiry(table, item)
    return due is not None and now - FIVE_YEARS < due < now


async def change_expiry(
    tx: Transaction, table: Table, key: StoreKey, old: Item | None, new: Item | None
) -> None:
    """Keep the list of expiries true."""
    before = expiry(table, old) if old is not None else None
    after = expiry(table, new) if new is not None else None
    if before == after:
        return
    tail = escape(key.partition) + b"\x00\x01" + key.sort
    if before is not None:
        await tx.delete(table.expiries, EXPIRY_PARTITION, before.to_bytes(8, "big") + tail)
    if after is not None:
        value = len(key.partition).to_bytes(4, "big") + key.partition + key.sort
        await tx.put(table.expiries, EXPIRY_PARTITION, after.to_bytes(8, "big") + tail, value)
