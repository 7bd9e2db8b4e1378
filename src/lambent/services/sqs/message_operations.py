"""The operations on messages."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.core.clock import Clock
from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.core.ids import Ids
from lambent.core.registry import abandonable
from lambent.services.sqs import (
    attempts,
    attributes,
    batches,
    errors,
    message_attributes,
    receiving,
    sending,
)
from lambent.services.sqs.figures import Figures
from lambent.services.sqs.flight import Flight
from lambent.services.sqs.lookup import queue_of
from lambent.services.sqs.model import Queue
from lambent.services.sqs.names import parse_receipt, token
from lambent.services.sqs.queues import Queues
from lambent.services.sqs.receiving import Received
from lambent.services.sqs.retention import Retention
from lambent.services.sqs.sending import Draft, Told
from lambent.store.contract import Store, Transaction

MAX_VISIBILITY = 43_200
MAX_WAIT = 20
MAX_BATCH_BYTES = 1_048_576
_FULL_SECONDS = 1.0
"""Until a long poll on a queue with too many messages in flight looks again."""


class MessageOperations:
    """Send, receive, delete, and change the visibility of messages."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        ids: Ids,
        queues: Queues,
        retention: Retention,
        figures: Figures,
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._queues = queues
        self._retention = retention
        self._flight = Flight()
        self._figures = figures

    async def send_message(self, context: RequestContext, params: Params) -> Result:
        message_attributes.refuse_lists(params, "SendMessage")
        sender = context.user_id or context.account
        draft = sending.draft(params, self._ids.uuid(), context.trace, sender)

        async def body(tx: Transaction) -> tuple[Queue, Told]:
            queue = await queue_of(tx, self._queues, context, params, "SendMessage")
            return queue, await sending.send(tx, queue, draft)

        queue, told = await self._store.transact(body)
        self._figures.of(queue).add_told(told, draft.message.id, draft.size)
        return told

    async def send_message_batch(self, context: RequestContext, params: Params) -> Result:
        entries = batches.check(
            params.get("Entries"), "SendMessageBatchRequestEntry", "MessageBody"
        )
        drafts: list[Draft | AwsError] = []
        sizes: list[int] = []
        trace, sender = context.trace, context.user_id or context.account
        for entry, id in zip(entries, self._ids.uuids(len(entries)), strict=True):
            if "MessageAttributes" in entry:
                message_attributes.refuse_lists(entry, "SendMessageBatch")
            try:
                draft = sending.draft(entry, id, trace, sender)
            except AwsError as error:
                drafts.append(error)
                sizes.append(0)
            else:
                drafts.append(draft)
                sizes.append(draft.size)
        total = sum(sizes)
        if total > MAX_BATCH_BYTES:
            raise AwsError(
                "BatchRequestTooLong",
                f"Batch requests cannot be longer than {MAX_BATCH_BYTES} bytes. "
                f"You have sent {total} bytes.",
            )

        async def body(tx: Transaction) -> tuple[Queue, list[Told | AwsError]]:
            queue = await queue_of(tx, self._queues, context, params, "SendMessage")
            return queue, await sending.send_all(tx, queue, drafts)

        queue, answers = await self._store.transact(body)
        successful: list[Told] = []
        failed: list[dict[str, Any]] = []
        for at, told in enumerate(answers):
            if isinstance(told, AwsError):
                failed.append(batches.failure(entries[at]["Id"], told))
                sizes[at] = 0
            else:
                told["Id"] = entries[at]["Id"]
                successful.append(told)
        figures = self._figures.of(queue)
        if queue.fifo:
            figures.deduplicated += _forget_repeated(drafts, answers, sizes)
        for size in set(sizes):
            if size:
                figures.add_sent(size, sizes.count(size))
        return batches.result(successful, failed)

    @abandonable
    async def receive_message(self, context: RequestContext, params: Params) -> Result:
        limit = _between(
            params, "MaxNumberOfMessages", 1, 10, "Must be between 1 and 10, if provided."
        )
        wait = _between(
            params,
            "WaitTimeSeconds",
            0,
            MAX_WAIT,
            f"Must be >= 0 and <= {MAX_WAIT}, if provided.",
        )
        visibility = _between(
            params,
            "VisibilityTimeout",
            0,
            MAX_VISIBILITY,
            f"Must be >= 0 and <= {MAX_VISIBILITY}, if provided.",
        )
        attempt = token(params, "ReceiveRequestAttemptId")
        system = frozenset(params.get("AttributeNames") or ()) | frozenset(
            params.get("MessageSystemAttributeNames") or ()
        )
        for name in system - receiving.SYSTEM_ATTRIBUTES:
            raise errors.unknown_attribute(name)

        async def body(tx: Transaction) -> tuple[Queue, list[Received], float | None]:
            queue = await queue_of(tx, self._queues, context, params, "ReceiveMessage")
            lease = float(
                attributes.value(queue, "VisibilityTimeout") if visibility is None else visibility
            )
            if attempt is not None:
                if not queue.fifo:
                    raise errors.wrong_queue_type(attempt, "ReceiveRequestAttemptId")
                repeated = await attempts.repeat(tx, queue, attempt, lease)
                if repeated is not None:
                    return queue, repeated, None
            await self._retention.look(tx, queue)
            room = await self._flight.room(tx, queue)
            if room <= 0:
                if not queue.fifo and _waits(queue, wait) == 0:
                    raise errors.too_many_in_flight()
                return queue, [], _FULL_SECONDS
            count = min(limit or 1, room)
            received, _ = await receiving.claim(tx, self._queues, queue, count, lease)
            if received:
                if attempt is not None:
                    await attempts.remember(tx, queue, attempt, received)
                return queue, received, None
            due = await receiving.next_due(tx, queue)
            return queue, [], None if due is None else max(due - tx.now, 0.0)

        started = self._clock.monotonic()
        arrived: asyncio.Event | None = None
        while True:
            queue, received, due_in = await self._store.transact(body)
            left = started + _waits(queue, wait) - self._clock.monotonic()
            if received or left <= 0:
                break
            if arrived is None or arrived.is_set():
                # Listen first, then look once more, so that nothing slips in between.
                arrived = self._store.work_arrived(queue.work)
                continue
            await self._clock.wait(arrived, left if due_in is None else min(left, due_in))
            if not arrived.is_set():
                arrived = self._store.work_arrived(queue.work)
        self._flight.claimed(queue, len(received))
        self._figures.of(queue).add_received(len(received))
        own = params.get("MessageAttributeNames") or ()
        messages = [receiving.wire(queue, item, system, own) for item in received]
        return {"Messages": messages or None}

    async def delete_message(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> tuple[Queue, float | None]:
            queue = await queue_of(tx, self._queues, context, params, "DeleteMessage")
            return queue, await _delete(tx, queue, params)

        queue, age = await self._store.transact(body)
        self._figures.of(queue).add_deleted(age)
        return None

    async def delete_message_batch(self, context: RequestContext, params: Params) -> Result:
        entries = batches.check(
            params.get("Entries"), "DeleteMessageBatchRequestEntry", "ReceiptHandle"
        )

        async def body(tx: Transaction) -> tuple[Queue, list[float | None], Result]:
            queue = await queue_of(tx, self._queues, context, params, "DeleteMessage")
            ages: list[float | None] = []

            async def delete(entry: Mapping[str, Any]) -> None:
                ages.append(await _delete(tx, queue, entry, batched=True))

            if queue.fifo:
                return queue, ages, await batches.each(entries, delete)
            return queue, ages, await _delete_all(tx, queue, entries, ages)

        queue, ages, result = await self._store.transact(body)
        figures = self._figures.of(queue)
        for age in ages:
            figures.add_deleted(age)
        return result

    async def change_message_visibility(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> None:
            queue = await queue_of(tx, self._queues, context, params, "ChangeMessageVisibility")
            await _change_visibility(tx, queue, params)

        await self._store.transact(body)
        return None

    async def change_message_visibility_batch(
        self, context: RequestContext, params: Params
    ) -> Result:
        entries = batches.check(
            params.get("Entries"), "ChangeMessageVisibilityBatchRequestEntry", "ReceiptHandle"
        )

        async def body(tx: Transaction) -> Result:
            queue = await queue_of(tx, self._queues, context, params, "ChangeMessageVisibility")
            return await batches.each(
                entries, lambda entry: _change_visibility(tx, queue, entry, batched=True)
            )

        return await self._store.transact(body)


def _forget_repeated(
    drafts: Sequence[Draft | AwsError], answers: Sequence[Told | AwsError], sizes: list[int]
) -> int:
    """Take out the sizes of those that were sent before; how many these are."""
    count = 0
    for at, (draft, told) in enumerate(zip(drafts, answers, strict=True)):
        if isinstance(draft, AwsError) or isinstance(told, AwsError):
            continue
        if told["MessageId"] != draft.message.id:
            sizes[at] = 0
            count += 1
    return count


def _between(params: Mapping[str, Any], name: str, low: int, high: int, reason: str) -> int | None:
    value: int | None = params.get(name)
    if value is not None and not low <= value <= high:
        raise errors.invalid_value(value, name, reason)
    return value


def _waits(queue: Queue, given: int | None) -> int:
    """How many seconds a receive waits for a message."""
    return attributes.value(queue, "ReceiveMessageWaitTimeSeconds") if given is None else given


async def _delete(
    tx: Transaction, queue: Queue, params: Mapping[str, Any], *, batched: bool = False
) -> float | None:
    """Delete a message; how many seconds ago it was sent, None when it was kept or gone."""
    handle = params.get("ReceiptHandle")
    if not handle:
        raise errors.missing("ReceiptHandle")
    id, claim, _, sent = parse_receipt(handle, queue.uid)
    if queue.fifo:
        work = await tx.item(queue.work, id)
        if work is not None and not (work.leased and work.token == claim):
            raise errors.expired_receipt(handle, batched)
    # A standard queue answers success to an overtaken handle, and keeps the message.
    return tx.now - sent / 1000 if await tx.settle(queue.work, id, claim) else None


async def _delete_all(
    tx: Transaction,
    queue: Queue,
    entries: Sequence[dict[str, Any]],
    ages: list[float | None],
) -> Result:
    """Delete messages of a standard queue, as `_delete` does each; their ages are added."""
    claims: list[tuple[int, int]] = []
    sent: list[int] = []
    successful: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for entry in entries:
        try:
            id, claim, _, at = parse_receipt(entry["ReceiptHandle"], queue.uid)
        except AwsError as error:
            failed.append(batches.failure(entry["Id"], error))
            continue
        claims.append((id, claim))
        sent.append(at)
        successful.append({"Id": entry["Id"]})
    removed = await tx.settle_all(queue.work, claims)
    now = tx.now
    ages += [now - at / 1000 if gone else None for at, gone in zip(sent, removed, strict=True)]
    return batches.result(successful, failed)


async def _change_visibility(
    tx: Transaction, queue: Queue, params: Mapping[str, Any], *, batched: bool = False
) -> None:
    handle = params.get("ReceiptHandle")
    if not handle:
        raise errors.missing("ReceiptHandle")
    timeout = params.get("VisibilityTimeout")
    if timeout is None:
        raise errors.missing("VisibilityTimeout")
    if not 0 <= timeout <= MAX_VISIBILITY:
        raise errors.invalid_value(
            timeout,
            "VisibilityTimeout",
            f"VisibilityTimeout must be an integer between 0 and {MAX_VISIBILITY}.",
        )
    id, claim, time, _ = parse_receipt(handle, queue.uid)
    if int(tx.now - time / 1000) + timeout > MAX_VISIBILITY:
        raise errors.invalid_value(
            timeout,
            "VisibilityTimeout",
            f"Total VisibilityTimeout for the message is beyond the limit [{MAX_VISIBILITY} "
            "seconds]",
        )
    if await tx.extend(queue.work, id, claim, float(timeout)):
        return
    work = await tx.item(queue.work, id)
    if work is not None and queue.fifo:
        raise errors.expired_receipt(handle, batched)
    if work is not None and work.token == claim:
        raise AwsError(
            "MessageNotInflight",
            f"Value {handle} for parameter ReceiptHandle is invalid. "
            "Reason: Message is not in flight.",
        )
    raise errors.invalid_value(
        handle,
        "ReceiptHandle",
        "Message does not exist or is not available for visibility timeout change.",
    )
