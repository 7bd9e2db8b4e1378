"""What a queue, or the service, remembers for five minutes.

Notes lie in partitions by five-minute slot. One note in eight, chosen by its key, drops up to
sixteen old ones, so forgetting keeps up with any rate and never takes long.
"""

from __future__ import annotations

import zlib
from typing import Final

from lambent.store.contract import Transaction

WINDOW: Final = 300.0
"""Seconds."""

_ONE_IN = 8
_FORGOTTEN_AT_ONCE = 16


def _slot(time: float) -> int:
    return int(time // WINDOW)


def _partition(slot: int) -> bytes:
    return slot.to_bytes(8, "big")


async def candidates(tx: Transaction, collection: str, key: bytes) -> list[bytes]:
    """The notes under a key of the present slot and the one before, newest first. They may be
    older than the window: each says itself of when it is."""
    slot = _slot(tx.now)
    found = [await tx.get(collection, _partition(each), key) for each in (slot, slot - 1)]
    return [record.value for record in found if record is not None]


async def note(tx: Transaction, collection: str, key: bytes, value: bytes) -> None:
    """Remember a value under a key."""
    slot = _slot(tx.now)
    await tx.put(collection, _partition(slot), key, value)
    if zlib.crc32(key) % _ONE_IN:
        return
    until = _partition(slot - 1)
    for old in await tx.scan_all(collection, until=until, limit=_FORGOTTEN_AT_ONCE):
        await tx.delete(collection, old.partition, old.sort)
