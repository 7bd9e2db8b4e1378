"""Forgetting: events older than their group's retention are trimmed every hour."""

from __future__ import annotations

from lambent.cluster.turns import in_turn
from lambent.core.clock import Clock
from lambent.core.duty import Duty
from lambent.services.logs import catalogue
from lambent.services.logs.model import decode_group, decode_stream
from lambent.store.contract import Store, Transaction

INTERVAL = 3600.0
DAY = 86_400.0


async def trim_expired(tx: Transaction) -> int:
    """Trim the events of every group that has a retention; how many went."""
    trimmed = 0
    for record in await tx.scan_all(catalogue.GROUPS):
        group = decode_group(record.value)
        if group.retention is None:
            continue
        for stream in await tx.scan(catalogue.STREAMS, group.uid.encode()):
            trimmed += await tx.trim(
                decode_stream(stream.value).log, before=tx.now - group.retention * DAY
            )
    return trimmed


def retention(store: Store, clock: Clock) -> Duty:
    """The hourly duty."""
    trim = in_turn(store, "logs.retention", INTERVAL, lambda: store.transact(trim_expired))
    return Duty(clock, "trimming old log events", trim, retry=INTERVAL, first=INTERVAL)
