"""What calls have in hand, written down in the transaction that claims it.

A node that was killed finds it here when it starts again and gives it back at once, instead
of leaving it hidden until the leases end. Nothing else depends on these notes: one too many
is refused by the ticket's fencing token, one too few costs the rest of a lease.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import msgspec

from lambent.core.arns import Arn
from lambent.core.errors import AwsError
from lambent.events.contract import Targets
from lambent.store.contract import Transaction

COLLECTION = "events.in_flight"
"""Partition: the source's ARN. Sort: the first ticket. Value: all tickets."""

_log = logging.getLogger(__name__)


async def note(tx: Transaction, arn: Arn, tickets: Sequence[Any]) -> bytes:
    """These were claimed; the key to `forget` them by. Tickets are plain data here."""
    key = msgspec.msgpack.encode(tickets[0])
    await tx.put(COLLECTION, str(arn).encode(), key, msgspec.msgpack.encode(tickets))
    return key


async def forget(tx: Transaction, arn: Arn, key: bytes) -> None:
    """They were settled, or their leases may run out."""
    await tx.delete(COLLECTION, str(arn).encode(), key)


async def give_back(tx: Transaction, targets: Targets) -> None:
    """Make all that an earlier run of this node had in hand due now."""
    for record in await tx.scan_all(COLLECTION):
        arn = Arn.parse(record.partition.decode())
        source = targets.source(arn)
        if source is None:
            continue
        try:
            await source.fail(tx, arn, msgspec.msgpack.decode(record.value), 0.0)
        except AwsError as error:
            _log.info("%s is gone with what was in flight: %s", arn, error.message)
    await tx.clear(COLLECTION)
