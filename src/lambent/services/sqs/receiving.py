"""Receiving: claim messages, move the exhausted to the dead-letter queue, show them."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from lambent.events.history import NOTHING
from lambent.services.sqs import fifo, message_attributes, redrive
from lambent.services.sqs.model import Message, Queue, decode_message, placed
from lambent.services.sqs.names import receipt
from lambent.services.sqs.queues import Queues
from lambent.services.sqs.retention import kept_since
from lambent.store.contract import Transaction, Work

SYSTEM_ATTRIBUTES = frozenset(
    (
        "All",
        "SenderId",
        "SentTimestamp",
        "ApproximateReceiveCount",
        "ApproximateFirstReceiveTimestamp",
        "SequenceNumber",
        "MessageDeduplicationId",
        "MessageGroupId",
        "AWSTraceHeader",
        "DeadLetterQueueSourceArn",
    )
)


@dataclass(frozen=True, slots=True)
class Received:
    """A message claimed at `time`, in seconds since the epoch."""

    work: Work
    message: Message
    time: float


class Claimed(NamedTuple):
    """What a claim gave, and how many it moved to the dead-letter queue."""

    received: list[Received]
    dead_lettered: int


async def claim(tx: Transaction, queues: Queues, queue: Queue, limit: int, lease: float) -> Claimed:
    """Claim up to `limit` messages for `lease` seconds.

    Those whose receive count exceeds maxReceiveCount move to the dead-letter queue in the
    same transaction, and others take their place.
    """
    policy = redrive.policy_of(queue)
    # A dead-letter queue that is gone keeps its messages where they are.
    target = await queues.by_arn(tx, policy.target) if policy else None
    since = kept_since(tx.now, queue)
    taken: list[Received] = []
    dead_lettered = 0
    while len(taken) < limit:
        claimed = await tx.claim(
            queue.work,
            limit - len(taken),
            lease,
            ordered=queue.fifo,
            fair=not queue.fifo,
            created_after=since,
            within=fifo.LOOK_AHEAD if queue.fifo else None,
        )
        moved = 0
        for work in claimed:
            message = decode_message(work.payload)
            if policy and target and work.attempts > policy.max_receive_count:
                # Nobody sees this receive.
                await move(tx, queue, target, work, message, work.attempts - 1)
                moved += 1
            else:
                taken.append(Received(work, message, tx.now))
        dead_lettered += moved
        # With a lease of zero a second claim would give the same messages again.
        if not moved or lease <= 0:
            break
    return Claimed(taken, dead_lettered)


async def next_due(tx: Transaction, queue: Queue) -> float | None:
    """When `claim` can give something, in seconds since the epoch; None: not by time alone."""
    since = kept_since(tx.now, queue)
    return await tx.next_due(
        queue.work,
        ordered=queue.fifo,
        created_after=since,
        within=fifo.LOOK_AHEAD if queue.fifo else None,
    )


async def move(
    tx: Transaction, queue: Queue, target: Queue, work: Work, message: Message, receives: int
) -> None:
    """To the dead-letter queue, after so many receives in this one: standard messages keep
    their age, FIFO ones start anew, and are known there by their own id, as two of them may
    share a deduplication id."""
    await tx.settle(queue.work, work.id, work.token)
    moved = msgspec.structs.replace(
        message,
        source=queue.arn,
        receives=message.receives + receives,
        history=msgspec.structs.replace(message.history or NOTHING, died=tx.now),
        deduplication=message.id if target.fifo else message.deduplication,
    )
    created = None if target.fifo else work.created
    await tx.enqueue(target.work, [placed(target, moved, created=created)])


def system_attributes(received: Received, names: Collection[str] = ("All",)) -> dict[str, str]:
    """The system attributes that were asked for, as strings; times in milliseconds."""
    work, message = received.work, received.message
    first = work.first_claimed if work.first_claimed is not None else work.created
    everything = {
        "SenderId": message.sender,
        "SentTimestamp": str(int(work.created * 1000)),
        "ApproximateReceiveCount": str(message.receives + work.attempts),
        "ApproximateFirstReceiveTimestamp": str(int(first * 1000)),
        "SequenceNumber": fifo.sequence_number(work.id) if work.group is not None else None,
        "MessageDeduplicationId": message.deduplication,
        "MessageGroupId": message.group,
        "AWSTraceHeader": message.trace,
        "DeadLetterQueueSourceArn": message.source,
    }
    return {
        name: value
        for name, value in everything.items()
        if value is not None and ("All" in names or name in names)
    }


def wire(
    queue: Queue, received: Received, system: Collection[str], own: Iterable[str]
) -> dict[str, Any]:
    """A message as ReceiveMessage gives it."""
    work, message = received.work, received.message
    result: dict[str, Any] = {
        "MessageId": message.id,
        "ReceiptHandle": receipt(queue.uid, work.id, work.token, received.time, work.created),
        "MD5OfBody": message.md5,
        "Body": message.body,
    }
    if system:
        result["Attributes"] = system_attributes(received, system) or None
    chosen = message_attributes.select(message.attributes, own)
    if chosen:
        result["MessageAttributes"] = message_attributes.wire(chosen)
        result["MD5OfMessageAttributes"] = message_attributes.md5(chosen)
    return result


def lambda_record(queue: Queue, received: Received) -> dict[str, Any]:
    """A message as a Lambda function sees it under "Records"."""
    work, message = received.work, received.message
    record: dict[str, Any] = {
        "messageId": message.id,
        "receiptHandle": receipt(queue.uid, work.id, work.token, received.time, work.created),
        "body": message.body,
        "attributes": system_attributes(received),
        "messageAttributes": {
            name: {
                **(
                    {"binaryValue": base64.b64encode(value.binary).decode()}
                    if value.binary is not None
                    else {"stringValue": value.text}
                ),
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": value.type,
            }
            for name, value in message.attributes.items()
        },
        "md5OfBody": message.md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.arn,
        "awsRegion": queue.region,
    }
    digest = message_attributes.md5(message.attributes)
    if digest:
        record["md5OfMessageAttributes"] = digest
    return record
