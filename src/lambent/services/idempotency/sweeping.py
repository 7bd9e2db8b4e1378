"""Removes outcomes that have expired, once an hour, by one node at a time."""

from __future__ import annotations

from lambent.cluster.turns import in_turn
from lambent.core.clock import Clock
from lambent.core.duty import Duty
from lambent.events import idempotency
from lambent.store.contract import Store

INTERVAL = 3600.0
_AT_ONCE = 500


def sweeping(store: Store, clock: Clock) -> Duty:
    """Remove all that has expired, in small transactions."""

    async def sweep() -> None:
        while await store.transact(lambda tx: idempotency.sweep(tx, _AT_ONCE)) == _AT_ONCE:
            await clock.sleep(0)

    round = in_turn(store, "idempotency.sweep", INTERVAL, sweep)
    return Duty(clock, "forgetting outcomes", round, retry=INTERVAL)
