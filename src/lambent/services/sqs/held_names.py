"""Names of queues that were deleted within the last minute, which AWS lets nobody take again.

Source: SQS API reference, DeleteQueue and CreateQueue (QueueDeletedRecently).
"""

from __future__ import annotations

from typing import Final

import msgspec

from lambent.services.sqs import errors, recent
from lambent.services.sqs.model import Queue
from lambent.store.contract import Transaction

SECONDS: Final = 60.0
_COLLECTION: Final = "sqs.deleted"


def _key(account: str, region: str, name: str) -> bytes:
    return f"{account}/{region}/{name}".encode()


async def hold(tx: Transaction, queue: Queue) -> None:
    """The queue is being deleted."""
    key = _key(queue.account, queue.region, queue.name)
    await recent.note(tx, _COLLECTION, key, msgspec.msgpack.encode(tx.now))


async def check(tx: Transaction, account: str, region: str, name: str) -> None:
    """AwsError QueueDeletedRecently when the name is held."""
    for value in await recent.candidates(tx, _COLLECTION, _key(account, region, name)):
        if tx.now - msgspec.msgpack.decode(value, type=float) < SECONDS:
            raise errors.deleted_recently()
