"""Waits for executions to end: for callers who want the result, on whatever node it comes."""

from __future__ import annotations

from dataclasses import dataclass

from lambent.core.clock import Clock
from lambent.services.lambda_.durable import book, ending
from lambent.services.lambda_.durable.config import SYNCHRONOUS
from lambent.services.lambda_.durable.model import ENDED, SUCCEEDED, Execution, Key
from lambent.store.contract import Store, Transaction


@dataclass(frozen=True, slots=True)
class Result:
    """An execution's end as the caller of a function sees it."""

    payload: bytes
    error: str | None


async def result(store: Store, clock: Clock, key: Key) -> Result:
    """The result, once there is one; or that it took too long."""
    ends = clock.monotonic() + SYNCHRONOUS
    while True:
        grew = store.log_grew(key.history)
        execution, payload = await store.transact(lambda tx: _look(tx, key))
        if execution is None:
            error = {"ErrorType": "DurableExecution.Deleted", "ErrorMessage": "It was deleted."}
            return Result(ending.payload_of(error), "Unhandled")
        if execution.status == SUCCEEDED:
            return Result((payload if payload is not None else "null").encode(), None)
        if execution.status in ENDED:
            return Result(ending.payload_of(execution.error or {}), "Unhandled")
        left = ends - clock.monotonic()
        if left <= 0:
            late = {
                "ErrorType": "Sandbox.Timedout",
                "ErrorMessage": f"Task timed out after {SYNCHRONOUS} seconds",
            }
            return Result(ending.payload_of(late), "Unhandled")
        await clock.wait(grew, left)


async def _look(tx: Transaction, key: Key) -> tuple[Execution | None, str | None]:
    execution = await book.find(tx, key)
    if execution is None or execution.status != SUCCEEDED:
        return execution, None
    return execution, await book.datum(tx, key, "result")
