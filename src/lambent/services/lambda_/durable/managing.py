"""Stopping, pausing, resuming and deleting executions.

Source: Lambda API Reference; Lambda Developer Guide, "Managing durable executions" and "Pausing
and resuming durable executions".
"""

from __future__ import annotations

from typing import Any

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.services.lambda_ import errors
from lambent.services.lambda_.base import Base
from lambent.services.lambda_.durable import checks, config, ending, machine, naming, pausing
from lambent.services.lambda_.durable.book import Book, remove
from lambent.services.lambda_.durable.model import PAUSED, PAUSING, RUNNING, STOPPED, Pause
from lambent.store.contract import Transaction


class ManagingOperations(Base):
    """What callers do to one execution."""

    async def stop_durable_execution(self, context: RequestContext, params: Params) -> Result:
        """StopDurableExecution. Stopping one that has ended changes nothing."""
        error = params.get("Error") or {}
        checks.error(error)

        async def body(tx: Transaction) -> float:
            book = await _open(tx, context, params)
            if not book.execution.over:
                await ending.end(book, self._platform.targets, STOPPED, error=dict(error))
                await book.close()
            return book.execution.ended or tx.now

        return {"StopTimestamp": await self._store.transact(body)}

    async def pause_durable_execution(self, context: RequestContext, params: Params) -> Result:
        """PauseDurableExecution."""
        token = params.get("ClientToken")
        holds = params.get("ExecutionTimeoutPaused")

        async def body(tx: Transaction) -> None:
            book = await _open(tx, context, params)
            execution = book.execution
            if execution.status != RUNNING:
                repeated = execution.pause is not None and execution.pause.token == token
                if token and repeated and not execution.over:
                    return
                raise _in_state(execution.status, "paused")
            execution.pause = Pause(tx.now, holds is not False, params.get("Reason"), token)
            execution.status = PAUSING
            if not execution.active:
                pausing.begin(book)
            await book.close()

        await self._store.transact(body)
        return {}

    async def resume_durable_execution(self, context: RequestContext, params: Params) -> Result:
        """ResumeDurableExecution."""
        token = params.get("ClientToken")

        async def body(tx: Transaction) -> None:
            book = await _open(tx, context, params)
            execution = book.execution
            pause = execution.pause
            if execution.status not in (PAUSED, PAUSING) or pause is None:
                if token and execution.resume_token == token and not execution.over:
                    return
                raise _in_state(execution.status, "resumed")
            if execution.status == PAUSED:
                details: dict[str, Any] = {
                    "ResumeRequestTimestamp": tx.now,
                    "Reason": machine.shown_payload(params.get("Reason")),
                }
                book.tell("ExecutionResumed", details)
            if pause.holds_timeout:
                longest = execution.started + config.LONGEST
                execution.deadline = min(execution.deadline + tx.now - pause.requested, longest)
                await book.timer("timeout", max(execution.deadline - tx.now, 0.0))
            execution.status, execution.pause, execution.resume_token = RUNNING, None, token
            if execution.stirred and not execution.active:
                await book.run()
            await book.close()

        await self._store.transact(body)
        return {}

    async def delete_durable_execution(self, context: RequestContext, params: Params) -> Result:
        """DeleteDurableExecution. It is gone when this returns."""

        async def body(tx: Transaction) -> float:
            book = await _open(tx, context, params)
            if not book.execution.over:
                raise _in_state(book.execution.status, "deleted")
            await remove(tx, book.key, book.execution)
            return tx.now

        return {"DeletionRequestTimestamp": await self._store.transact(body)}


async def _open(tx: Transaction, context: RequestContext, params: Params) -> Book:
    key = naming.parse(context, params["DurableExecutionArn"])
    book = await Book.open(tx, key)
    if book is None or naming.arn(key, book.execution) != params["DurableExecutionArn"]:
        raise naming.not_found(params["DurableExecutionArn"])
    return book


def _in_state(status: str, what: str) -> AwsError:
    return errors.conflict(f"The durable execution is {status} and cannot be {what}.")
