"""What is kept aside: out of its source, visible, and resumable; never dropped.

| collection | partition | sort |
| --- | --- | --- |
| events.parked | mapping's UUID | when (seconds, 17 characters), a slash, the item's identifier |
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from lambent.core.arns import Arn
from lambent.events.contract import Keeping, Source
from lambent.events.policy import Aside
from lambent.store.contract import Transaction

PARKED = "events.parked"


class Parked(msgspec.Struct, frozen=True):
    """One item. `at` in seconds since the epoch."""

    id: str
    at: float
    rule: str
    reason: str
    preview: str
    value: bytes


async def put_aside(
    tx: Transaction, source: Source, arn: Arn, mapping: str, asides: Sequence[Aside]
) -> None:
    """Take items out of their source: to its dead-letter queue or to the parked ones."""
    if not isinstance(source, Keeping):
        await source.fail(tx, arn, [one.ticket for one in asides], None)
        return
    parked: list[Aside] = [one for one in asides if one.park]
    others: list[Any] = [one for one in asides if not one.park]
    if others and not await source.dead_letter(tx, arn, [one.ticket for one in others]):
        parked += others
    for one in parked:
        for kept in await source.take_out(tx, arn, [one.ticket]):
            item = Parked(kept.id, tx.now, one.rule, one.reason, kept.preview, kept.value)
            key = f"{tx.now:017.6f}/{kept.id}".encode()
            await tx.put(PARKED, mapping.encode(), key, msgspec.msgpack.encode(item))


async def listed(tx: Transaction, mapping: str, limit: int) -> list[Parked]:
    """What is parked, oldest first."""
    records = await tx.scan(PARKED, mapping.encode(), limit=limit)
    return [msgspec.msgpack.decode(record.value, type=Parked) for record in records]


async def count(tx: Transaction, mapping: str) -> int:
    """How many are parked."""
    return await tx.count(PARKED, mapping.encode())


async def resume(
    tx: Transaction,
    source: Source,
    arn: Arn,
    mapping: str,
    ids: Collection[str] | None = None,
    limit: int | None = None,
) -> int:
    """Put what is parked (or those of it; at most so many) back into the source; how many.
    AwsError when the source is gone; everything stays parked then."""
    if not isinstance(source, Keeping):
        return 0
    chosen = []
    for record in await tx.scan(PARKED, mapping.encode(), limit=limit):
        item = msgspec.msgpack.decode(record.value, type=Parked)
        if ids is None or item.id in ids:
            chosen.append((record, item.value))
    if chosen:
        await source.put_back(tx, arn, [value for _, value in chosen])
    for record, _ in chosen:
        await tx.delete(PARKED, record.partition, record.sort)
    return len(chosen)
