"""What is kept of a delivery that failed, to explain it later: a plain rule.

Source: Lambda Developer Guide, "Understanding retry behavior" and the pages on function
errors of each language, for the shapes of an error's JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.events import fingerprint
from lambent.events.contract import Outcome
from lambent.events.history import Failure

REPORTED = "BatchItemFailure"
"""The type of a failure that the function reported in `batchItemFailures`."""

_REPORTED_MESSAGE = "The function reported that it could not work through this message."

_MESSAGE = 1024
_LINES = 20
_LINE = 300


def failure(outcome: Outcome, *, function: str, time: float, seconds: float) -> Failure:
    """What is kept of an outcome that was a failure (or, with `error` None, in part)."""
    kind, message, stack = _error(outcome)
    return Failure(
        time,
        function,
        outcome.version,
        outcome.request_id,
        kind,
        message[:_MESSAGE],
        tuple(line[:_LINE] for line in stack),
        fingerprint.of(kind, message, stack),
        round(seconds, 6),
        outcome.log,
    )


def lost(time: float) -> Failure:
    """The node ended while the function ran. `time` in seconds since the epoch."""
    message = "The node ended while the function ran."
    return Failure(time, "", "", "", "Lost", message, (), fingerprint.of("Lost", message))


def _error(outcome: Outcome) -> tuple[str, str, list[str]]:
    if outcome.error is None:
        return REPORTED, _REPORTED_MESSAGE, []
    if outcome.error in ("Throttled", "Failed"):
        return outcome.error, outcome.message, []
    try:
        document = json.loads(outcome.payload)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, Mapping):
        return outcome.error, outcome.message or outcome.payload.decode(errors="replace"), []
    kind, message = document.get("errorType"), document.get("errorMessage")
    return (
        kind if isinstance(kind, str) and kind else outcome.error,
        message if isinstance(message, str) else outcome.message,
        _stack(document.get("stackTrace") or document.get("trace")),
    )


def _stack(value: Any) -> list[str]:
    """The lines of a stack, as any runtime gives it: the last ones of Python's, which ends
    with the place of the error, the first ones of others', which begin with it."""
    if isinstance(value, str):
        value = value.splitlines()
    if not isinstance(value, Sequence):
        return []
    lines = [line if isinstance(line, str) else json.dumps(line) for line in value]
    inner_last = bool(lines) and lines[0].lstrip().startswith("File ")
    return lines[-_LINES:] if inner_last else lines[:_LINES]
