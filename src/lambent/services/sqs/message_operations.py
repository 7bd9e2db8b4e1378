"""The operations on messages."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from lambent.core.clock import Clock
from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.core.ids import Ids
from lambent.core.registry import abandonable
from lambent.services.sqs import attributes, batches, errors, receiving, sending
from lambent.services.sqs.lookup import queue_of
from lambent.services.sqs.model import Queue
from lambent.services.sqs.names import parse_receipt
from lambent.services.sqs.queues import Queues
from lambent.services.sqs.receiving import Received
from lambent.store.contract import Store, Transaction

MAX_VISIBILITY = 43_200
MAX_WAIT = 20
MAX_BATCH_BYTES = 1_048_576


class MessageOperations:
    """Send, receive, delete, and change the visibility of messages."""

    def __init__(self, store: Store, clock: Clock, ids: Ids, queues: Queues) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._queues = queues

    async def send_message(self, context: RequestContext, params: Params) -> Result:
        message = sending.draft(params, context.trace, context.account)

        async def body(tx: Transaction) -> sending.Receipt:
            queue = await queue_of(tx, self._queues, context, params)
            return await sending.send(tx, self._ids, queue, message)

        return (await self._store.transact(body)).wire()

    async def send_message_batch(self, context: RequestContext, params: Params) -> Result:
        entries = batches.check(params.get("Entries"), "SendMessageBatchRequestEntry")
        drafts: list[tuple[str, sending.Draft | AwsError]] = []
        for entry in entries:
            try:
                drafts.append((entry["Id"], sending.draft(entry, context.trace, context.account)))
            except AwsError as error:
                drafts.append((entry["Id"], error))
        total = sum(draft.size for _, draft in drafts if isinstance(draft, sending.Draft))
        if total > MAX_BATCH_BYTES:
            raise AwsError(
                "BatchRequestTooLong",
                f"Batch requests cannot be longer than {MAX_BATCH_BYTES} bytes. "
                f"You have sent {total} bytes.",
            )

        async def body(tx: Transaction) -> Result:
            queue = await queue_of(tx, self._queues, context, params)
            successful: list[dict[str, Any]] = []
            failed: list[dict[str, Any]] = []
            for id, draft in drafts:
                try:
                    if isinstance(draft, AwsError):
                        raise draft
                    receipt = await sending.send(tx, self._ids, queue, draft)
                    successful.append({"Id": id, **receipt.wire()})
                except AwsError as error:
                    failed.append(batches.failure(id, error))
            return batches.result(successful, failed)

        return await self._store.transact(body)

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
        system = frozenset(params.get("AttributeNames") or ()) | frozenset(
            params.get("MessageSystemAttributeNames") or ()
        )
        for name in system - receiving.SYSTEM_ATTRIBUTES:
            raise errors.unknown_attribute(name)

        async def body(tx: Transaction) -> tuple[Queue, list[Received], float | None]:
            queue = await queue_of(tx, self._queues, context, params)
            lease = visibility
            if lease is None:
                lease = attributes.value(queue, "VisibilityTimeout")
            received = await receiving.claim(tx, self._queues, queue, limit or 1, float(lease))
            due = None if received else await receiving.next_due(tx, queue)
            return queue, received, None if due is None else max(due - tx.now, 0.0)

        started = self._clock.monotonic()
        arrived: asyncio.Event | None = None
        while True:
            queue, received, due_in = await self._store.transact(body)
            if wait is None:
                wait = attributes.value(queue, "ReceiveMessageWaitTimeSeconds")
            left = started + wait - self._clock.monotonic()
            if received or left <= 0:
                break
            if arrived is None or arrived.is_set():
                # Listen first, then look once more, so that nothing slips in between.
                arrived = self._store.work_arrived(queue.work)
                continue
            await self._clock.wait(arrived, left if due_in is None else min(left, due_in))
            if not arrived.is_set():
                arrived = self._store.work_arrived(queue.work)
        own = params.get("MessageAttributeNames") or ()
        messages = [receiving.wire(queue, item, system, own) for item in received]
        return {"Messages": messages or None}

    async def delete_message(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> None:
            queue = await queue_of(tx, self._queues, context, params)
            await _delete(tx, queue, params)

        await self._store.transact(body)
        return None

    async def delete_message_batch(self, context: RequestContext, params: Params) -> Result:
        entries = batches.check(params.get("Entries"), "DeleteMessageBatchRequestEntry")

        async def body(tx: Transaction) -> Result:
            queue = await queue_of(tx, self._queues, context, params)
            successful: list[dict[str, Any]] = []
            failed: list[dict[str, Any]] = []
            for entry in entries:
                try:
                    await _delete(tx, queue, entry)
                    successful.append({"Id": entry["Id"]})
                except AwsError as error:
                    failed.append(batches.failure(entry["Id"], error))
            return batches.result(successful, failed)

        return await self._store.transact(body)

    async def change_message_visibility(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> None:
            queue = await queue_of(tx, self._queues, context, params)
            await _change_visibility(tx, queue, params)

        await self._store.transact(body)
        return None

    async def change_message_visibility_batch(
        self, context: RequestContext, params: Params
    ) -> Result:
        entries = batches.check(params.get("Entries"), "ChangeMessageVisibilityBatchRequestEntry")

        async def body(tx: Transaction) -> Result:
            queue = await queue_of(tx, self._queues, context, params)
            successful: list[dict[str, Any]] = []
            failed: list[dict[str, Any]] = []
            for entry in entries:
                try:
                    await _change_visibility(tx, queue, entry)
                    successful.append({"Id": entry["Id"]})
                except AwsError as error:
                    failed.append(batches.failure(entry["Id"], error))
            return batches.result(successful, failed)

        return await self._store.transact(body)


def _between(params: Mapping[str, Any], name: str, low: int, high: int, reason: str) -> int | None:
    value: int | None = params.get(name)
    if value is not None and not low <= value <= high:
        raise errors.invalid_value(value, name, reason)
    return value


async def _delete(tx: Transaction, queue: Queue, params: Mapping[str, Any]) -> None:
    handle = params.get("ReceiptHandle")
    if not handle:
        raise errors.missing("ReceiptHandle")
    id, token = parse_receipt(handle, queue.uid)
    if queue.fifo:
        work = await tx.item(queue.work, id)
        if work is not None and not (work.leased and work.token == token):
            raise errors.invalid_value(handle, "ReceiptHandle", "The receipt handle has expired.")
    # A standard queue answers success to an overtaken handle, and keeps the message.
    await tx.settle(queue.work, id, token)


async def _change_visibility(tx: Transaction, queue: Queue, params: Mapping[str, Any]) -> None:
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
    id, token = parse_receipt(handle, queue.uid)
    if await tx.extend(queue.work, id, token, float(timeout)):
        return
    work = await tx.item(queue.work, id)
    if work is not None and work.token == token:
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
