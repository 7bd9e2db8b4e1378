"""SQS queues as sources of the delivery engine."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lambent.core.arns import Arn
from lambent.events.contract import Batch, Kept
from lambent.events.history import NOTHING, Failure
from lambent.services.sqs import attributes, errors, receiving, redrive
from lambent.services.sqs.figures import Figures
from lambent.services.sqs.model import Queue, decode_message, encode, placed
from lambent.services.sqs.queues import Queues
from lambent.store.contract import Store, Transaction

_PREVIEW = 200
"""How many characters of a body people are shown."""

Ticket = tuple[str, int, int]
"""The store's queue, the work's id and the claim's token."""


class QueueSource:
    """Claims messages as records; see `events.contract.Source`."""

    def __init__(self, store: Store, queues: Queues, figures: Figures) -> None:
        self._store = store
        self._queues = queues
        self._figures = figures
        self._work_names: dict[Arn, str] = {}

    async def _queue(self, tx: Transaction, arn: Arn) -> Queue:
        queue = await self._queues.by_arn(tx, arn)
        if queue is None:
            raise errors.no_such_queue()
        before = self._work_names.get(arn)
        if before != queue.work:
            self._work_names[arn] = queue.work
            if before is not None:
                # The queue was made again: who listens to the one that is gone looks again.
                self._store.work_arrived(before).set()
        return queue

    async def claim(self, tx: Transaction, arn: Arn, limit: int, lease: float | None) -> Batch:
        queue = await self._queue(tx, arn)
        if lease is None:
            lease = float(attributes.value(queue, "VisibilityTimeout"))
        received, moved = await receiving.claim(tx, self._queues, queue, limit, lease)
        self._figures.of(queue).add_received(len(received))
        return Batch(
            records=[receiving.lambda_record(queue, item) for item in received],
            identifiers=[item.message.id for item in received],
            tickets=[(queue.work, item.work.id, item.work.token) for item in received],
            dead_lettered=moved,
        )

    async def settle(self, tx: Transaction, arn: Arn, tickets: Sequence[Ticket]) -> None:
        deleted = 0
        for work, same in itertools.groupby(tickets, key=_work_of):
            deleted += sum(await tx.settle_all(work, [(id, token) for _, id, token in same]))
        queue = await self._queues.by_arn(tx, arn)
        if queue is not None:
            self._figures.of(queue).deleted += deleted

    async def remember(
        self, tx: Transaction, arn: Arn, tickets: Sequence[Ticket], failure: Failure
    ) -> None:
        for work, id, token in tickets:
            item = await tx.item(work, id)
            if item is not None:
                message = decode_message(item.payload)
                history = (message.history or NOTHING).and_then(failure)
                payload = encode(msgspec.structs.replace(message, history=history))
                await tx.rewrite(work, id, token, payload)

    async def fail(
        self, tx: Transaction, arn: Arn, tickets: Sequence[Ticket], delay: float | None
    ) -> None:
        if delay is None:
            return
        for work, id, token in tickets:
            # Hidden, and counted as in flight, as after ChangeMessageVisibility.
            await tx.extend(work, id, token, delay)

    async def extend(
        self, tx: Transaction, arn: Arn, tickets: Sequence[Ticket], lease: float
    ) -> None:
        for work, id, token in tickets:
            await tx.extend(work, id, token, lease)

    async def postpone(
        self, tx: Transaction, arn: Arn, tickets: Sequence[Ticket], delay: float
    ) -> None:
        for work, id, token in tickets:
            await tx.release(work, id, token, delay, uncounted=True)

    async def dead_letter(self, tx: Transaction, arn: Arn, tickets: Sequence[Ticket]) -> bool:
        queue = await self._queue(tx, arn)
        policy = redrive.policy_of(queue)
        target = await self._queues.by_arn(tx, policy.target) if policy else None
        if target is None:
            return False
        for work, id, token in tickets:
            item = await tx.item(work, id)
            if item is not None and item.token == token:
                message = decode_message(item.payload)
                await receiving.move(tx, queue, target, item, message, item.attempts)
        return True

    async def take_out(self, tx: Transaction, arn: Arn, tickets: Sequence[Ticket]) -> list[Kept]:
        taken = []
        for work, id, token in tickets:
            item = await tx.item(work, id)
            if item is not None and await tx.settle(work, id, token):
                message = decode_message(item.payload)
                taken.append(Kept(message.id, message.body[:_PREVIEW], item.payload))
        return taken

    async def put_back(self, tx: Transaction, arn: Arn, values: Sequence[bytes]) -> None:
        queue = await self._queue(tx, arn)
        # As for moved messages, their retention begins anew.
        await tx.enqueue(queue.work, [placed(queue, decode_message(one)) for one in values])

    def arrived(self, arn: Arn) -> asyncio.Event:
        work = self._work_names.get(arn)
        if work is None:
            # Nothing was claimed yet, so which incarnation to listen to is not known: look.
            event = asyncio.Event()
            event.set()
            return event
        return self._store.work_arrived(work)

    async def next_due(self, tx: Transaction, arn: Arn) -> float | None:
        return await receiving.next_due(tx, await self._queue(tx, arn))

    async def describe(self, tx: Transaction, arn: Arn) -> Mapping[str, Any]:
        queue = await self._queue(tx, arn)
        return {
            "visibility_timeout": float(attributes.value(queue, "VisibilityTimeout")),
            "fifo": queue.fifo,
        }


def _work_of(ticket: Ticket) -> str:
    return ticket[0]
