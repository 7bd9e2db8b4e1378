"""What calls have in hand, written down in the transaction that claims it.

What a lost node had in hand is found here and given back at once, instead of staying hidden
until the leases end. Nothing else depends on these notes: one too many
is refused by the ticket's fencing token, one too few costs the rest of a lease.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import msgspec

from lambent.core.arns import Arn
from lambent.core.errors import AwsError
from lambent.events import failures
from lambent.events.contract import Remembering, Targets
from lambent.events.tickets import plain
from lambent.store.contract import Transaction

COLLECTION = "events.in_flight"
"""Partition: the node's id. Sort: the source's ARN and the first ticket. Value: all tickets."""

Note = tuple[bytes, bytes]
"""A note's key."""

_END_OF_ARN = b"\0"
_log = logging.getLogger(__name__)


async def note(tx: Transaction, node: str, arn: Arn, tickets: Sequence[Any]) -> Note:
    """These were claimed; what to `forget` them by. Tickets are plain data here, and kept as
    the source itself gave them."""
    tickets = plain(tickets)
    sort = str(arn).encode() + _END_OF_ARN + msgspec.msgpack.encode(tickets[0])
    key = (node.encode(), sort)
    await tx.put(COLLECTION, *key, msgspec.msgpack.encode(tickets))
    return key


async def forget(tx: Transaction, note: Note) -> None:
    """They were settled, or their leases may run out."""
    await tx.delete(COLLECTION, *note)


async def give_back(tx: Transaction, targets: Targets, node: str) -> None:
    """Make all that a lost node had in hand due now."""
    for record in await tx.scan(COLLECTION, node.encode()):
        arn = Arn.parse(record.sort.partition(_END_OF_ARN)[0].decode())
        source = targets.source(arn)
        if source is None:
            continue
        tickets = msgspec.msgpack.decode(record.value)
        try:
            if isinstance(source, Remembering):
                await source.remember(tx, arn, tickets, failures.lost(tx.now))
            await source.fail(tx, arn, tickets, 0.0)
        except AwsError as error:
            _log.info("%s is gone with what was in flight: %s", arn, error.message)
    await tx.clear(COLLECTION, node.encode())
