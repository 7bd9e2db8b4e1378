"""Runs message move tasks: one step after the other, each a single transaction.

A task is one item of work. A step claims it, moves some messages, notes how far it came and
gives the item back until the next step is due, all in one commit: a node that is killed
goes on with the next step, and a message is never in both queues or in neither.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import msgspec

from lambent.core.arns import Arn
from lambent.core.clock import Clock
from lambent.core.errors import StoreError
from lambent.core.ids import Ids
from lambent.services.sqs import attributes, moves
from lambent.services.sqs.model import Message, Queue, decode_message, placed
from lambent.services.sqs.moves import MoveTask
from lambent.services.sqs.queues import Queues
from lambent.services.sqs.retention import kept_since
from lambent.store.contract import Store, Transaction, Work

QUEUE: Final = "sqs.move_tasks"
"""The work: one item per active task, whose payload is the task's stored form as begun."""

NO_QUEUE = "AWS.SimpleQueueService.NonExistentQueue"
NO_SOURCE = "CouldNotDetermineMessageSource"
_LEASE = 30.0
_RETRY_SECONDS = 5.0
_log = logging.getLogger("lambent.sqs")


class Mover:
    """The background work of one node that moves messages."""

    def __init__(self, store: Store, clock: Clock, ids: Ids, queues: Queues) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._queues = queues
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take up the tasks that an earlier run left, and wait for new ones."""
        self._running = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End between two steps; the next start goes on."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            arrived = self._store.work_arrived(QUEUE)
            try:
                due_in = await self._store.transact(self._step)
            except StoreError as error:
                _log.warning("moving messages is put off: %s", error)
                due_in = _RETRY_SECONDS
            except Exception:
                _log.exception("a message move task failed")
                due_in = _RETRY_SECONDS
            if due_in is None or due_in > 0:
                await self._clock.wait(arrived, due_in)

    async def _step(self, tx: Transaction) -> float | None:
        """One step of the task that is due; seconds until the next is, None: there is none."""
        for work in await tx.claim(QUEUE, 1, _LEASE):
            key = moves.decode(work.payload).key
            record = await tx.get(moves.COLLECTION, *key)
            task = moves.decode(record.value) if record else None
            if task is None or task.status not in moves.ACTIVE:
                await tx.settle(QUEUE, work.id, work.token)
                continue
            after = await self._advance(tx, task)
            await tx.put(moves.COLLECTION, *key, moves.encode(after))
            if after.status in moves.ACTIVE:
                pause = after.pause(after.moved - task.moved)
                await tx.release(QUEUE, work.id, work.token, pause)
            else:
                await tx.settle(QUEUE, work.id, work.token)
        due = await tx.next_due(QUEUE)
        return None if due is None else max(due - tx.now, 0.0)

    async def _advance(self, tx: Transaction, task: MoveTask) -> MoveTask:
        """Move up to a step's messages; the task as it is then."""
        if task.status == moves.CANCELLING:
            return msgspec.structs.replace(task, status=moves.CANCELLED)
        source = await self._queues.by_arn(tx, Arn.parse(task.source))
        if source is None or source.uid != task.incarnation:
            return _failed(task, NO_QUEUE)
        since = kept_since(tx.now, source)
        moved, after, held = 0, task.after, set(task.held)
        items = await tx.browse(source.work, after=task.after, limit=task.step)
        for work in items:
            if work.id > task.until:
                break
            group = work.group if source.fifo else None
            if work.leased or work.due > tx.now or group in held:
                if group is not None:
                    held.add(group)
            elif work.created > since:
                message = decode_message(work.payload)
                target, failure = await self._destination(tx, task, message)
                if target is None:
                    so_far = msgspec.structs.replace(task, moved=task.moved + moved, after=after)
                    return _failed(so_far, failure)
                await self._move(tx, source, target, work, message)
                moved += 1
            after = work.id
        done = len(items) < task.step or items[-1].id >= task.until
        return msgspec.structs.replace(
            task,
            moved=task.moved + moved,
            after=after,
            held=tuple(sorted(held)),
            status=moves.COMPLETED if done else moves.RUNNING,
        )

    async def _destination(
        self, tx: Transaction, task: MoveTask, message: Message
    ) -> tuple[Queue | None, str]:
        """The queue that a message goes to, or None and why not."""
        arn = task.destination or message.source
        if arn is None:
            return None, NO_SOURCE
        return await self._queues.by_arn(tx, Arn.parse(arn)), NO_QUEUE

    async def _move(
        self, tx: Transaction, source: Queue, target: Queue, work: Work, message: Message
    ) -> None:
        """As a new message: with its own id, enqueue time and retention."""
        await tx.settle(source.work, work.id, None)
        fresh = msgspec.structs.replace(message, id=self._ids.uuid(), source=None)
        delay = float(attributes.value(target, "DelaySeconds"))
        await tx.enqueue(target.work, [placed(target, fresh, delay=delay)])


def _failed(task: MoveTask, reason: str) -> MoveTask:
    return msgspec.structs.replace(task, status=moves.FAILED, failure=reason)
