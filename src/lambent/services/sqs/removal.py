"""What purged and deleted queues held: gone for everyone at once, from the disk little by little.

A transaction that removes a million messages keeps all others waiting for as long as that takes. So
a purge or a deletion removes some, and when there are more it only takes the way to them away: the
queue has another work queue in the store from then on (`Queue.generation`), or is no more. What is
left is noted in the same transaction, and a duty of each node removes it in small ones; after a
crash it goes on.
"""

from __future__ import annotations

import asyncio
import math
from typing import Final

from lambent.core.clock import Clock
from lambent.core.duty import Duty
from lambent.store.contract import Store, Transaction

COLLECTION: Final = "sqs.removing"
AT_ONCE = 500
"""How many items or records one transaction removes."""
_LOOK_SECONDS: Final = 60.0
"""Another node may have been killed in the middle of it."""
_WORK: Final = b"work"
_RECORDS: Final = b"records"


async def drop(tx: Transaction, work: str) -> bool:
    """Remove the items of a work queue; whether that were all. Otherwise the rest is noted, and the
    name must not be used any more."""
    if await _drop_some(tx, work):
        return True
    await tx.put(COLLECTION, work.encode(), b"", _WORK)
    return False


async def clear(tx: Transaction, collection: str) -> bool:
    """The same for the records of a collection."""
    if await _clear_some(tx, collection):
        return True
    await tx.put(COLLECTION, collection.encode(), b"", _RECORDS)
    return False


async def _drop_some(tx: Transaction, work: str) -> bool:
    if await tx.drop(work, created_before=math.inf, limit=AT_ONCE) == AT_ONCE:
        return False
    await tx.drop(work)
    return True


async def _clear_some(tx: Transaction, collection: str) -> bool:
    records = await tx.scan_all(collection, limit=AT_ONCE)
    for record in records:
        await tx.delete(collection, record.partition, record.sort)
    return len(records) < AT_ONCE


class Removal:
    """The duty of one node."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._noted = asyncio.Event()
        self.duty = Duty(
            clock,
            "removing what purged and deleted queues held",
            self._step,
            retry=_LOOK_SECONDS,
            woken_by=self._next,
        )

    def begin(self) -> None:
        """Something was noted."""
        self._noted.set()

    def _next(self) -> asyncio.Event:
        self._noted = asyncio.Event()
        return self._noted

    async def _step(self) -> float:
        return 0.0 if await self._store.transact(_remove) else _LOOK_SECONDS


async def _remove(tx: Transaction) -> bool:
    """Remove some of what is noted; whether there was anything."""
    for note in await tx.scan_all(COLLECTION, limit=1):
        remove = _drop_some if note.value == _WORK else _clear_some
        if await remove(tx, note.partition.decode()):
            await tx.delete(COLLECTION, note.partition)
        return True
    return False
