"""Carries out what becomes of a batch, in one transaction: a verdict, or giving it back untried."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from lambent.core.arns import Arn
from lambent.core.errors import AwsError
from lambent.events import in_flight
from lambent.events.contract import Event, Postponing, Remembering, Source, Targets
from lambent.events.in_flight import Note
from lambent.events.policy import Aside, Verdict
from lambent.store.contract import Transaction

_log = logging.getLogger("lambent.events.delivery")

PutAside = Callable[[Transaction, Sequence[Aside]], Awaitable[None]]
"""Takes items out of their source, in the lane's transaction."""


async def settle(
    tx: Transaction,
    source: Source,
    arn: Arn,
    targets: Targets,
    verdict: Verdict,
    notes: Sequence[Note],
    put_aside: PutAside | None,
    name: str,
) -> Sequence[Event]:
    """Settle, let come again, put aside, send; `notes` are forgotten. The events that could
    not be sent. `name` is the lane's, for people."""
    for note in notes:
        await in_flight.forget(tx, note)
    if verdict.done:
        await source.settle(tx, arn, verdict.done)
    if verdict.failure is not None and isinstance(source, Remembering):
        failed = [ticket for ticket, _ in verdict.again]
        failed += [one.ticket for one in verdict.aside]
        await source.remember(tx, arn, failed, verdict.failure)
    delays: dict[float | None, list[Any]] = {}
    for ticket, delay in verdict.again:
        delays.setdefault(delay, []).append(ticket)
    for delay, tickets in delays.items():
        await source.fail(tx, arn, tickets, delay)
    if verdict.aside:
        if put_aside is not None:
            await put_aside(tx, verdict.aside)
        else:
            await source.fail(tx, arn, [one.ticket for one in verdict.aside], None)
    refused: list[Event] = []
    for target_arn, event in verdict.sends:
        target = targets.target(target_arn)
        try:
            if target is None:
                raise AwsError("ResourceNotFound", "no such kind of destination here")
            await target.accept(tx, target_arn, event)
        except AwsError as error:
            # As AWS does: the event is lost to the destination, and that is reported.
            _log.error("%s: %s cannot take the event: %s", name, target_arn, error)
            refused.append(event)
    return refused


async def give_back(
    tx: Transaction, source: Postponing, arn: Arn, tickets: Sequence[Any], notes: Sequence[Note]
) -> None:
    """What was claimed is not going to be tried: due now, as if it had not been claimed."""
    for note in notes:
        await in_flight.forget(tx, note)
    await source.postpone(tx, arn, tickets, 0.0)
