"""Giving up bytes that nothing refers to any more.

A blob that is being read stays readable to its end, but only once it is open. The parts of a
large object are opened one after another, so those of a replaced or deleted multipart object
are kept for a while: a download that had begun goes on undisturbed. Uploads that are given up
are read by nobody, and go as all that is gone does (`store.removal`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from lambent.core.clock import Clock
from lambent.core.duty import Duty
from lambent.services.s3.model import PARTS, UPLOADS, Part, unescape_key, unpack
from lambent.store.contract import NewWork, Record, Store, Transaction
from lambent.store.removal import Kind, remove_holders

QUEUE: Final = "s3.retired"
KEPT_SECONDS: Final = 3600.0
_BLOBS_AT_ONCE: Final = 100
_LEASE_SECONDS: Final = 60.0
_RETRY_SECONDS: Final = 5.0


async def unlink(tx: Transaction, parts: Sequence[Part]) -> None:
    """Give up an object's bytes: at once, or after `KEPT_SECONDS` when they are in parts."""
    blobs = [part.blob for part in parts if part.blob]
    if len(blobs) > 1:
        some = (blobs[at : at + _BLOBS_AT_ONCE] for at in range(0, len(blobs), _BLOBS_AT_ONCE))
        await tx.enqueue(
            QUEUE, [NewWork(json.dumps(each).encode(), delay=KEPT_SECONDS) for each in some]
        )
        return
    for blob in blobs:
        await tx.unlink_blob(blob)


async def _unlink_parts(tx: Transaction, upload: bytes, limit: int) -> int:
    """Some of the parts of an upload that was given up."""
    parts = await tx.scan(PARTS, upload, limit=limit)
    for record in parts:
        await unlink(tx, [unpack(Part, record.value)])
        await tx.delete(PARTS, upload, record.sort)
    return len(parts)


async def _unlink_uploads(tx: Transaction, bucket: bytes, limit: int) -> int:
    """Some of the uploads that were in progress in a bucket that is gone, with their parts."""

    async def parts(upload: Record, limit: int) -> int:
        return await _unlink_parts(tx, unescape_key(upload.sort)[1], limit)

    return await remove_holders(tx, UPLOADS, bucket, limit, parts)


PARTS_OF_UPLOAD: Final = Kind("s3.parts", _unlink_parts)
"""By the upload's id."""
UPLOADS_OF_BUCKET: Final = Kind("s3.uploads", _unlink_uploads)
"""By the bucket's id."""


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
    for item in await tx.claim(QUEUE, 1, _LEASE_SECONDS):
        for blob in json.loads(item.payload):
            await tx.unlink_blob(blob)
        await tx.settle(QUEUE, item.id, item.token)
    due = await tx.next_due(QUEUE)
    return None if due is None else max(due - tx.now, 0.0)
