"""Receive request attempts of FIFO queues: the same attempt gives the same messages again.

For five minutes, while all its messages are in flight and none was deleted or had its
visibility changed, an attempt that is repeated gives them with the same receipt handles, and
their visibility begins anew. After that the id stands for a new attempt.
Source: SQS API reference, ReceiveMessage, ReceiveRequestAttemptId.
"""

from __future__ import annotations

import msgspec

from lambent.services.sqs import recent
from lambent.services.sqs.model import Queue, decode_message
from lambent.services.sqs.receiving import Received
from lambent.store.contract import Transaction


class Attempt(msgspec.Struct, frozen=True, array_like=True):
    """What an attempt gave: (id, token) of each message; times in seconds since the epoch."""

    time: float
    due: float
    items: list[tuple[int, int]]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Attempt)


async def repeat(tx: Transaction, queue: Queue, id: str, lease: float) -> list[Received] | None:
    """The messages of an earlier attempt of that id, or None when it is a new one."""
    for note in await recent.candidates(tx, queue.attempts, id.encode()):
        attempt = _decoder.decode(note)
        if tx.now - attempt.time < recent.WINDOW:
            return await _again(tx, queue, id, attempt, lease)
    return None


async def _again(
    tx: Transaction, queue: Queue, id: str, attempt: Attempt, lease: float
) -> list[Received] | None:
    works = [await tx.item(queue.work, item) for item, _ in attempt.items]
    given: list[Received] = []
    for (_, token), work in zip(attempt.items, works, strict=True):
        if work is None or work.token != token or not work.leased or work.due != attempt.due:
            return None
        given.append(Received(work, decode_message(work.payload), attempt.time))
    for item, token in attempt.items:
        await tx.extend(queue.work, item, token, lease)
    renewed = msgspec.structs.replace(attempt, due=tx.now + lease)
    await recent.note(tx, queue.attempts, id.encode(), _encoder.encode(renewed))
    return given


async def remember(tx: Transaction, queue: Queue, id: str, received: list[Received]) -> None:
    """Note what an attempt gave."""
    attempt = Attempt(
        tx.now, received[0].work.due, [(item.work.id, item.work.token) for item in received]
    )
    await recent.note(tx, queue.attempts, id.encode(), _encoder.encode(attempt))
