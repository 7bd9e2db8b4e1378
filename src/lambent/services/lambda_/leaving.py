"""What functions that are gone held by their names: waiting events, executions, versions, code.

It goes as all that is gone does (`store.removal`). As it lies under the function's name, a
function that is made again under the name waits until nothing of it is left: its CreateFunction
removes it itself, in small transactions.
"""

from __future__ import annotations

from typing import Final

from lambent.services.lambda_ import asynchronous, errors, layer_keeping, records
from lambent.services.lambda_.durable import book
from lambent.services.lambda_.names import Reference
from lambent.store import removal
from lambent.store.contract import Store, Transaction

COLLECTION: Final = "lambda.leaving"
"""Partition: account/region/name of a function that is gone, of which something is left."""
AT_ONCE = 300
"""How much of it one transaction of a CreateFunction removes."""


async def leave(tx: Transaction, reference: Reference) -> None:
    """The function is gone, in this transaction: remove what it held."""
    name = _name(reference)
    if not await removal.remove(tx, removal.Gone(LEFT_BY_FUNCTION, name)):
        await tx.put(COLLECTION, name, b"", b"")


async def over(store: Store, reference: Reference) -> None:
    """Return once nothing is left of an earlier function of the name."""

    async def body(tx: Transaction) -> bool:
        if await tx.get(COLLECTION, _name(reference)) is None:
            return True
        return await _remove_some(tx, _name(reference), AT_ONCE) < AT_ONCE

    while not await store.transact(body):
        pass


async def check_over(tx: Transaction, reference: Reference) -> None:
    """ResourceConflictException while something is left of an earlier function of the name."""
    if await tx.get(COLLECTION, _name(reference)) is not None:
        raise errors.conflict(f"Function is being deleted: {reference.name}")


def _name(reference: Reference) -> bytes:
    return records.place(reference.account, reference.region, reference.name)


async def _remove_some(tx: Transaction, what: bytes, limit: int) -> int:
    reference = Reference(*what.decode().split("/"))
    removed = await removal.work(asynchronous.queue_of(reference)).remove(tx, limit)
    if removed < limit:
        removed += await book.remove_some(tx, reference, limit - removed)
    if removed < limit:
        versions = await records.drop_versions(tx, reference, limit - removed)
        await layer_keeping.release(tx, versions)
        removed += len(versions)
    if removed < limit:
        removed += await records.drop_code(tx, reference, limit - removed)
    if removed < limit:
        await tx.delete(COLLECTION, what)
    return removed


LEFT_BY_FUNCTION: Final = removal.Kind("lambda.function", _remove_some)
"""By account/region/name."""
