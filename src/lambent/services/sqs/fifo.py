"""FIFO queues: deduplication ids and sequence numbers.

A deduplication id is remembered for five minutes, even after its message was deleted.
Ids lie in partitions by five-minute slot, so forgetting is dropping old partitions.
Source: SQS developer guide, "Exactly-once processing in Amazon SQS".
"""

from __future__ import annotations

import hashlib

import msgspec

from lambent.services.sqs import errors
from lambent.services.sqs.model import Queue
from lambent.store.contract import Transaction

WINDOW = 300.0
_SEQUENCE_BASE = 18_849_496_460_467_696_128


class Sent(msgspec.Struct, frozen=True, array_like=True):
    """What SendMessage answered for a deduplication id, and when (seconds since the epoch)."""

    message_id: str
    work_id: int
    time: float


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Sent)


def sequence_number(work_id: int) -> str:
    """The 20-digit number that grows with every message of a queue."""
    return str(_SEQUENCE_BASE + work_id)


def deduplication_id(queue: Queue, given: str | None, body: str) -> str:
    """The explicit id, or the body's SHA-256 where the queue wants that."""
    if given:
        return given
    if queue.attributes.get("ContentBasedDeduplication") == "true":
        return hashlib.sha256(body.encode()).hexdigest()
    raise errors.invalid(
        "The queue should either have ContentBasedDeduplication enabled or "
        "MessageDeduplicationId provided explicitly"
    )


def _slot(time: float) -> int:
    return int(time // WINDOW)


def _partition(slot: int) -> bytes:
    return slot.to_bytes(8, "big")


def _sort(queue: Queue, group: str, deduplication: str) -> bytes:
    scope = group if queue.attributes.get("DeduplicationScope") == "messageGroup" else ""
    return f"{scope}\x00{deduplication}".encode()


async def already_sent(
    tx: Transaction, queue: Queue, group: str, deduplication: str
) -> Sent | None:
    """What was answered for this id within the last five minutes, or None."""
    slot, sort = _slot(tx.now), _sort(queue, group, deduplication)
    for candidate in (slot, slot - 1):
        record = await tx.get(queue.deduplication, _partition(candidate), sort)
        if record is not None:
            sent = _decoder.decode(record.value)
            if tx.now - sent.time < WINDOW:
                return sent
    return None


async def remember(
    tx: Transaction, queue: Queue, group: str, deduplication: str, sent: Sent
) -> None:
    """Note the answer, and forget slots that are too old to matter."""
    slot = _slot(tx.now)
    await tx.put(
        queue.deduplication,
        _partition(slot),
        _sort(queue, group, deduplication),
        _encoder.encode(sent),
    )
    oldest = await tx.scan_all(queue.deduplication, limit=1)
    if oldest and oldest[0].partition < _partition(slot - 1):
        await tx.clear(queue.deduplication, oldest[0].partition)
