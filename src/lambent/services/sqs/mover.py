"""Runs tasks on a queue's messages (move, replay, discard): one step after the other, each a
single transaction.

A task is one item of work. A step claims it, moves some messages, notes how far it came and
gives the item back until the next step is due, all in one commit: a node that is killed
goes on with the next step, and a message is never in both queues or in neither.
"""

from __future__ import annotations

import msgspec

from lambent.core.arns import Arn
from lambent.core.clock import Clock
from lambent.core.duty import Duty
from lambent.core.errors import AwsError
from lambent.core.ids import Ids
from lambent.events.contract import Event, Sender, Targets
from lambent.events.history import NOTHING
from lambent.services.sqs import attributes, move_control, moves
from lambent.services.sqs.model import Message, Queue, decode_message, placed
from lambent.services.sqs.moves import MoveTask
from lambent.services.sqs.queues import Queues
from lambent.services.sqs.recovery.letters import letter
from lambent.services.sqs.recovery.returns import event, origin
from lambent.services.sqs.recovery.selection import matches
from lambent.services.sqs.retention import kept_since
from lambent.store.contract import Store, Transaction, Work

NO_QUEUE = "AWS.SimpleQueueService.NonExistentQueue"
NO_SOURCE = "CouldNotDetermineMessageSource"
PRINCIPAL = "sqs.amazonaws.com"
_LEASE = 30.0
_RETRY_SECONDS = 5.0


class Mover:
    """The background work of one node that moves messages."""

    def __init__(
        self, store: Store, clock: Clock, ids: Ids, queues: Queues, targets: Targets
    ) -> None:
        self._ids = ids
        self._queues = queues
        self._targets = targets
        self.duty = Duty(
            clock,
            "moving messages",
            lambda: store.transact(self._step),
            retry=_RETRY_SECONDS,
            woken_by=lambda: store.work_arrived(move_control.QUEUE),
        )

    async def _step(self, tx: Transaction) -> float | None:
        """One step of the task that is due; seconds until the next is, None: there is none."""
        for work in await tx.claim(move_control.QUEUE, 1, _LEASE):
            key = moves.decode(work.payload).key
            record = await tx.get(moves.COLLECTION, *key)
            task = moves.decode(record.value) if record else None
            if task is None or task.status not in moves.ACTIVE:
                await tx.settle(move_control.QUEUE, work.id, work.token)
                continue
            after = await self._advance(tx, task)
            await move_control.save(tx, after)
            if after.status in moves.ACTIVE:
                pause = after.pause(after.moved - task.moved)
                await tx.release(move_control.QUEUE, work.id, work.token, pause)
            else:
                await tx.settle(move_control.QUEUE, work.id, work.token)
                await move_control.ended(tx, after)
        due = await tx.next_due(move_control.QUEUE)
        return None if due is None else max(due - tx.now, 0.0)

    async def _advance(self, tx: Transaction, task: MoveTask) -> MoveTask:
        """Move up to a step's messages; the task as it is then."""
        if task.status == moves.CANCELLING:
            return msgspec.structs.replace(task, status=moves.CANCELLED)
        source = await self._queues.by_arn(tx, Arn.parse(task.source))
        if source is None or source.uid != task.incarnation:
            return _failed(task, NO_QUEUE)
        since = kept_since(tx.now, source)
        left, held = task.step, set(task.held)
        items = await tx.browse(source.work, after=task.after, limit=moves.UNLIMITED)
        for work in items:
            if work.id > task.until or left == 0:
                break
            group = work.group if source.fifo else None
            wanted = work.created > since and matches(task.selection, letter(work))
            if work.leased or work.due > tx.now or group in held:
                if group is not None:
                    held.add(group)
                task = msgspec.structs.replace(task, passed=task.passed + wanted)
            elif wanted:
                came = await self._treat(tx, task, source, work)
                if came.status == moves.FAILED:
                    return came
                left -= came.moved - task.moved
                task = came
            task = msgspec.structs.replace(task, after=work.id)
        rest = [work.id for work in items if work.id > task.after]
        done = rest[0] > task.until if rest else len(items) < moves.UNLIMITED
        return msgspec.structs.replace(
            task,
            held=tuple(sorted(held)),
            status=moves.COMPLETED if done else moves.RUNNING,
        )

    async def _treat(self, tx: Transaction, task: MoveTask, source: Queue, work: Work) -> MoveTask:
        """Do with one message what the task is for; the task with that counted."""
        message = decode_message(work.payload)
        if task.action == moves.DISCARD:
            await tx.settle(source.work, work.id, None)
            return msgspec.structs.replace(task, moved=task.moved + 1)
        history = message.history or NOTHING
        if task.cap is not None and history.replays >= task.cap:
            return msgspec.structs.replace(task, capped=task.capped + 1)
        failure = await self._send(tx, source, task.destination or origin(message), work, message)
        if failure is None:
            return msgspec.structs.replace(task, moved=task.moved + 1)
        if task.action == moves.MOVE:
            return _failed(task, failure)
        return msgspec.structs.replace(task, unroutable=task.unroutable + 1)

    async def _send(
        self, tx: Transaction, source: Queue, to: str | None, work: Work, message: Message
    ) -> str | None:
        """As a new message, with its own id, enqueue time and retention, or as the event that
        a function is invoked with; why not, otherwise."""
        if to is None:
            return NO_SOURCE
        arn = Arn.parse(to)
        history = message.history or NOTHING
        history = msgspec.structs.replace(history, replays=history.replays + 1, died=None)
        if arn.service == "sqs":
            target = await self._queues.by_arn(tx, arn)
            if target is None:
                return NO_QUEUE
            fresh = msgspec.structs.replace(
                message, id=self._ids.uuid(), source=None, history=history, receives=0
            )
            delay = float(attributes.value(target, "DelaySeconds"))
            await tx.enqueue(target.work, [placed(target, fresh, delay=delay)])
        else:
            other = self._targets.target(arn)
            if other is None:
                return NO_SOURCE
            body = event(message.body)
            # As the account itself: it is the account's own request that moves messages.
            root = f"arn:aws:iam::{source.account}:root"
            sender = Sender(PRINCIPAL, source.arn, source.account, root)
            try:
                await other.accept(tx, arn, Event(body, sender, message.trace, history=history))
            except AwsError as error:
                return error.message
        await tx.settle(source.work, work.id, None)
        return None


def _failed(task: MoveTask, reason: str) -> MoveTask:
    return msgspec.structs.replace(task, status=moves.FAILED, failure=reason)
