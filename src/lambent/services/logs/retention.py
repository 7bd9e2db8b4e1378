"""Forgetting: events older than their group's retention are trimmed every hour, a few at a time."""

from __future__ import annotations

from lambent.cluster.turns import in_turn
from lambent.core.clock import Clock
from lambent.core.duty import Duty
from lambent.services.logs import catalogue
from lambent.services.logs.model import decode_group, decode_stream
from lambent.store.contract import Record, Store, Transaction

INTERVAL = 3600.0
DAY = 86_400.0
AT_ONCE = 200
"""How many events one transaction trims."""
STREAMS_AT_ONCE = 50
"""How many streams it looks at."""


async def trim_expired(store: Store, clock: Clock) -> int:
    """Trim the events of every group that has a retention; how many went."""
    trimmed = 0
    for group in await store.transact(lambda tx: tx.scan_all(catalogue.GROUPS)):
        if decode_group(group.value).retention is not None:
            trimmed += await _trim_group(store, clock, group)
    return trimmed


async def _trim_group(store: Store, clock: Clock, known: Record) -> int:
    start, trimmed = b"", 0
    while True:

        async def body(tx: Transaction, start: bytes = start) -> tuple[int, bytes | None]:
            return await _trim_streams(tx, known, start)

        count, following = await store.transact(body)
        trimmed += count
        if following is None:
            return trimmed
        start = following
        await clock.sleep(0)


async def _trim_streams(tx: Transaction, known: Record, start: bytes) -> tuple[int, bytes | None]:
    """Trim some streams of a group from that name on: how many events, and where to go on."""
    record = await tx.get(catalogue.GROUPS, known.partition, known.sort)
    group = decode_group(record.value) if record is not None else None
    if group is None or group.retention is None:
        return 0, None
    before = tx.now - group.retention * DAY
    streams = await tx.scan(
        catalogue.STREAMS, group.uid.encode(), start=start, limit=STREAMS_AT_ONCE
    )
    trimmed = 0
    for stream in streams:
        log = decode_stream(stream.value).log
        trimmed += await tx.trim(log, before=before, limit=AT_ONCE - trimmed)
        if trimmed == AT_ONCE:
            return trimmed, stream.sort
    return trimmed, streams[-1].sort + b"\0" if len(streams) == STREAMS_AT_ONCE else None


def retention(store: Store, clock: Clock) -> Duty:
    """The hourly duty."""
    trim = in_turn(store, "logs.retention", INTERVAL, lambda: trim_expired(store, clock))
    return Duty(clock, "trimming old log events", trim, retry=INTERVAL, first=INTERVAL)
