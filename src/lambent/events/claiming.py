"""One claim of a lane, in one transaction: may it, take, filter, screen, write down."""

from __future__ import annotations

from collections.abc import Callable

from lambent.core.arns import Arn
from lambent.events import in_flight
from lambent.events.contract import Batch, Source
from lambent.events.control import Control, Fence
from lambent.events.in_flight import Note
from lambent.events.load import Claim, pick
from lambent.events.policy import Aside, Policy
from lambent.events.settling import PutAside
from lambent.store.contract import Transaction


async def claim(
    tx: Transaction,
    source: Source,
    arn: Arn,
    policy: Policy,
    limit: int,
    *,
    fence: Fence | None,
    control: Control | None,
    put_aside: PutAside | None,
    noted_as: Callable[[], str] | None,
) -> Claim | None:
    """Up to `limit` items, without those that nobody is to see; None, and nothing claimed, when
    the fence does not let the lane. The arguments are the lane's own."""
    if fence is not None and not await fence.holds(tx):
        return None
    lease = policy.lease(await source.describe(tx, arn))
    batch = await source.claim(tx, arn, limit, lease)
    claimed = len(batch.tickets) + batch.suppressed + batch.following
    wanted = [policy.wants(record) for record in batch.records]
    if not all(wanted):
        await source.settle(
            tx, arn, [t for t, w in zip(batch.tickets, wanted, strict=True) if not w]
        )
        batch = pick(batch, [index for index, w in enumerate(wanted) if w])
    if control is not None and control.screens and batch.tickets:
        batch = await _screen(tx, control, put_aside, batch)
    note: Note | None = None
    if noted_as is not None and batch.tickets:
        note = await in_flight.note(tx, noted_as(), arn, batch.tickets)
    wait: float | None = None
    if claimed < limit:
        due = await source.next_due(tx, arn)
        wait = None if due is None else max(due - tx.now, 0.0)
    return Claim(batch, claimed, lease, tx.now, wait, note)


async def _screen(
    tx: Transaction, control: Control, put_aside: PutAside | None, batch: Batch
) -> Batch:
    """Put aside what is not to be tried (any more); the rest."""
    found = [control.screen(record, tx.now) for record in batch.records]
    asides = [
        Aside(ticket, *one)
        for ticket, one in zip(batch.tickets, found, strict=True)
        if one is not None
    ]
    if not asides or put_aside is None:
        return batch
    await put_aside(tx, asides)
    return pick(batch, [index for index, one in enumerate(found) if one is None])
