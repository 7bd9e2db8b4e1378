"""Regular duties that only one node is to do at a time: each period's run is one node's turn.

A duty that is cut off (its node dies) is run again in the next period, by whoever comes
first then. Duties that must be finished are work (see `store.contract`), not turns.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from lambent.core.duty import Step
from lambent.store.contract import Store, Transaction

COLLECTION: Final = "cluster.turns"
"""Sort: the duty's name. Value: when it was last taken, in seconds since the epoch."""
_EARLY = 0.5
"""The share of a period by which a turn may come early: nodes' timers do not agree."""


async def take_turn(tx: Transaction, duty: str, every: float) -> bool:
    """Whether the duty, done every so many seconds, is this caller's to do now."""
    record = await tx.get(COLLECTION, b"", duty.encode())
    last = msgspec.msgpack.decode(record.value, type=float) if record else None
    if last is not None and 0 <= tx.now - last < every * (1 - _EARLY):
        return False
    await tx.put(COLLECTION, b"", duty.encode(), msgspec.msgpack.encode(tx.now))
    return True


def in_turn(store: Store, duty: str, every: float, work: Callable[[], Awaitable[object]]) -> Step:
    """The step of a duty that one node of all that share the store does every so many seconds."""

    async def step() -> float:
        if await store.transact(lambda tx: take_turn(tx, duty, every)):
            await work()
        return every

    return step
