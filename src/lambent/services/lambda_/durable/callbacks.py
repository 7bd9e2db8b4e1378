"""Callbacks: another system completes an operation that an execution waits for.

Source: Lambda API Reference, SendDurableExecutionCallbackSuccess, …Failure and …Heartbeat.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.services.lambda_ import errors
from lambent.services.lambda_.base import Base
from lambent.services.lambda_.durable import checks, machine, naming
from lambent.services.lambda_.durable.book import Book
from lambent.services.lambda_.durable.machine import Change
from lambent.services.lambda_.durable.model import FAILED, SUCCEEDED, Operation
from lambent.store.contract import Transaction


class CallbackOperations(Base):
    """The three operations."""

    async def send_durable_execution_callback_success(
        self, context: RequestContext, params: Params
    ) -> Result:
        """SendDurableExecutionCallbackSuccess."""
        payload: bytes = params.get("Result") or b""
        if len(payload) > checks.PAYLOAD:
            raise errors.invalid(
                f"CALLBACK output payload size must be less than or equal to {checks.PAYLOAD} "
                "bytes."
            )
        try:
            result = payload.decode() if payload else None
        except UnicodeDecodeError:
            raise errors.invalid("The callback's result is not valid UTF-8.") from None
        return await self._complete(context, params, SUCCEEDED, result, None)

    async def send_durable_execution_callback_failure(
        self, context: RequestContext, params: Params
    ) -> Result:
        """SendDurableExecutionCallbackFailure."""
        error = params.get("Error") or {}
        checks.error(error)
        return await self._complete(context, params, FAILED, None, error)

    async def send_durable_execution_callback_heartbeat(
        self, context: RequestContext, params: Params
    ) -> Result:
        """SendDurableExecutionCallbackHeartbeat."""

        async def body(tx: Transaction) -> None:
            book, operation = await _open(tx, context, params["CallbackId"])
            await book.change(Change(machine.heartbeat(operation, tx.now)))
            await book.close()

        await self._store.transact(body)
        return {}

    async def _complete(
        self,
        context: RequestContext,
        params: Params,
        status: str,
        result: str | None,
        error: Mapping[str, Any] | None,
    ) -> Result:
        async def body(tx: Transaction) -> None:
            book, operation = await _open(tx, context, params["CallbackId"])
            told = dict(error) if error is not None else None
            await book.complete(
                machine.completed(operation, status, tx.now, result=result, error=told)
            )
            await book.close()

        await self._store.transact(body)
        return {}


async def _open(tx: Transaction, context: RequestContext, id: str) -> tuple[Book, Operation]:
    """The execution and the operation that wait for a callback."""
    key, name = naming.callback(context, id)
    book = await Book.open(tx, key)
    operation = await book.operation(name) if book is not None else None
    if book is None or operation is None or operation.callback != id:
        raise errors.not_found("The callback does not exist.")
    if book.execution.over or operation.status != "STARTED":
        raise _closed()
    return book, operation


def _closed() -> AwsError:
    return AwsError(
        "CallbackTimeoutException",
        "The callback ID token has either expired or the callback associated with the token has "
        "already been closed.",
        400,
        {"Type": "User"},
    )
