"""Queue definitions in the store: find, save, list, delete."""

from __future__ import annotations

import builtins

import msgspec

from lambent.core.arns import Arn
from lambent.services.sqs import errors, moves
from lambent.services.sqs.model import Queue, decode_queue, encode
from lambent.store import removal
from lambent.store.contract import ABSENT, Transaction

COLLECTION = "sqs.queues"
_CACHE_LIMIT = 10_000


def _partition(account: str, region: str) -> bytes:
    return f"{account}/{region}".encode()


class Queues:
    """The one place that reads and writes queue definitions.

    Decoded definitions are kept by record version, so the store stays the only truth.
    """

    def __init__(self) -> None:
        self._decoded: dict[tuple[bytes, bytes], tuple[bytes, Queue]] = {}

    async def find(self, tx: Transaction, account: str, region: str, name: str) -> Queue | None:
        """The queue of that name, or None."""
        partition, sort = _partition(account, region), name.encode()
        record = await tx.get(COLLECTION, partition, sort)
        if record is None:
            return None
        known = self._decoded.get((partition, sort))
        # Compared by content: a version that was rolled back may be given out again.
        if known is not None and known[0] == record.value:
            return known[1]
        if len(self._decoded) >= _CACHE_LIMIT:
            self._decoded.clear()
        queue = decode_queue(record.value)
        self._decoded[partition, sort] = (record.value, queue)
        return queue

    async def get(self, tx: Transaction, account: str, region: str, name: str) -> Queue:
        """The queue of that name; AwsError QueueDoesNotExist."""
        queue = await self.find(tx, account, region, name)
        if queue is None:
            raise errors.no_such_queue()
        return queue

    async def by_arn(self, tx: Transaction, arn: Arn) -> Queue | None:
        """The queue that an ARN names, or None."""
        return await self.find(tx, arn.account, arn.region, arn.resource)

    async def create(self, tx: Transaction, queue: Queue) -> None:
        """Write a queue that is not there yet (Conflict otherwise)."""
        await tx.put(
            COLLECTION,
            _partition(queue.account, queue.region),
            queue.name.encode(),
            encode(queue),
            expect=ABSENT,
        )

    async def save(self, tx: Transaction, queue: Queue) -> None:
        """Write a queue's changed definition."""
        await tx.put(
            COLLECTION,
            _partition(queue.account, queue.region),
            queue.name.encode(),
            encode(queue),
        )

    async def list(
        self,
        tx: Transaction,
        account: str,
        region: str,
        *,
        prefix: str = "",
        after: str = "",
        limit: int | None = None,
    ) -> list[Queue]:
        """An account's queues by name: those with the prefix, strictly after `after`."""
        start = max(prefix.encode(), after.encode() + b"\x00" if after else b"")
        end = prefix.encode() + b"\xff" if prefix else None
        records = await tx.scan(
            COLLECTION, _partition(account, region), start=start, end=end, limit=limit
        )
        return [decode_queue(record.value) for record in records]

    async def all(self, tx: Transaction) -> builtins.list[Queue]:
        """Every queue of every account."""
        return [decode_queue(record.value) for record in await tx.scan_all(COLLECTION)]

    async def delete(self, tx: Transaction, queue: Queue) -> None:
        """Remove a queue with all its messages."""
        await tx.delete(COLLECTION, _partition(queue.account, queue.region), queue.name.encode())
        await tx.clear(moves.COLLECTION, queue.arn.encode())
        await removal.remove(
            tx,
            removal.work(queue.work),
            removal.records(queue.deduplication),
            removal.records(queue.attempts),
        )

    async def purge(self, tx: Transaction, queue: Queue) -> None:
        """Remove all messages."""
        done = await removal.remove(tx, removal.work(queue.work))
        generation = queue.generation + (not done)
        purged = msgspec.structs.replace(queue, purged=tx.now, generation=generation)
        await self.save(tx, purged)
