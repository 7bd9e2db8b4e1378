"""Giving up bytes that nothing refers to any more.

A blob that is being read stays readable to its end, but only once it is open. The parts of a
large object are opened one after another, so those of a replaced or deleted multipart object
are kept for a while: a download that had begun goes on undisturbed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from lambent.core.clock import Clock
from lambent.core.duty import Duty
from lambent.services.s3.model import Part
from lambent.store.contract import NewWork, Store, Transaction

QUEUE: Final = "s3.retired"
KEPT_SECONDS: Final = 3600.0
_BATCH: Final = 10
_LEASE_SECONDS: Final = 60.0
_RETRY_SECONDS: Final = 5.0


async def unlink(tx: Transaction, parts: Sequence[Part]) -> None:
    """Give up an object's bytes: at once, or after `KEPT_SECONDS` when they are in parts."""
    blobs = [part.blob for part in parts if part.blob]
    if len(blobs) > 1:
        payload = json.dumps(blobs).encode()
        await tx.enqueue(QUEUE, [NewWork(payload, delay=KEPT_SECONDS)])
        return
    for blob in blobs:
        await tx.unlink_blob(blob)


def retirement(store: Store, clock: Clock) -> Duty:
    """Unlinks, behind the requests, what was kept long enough."""
    return Duty(
        clock,
        "giving up retired blobs",
        lambda: store.transact(_sweep),
        retry=_RETRY_SECONDS,
        woken_by=lambda: store.work_arrived(QUEUE),
    )


async def _sweep(tx: Transaction) -> float | None:
    # How long until there is more to do; None while nothing waits.
    for item in await tx.claim(QUEUE, _BATCH, _LEASE_SECONDS):
        for blob in json.loads(item.payload):
            await tx.unlink_blob(blob)
        await tx.settle(QUEUE, item.id, item.token)
    due = await tx.next_due(QUEUE)
    return None if due is None else max(due - tx.now, 0.0)
