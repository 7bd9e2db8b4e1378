"""Ends executions: what is kept, who is told, and what follows, in the transaction that ends one.

Source: Lambda API Reference, Event; Lambda Developer Guide, "Best practices for Lambda durable
functions" (dead-letter queues of executions that failed for good).
"""

from __future__ import annotations

import json
import logging
from typing import Any

from lambent.core.arns import Arn
from lambent.core.errors import AwsError
from lambent.events.contract import Event, Outcome, Targets
from lambent.services.lambda_ import asynchronous, destinations
from lambent.services.lambda_.durable import machine
from lambent.services.lambda_.durable.book import Book, datum
from lambent.services.lambda_.durable.model import (
    FAILED,
    STOPPED,
    SUCCEEDED,
    TIMED_OUT,
    Error,
)
from lambent.services.lambda_.names import Reference

_log = logging.getLogger(__name__)
_DAY = 86_400.0
_EVENTS = {
    SUCCEEDED: "ExecutionSucceeded",
    FAILED: "ExecutionFailed",
    TIMED_OUT: "ExecutionTimedOut",
    STOPPED: "ExecutionStopped",
}


def payload_of(error: Error) -> bytes:
    """An execution's error as the caller of a function gets errors."""
    told: dict[str, Any] = {
        "errorType": error.get("ErrorType"),
        "errorMessage": error.get("ErrorMessage"),
        "errorData": error.get("ErrorData"),
        "stackTrace": error.get("StackTrace"),
    }
    return json.dumps({name: each for name, each in told.items() if each is not None}).encode()


async def end(
    book: Book,
    targets: Targets,
    status: str,
    *,
    result: str | None = None,
    error: Error | None = None,
) -> None:
    """The execution is over; the caller closes its book."""
    execution, now = book.execution, book.tx.now
    execution.status, execution.ended, execution.error = status, now, error
    execution.active = execution.stirred = False
    if result is not None:
        await book.put_datum("result", result)
    details: dict[str, Any] = (
        {"Result": machine.shown_payload(result)}
        if status == SUCCEEDED
        else {"Error": machine.shown_error(error or {})}
    )
    book.tell(_EVENTS[status], details)
    await book.timer("retention", execution.retention * _DAY)
    if execution.chained is not None:
        await _tell_parent(book, result)
    elif execution.asynchronous:
        await _send(book, targets, result)


async def _tell_parent(book: Book, result: str | None) -> None:
    """Complete the chained invocation that this execution was."""
    execution, chained = book.execution, book.execution.chained
    assert chained is not None
    parent = await Book.open(book.tx, chained.key)
    if parent is None or parent.execution.over:
        return
    operation = await parent.operation(chained.operation)
    if operation is not None and operation.status == "STARTED":
        await parent.complete(
            machine.completed(
                operation, execution.status, book.tx.now, result=result, error=execution.error
            )
        )
        await parent.close()


async def _send(book: Book, targets: Targets, result: str | None) -> None:
    """Tell the function's destinations, and its dead-letter queue when it failed."""
    execution, key, tx = book.execution, book.key, book.tx
    reference = Reference(key.account, key.region, key.function)
    terms = await asynchronous.terms_of(tx, reference, execution.qualifier)
    failed = execution.status != SUCCEEDED
    destination = terms.on_failure if failed else terms.on_success
    if destination is None and (terms.dead_letter is None or not failed):
        return
    outcome = Outcome(
        payload_of(execution.error or {}) if failed else (result or "null").encode(),
        "Unhandled" if failed else None,
        version=execution.version,
        request_id=execution.request_id,
    )
    payload = (await datum(tx, key, "input") or "").encode()
    sends: list[tuple[Arn, Event]] = []
    if destination is not None:
        record = destinations.record(
            f"{reference.arn}:{execution.qualifier}",
            terms.role,
            execution.request_id,
            payload,
            outcome,
            condition=destinations.EXHAUSTED if failed else destinations.SUCCESS,
            attempts=execution.run,
            now=tx.now,
            trace=execution.trace,
            history=None,
        )
        sends.append((destination, record))
    if failed and terms.dead_letter is not None:
        event = destinations.dead_letter(
            reference.arn,
            terms.role,
            execution.request_id,
            payload,
            outcome,
            execution.trace,
            None,
        )
        sends.append((terms.dead_letter, event))
    for arn, event in sends:
        target = targets.target(arn)
        try:
            if target is None:
                raise AwsError("ResourceNotFound", "no such kind of destination here")
            await target.accept(tx, arn, event)
        except AwsError as refused:
            # As for asynchronous invocations: lost to the destination, and that is reported.
            _log.error("%s: %s cannot take the event: %s", reference.arn, arn, refused)
