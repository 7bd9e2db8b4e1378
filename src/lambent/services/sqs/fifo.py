"""FIFO queues: deduplication ids and sequence numbers.

A deduplication id is remembered for five minutes, even after its message was deleted.
Source: SQS developer guide, "Exactly-once processing in Amazon SQS".
"""

from __future__ import annotations

import hashlib

import msgspec

from lambent.services.sqs import errors, recent
from lambent.services.sqs.model import Queue
from lambent.store.contract import Transaction

LOOK_AHEAD = 20_000
"""How many of a queue's first messages are looked at for groups that are not blocked: AWS's
number for years, which consumers were written for. Source: SQS developer guide, "Avoid large
message backlogs with the same message group ID", where it is 120,000 by now."""

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


def _sort(queue: Queue, group: str, deduplication: str) -> bytes:
    scope = group if queue.attributes.get("DeduplicationScope") == "messageGroup" else ""
    return f"{scope}\x00{deduplication}".encode()


async def already_sent(
    tx: Transaction, queue: Queue, group: str, deduplication: str
) -> Sent | None:
    """What was answered for this id within the last five minutes, or None."""
    for note in await recent.candidates(
        tx, queue.deduplication, _sort(queue, group, deduplication)
    ):
        sent = _decoder.decode(note)
        if tx.now - sent.time < recent.WINDOW:
            return sent
    return None


async def remember(
    tx: Transaction, queue: Queue, group: str, deduplication: str, sent: Sent
) -> None:
    """Note the answer."""
    await recent.note(
        tx, queue.deduplication, _sort(queue, group, deduplication), _encoder.encode(sent)
    )
