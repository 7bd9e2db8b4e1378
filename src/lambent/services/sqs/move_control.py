"""Begins tasks on a queue's messages, and pauses, resumes and cancels them."""

from __future__ import annotations

from typing import Final

import msgspec

from lambent.core.errors import AwsError
from lambent.services.sqs import errors, moves
from lambent.services.sqs.model import Queue
from lambent.services.sqs.moves import MoveTask
from lambent.services.sqs.recovery import audit
from lambent.store.contract import NewWork, Transaction

QUEUE: Final = "sqs.move_tasks"
"""The work: one item per active task, whose payload is the task's stored form as begun."""


async def begin(tx: Transaction, source: Queue, task: MoveTask) -> MoveTask:
    """Let a task begin; AwsError when the queue has one already."""
    if await live(tx, source) is not None:
        raise errors.invalid(
            "There is already a task running. Only one active task is allowed for a "
            "source queue arn at a given time."
        )
    earlier = await tx.scan(moves.COLLECTION, source.arn.encode(), reverse=True)
    for record in earlier[moves.MAX_KEPT - 1 :]:
        await tx.delete(moves.COLLECTION, record.partition, record.sort)
    # Ids grow over the whole store: what comes to the source later has a greater one.
    (bound,) = await tx.enqueue(QUEUE, [NewWork(moves.encode(task))])
    task = msgspec.structs.replace(task, until=bound)
    await save(tx, task)
    return task


async def live(tx: Transaction, source: Queue) -> MoveTask | None:
    """The queue's task that has not ended."""
    records = await tx.scan(moves.COLLECTION, source.arn.encode())
    tasks = (moves.decode(record.value) for record in records)
    return next((task for task in tasks if task.status in moves.LIVE), None)


async def save(tx: Transaction, task: MoveTask) -> None:
    """Write a task's present state."""
    await tx.put(moves.COLLECTION, *task.key, moves.encode(task))


async def pause(tx: Transaction, task: MoveTask) -> MoveTask:
    """Take no more steps until `resume`."""
    if task.status != moves.RUNNING:
        raise AwsError("UnsupportedOperation", "Only a running task can be paused.", 400)
    return await _become(tx, task, moves.PAUSED)


async def resume(tx: Transaction, task: MoveTask) -> MoveTask:
    """Go on after `pause`."""
    if task.status != moves.PAUSED:
        raise AwsError("UnsupportedOperation", "Only a paused task can be resumed.", 400)
    await tx.enqueue(QUEUE, [NewWork(moves.encode(task))])
    return await _become(tx, task, moves.RUNNING)


async def cancel(tx: Transaction, task: MoveTask) -> MoveTask:
    """Take no more steps; what was moved stays moved."""
    if task.status not in (moves.RUNNING, moves.PAUSED):
        raise AwsError("UnsupportedOperation", "Only active tasks can be cancelled.", 400)
    if task.status == moves.RUNNING:
        return await _become(tx, task, moves.CANCELLING)
    # Nobody takes steps of a paused task, so nobody would notice.
    task = await _become(tx, task, moves.CANCELLED)
    await ended(tx, task)
    return task


async def _become(tx: Transaction, task: MoveTask, status: str) -> MoveTask:
    task = msgspec.structs.replace(task, status=status)
    await save(tx, task)
    return task


async def ended(tx: Transaction, task: MoveTask) -> None:
    """Write into the audit how a task of Lambent's own ended."""
    if task.action == moves.MOVE:
        return
    account, region = task.place
    entry = await audit.read(tx, account, region, task.started, task.id)
    if entry is not None:
        entry = msgspec.structs.replace(
            entry,
            status=task.status,
            moved=task.moved,
            capped=task.capped,
            passed=task.passed,
            unroutable=task.unroutable,
            failure=task.failure,
            ended=tx.now,
        )
        await audit.write(tx, account, region, entry)
