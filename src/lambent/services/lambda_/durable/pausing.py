"""What it means that an execution pauses."""

from __future__ import annotations

from typing import Any

from lambent.services.lambda_.durable import machine
from lambent.services.lambda_.durable.book import Book
from lambent.services.lambda_.durable.model import PAUSED, PAUSING


def asked_for(book: Book) -> bool:
    """Whether the execution is not to be invoked: it pauses, or is about to."""
    return book.execution.status in (PAUSED, PAUSING)


def begin(book: Book) -> None:
    """Nothing of the execution runs, or will go on: it is paused from now on."""
    pause = book.execution.pause
    assert pause is not None, "what pauses was asked to"
    if book.execution.status == PAUSED:
        return
    book.execution.status = PAUSED
    details: dict[str, Any] = {
        "PauseRequestTimestamp": pause.requested,
        "ExecutionTimeoutPaused": pause.holds_timeout,
        "Reason": machine.shown_payload(pause.reason),
    }
    book.tell("ExecutionPaused", details)
