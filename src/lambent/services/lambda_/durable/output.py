"""What an invocation of a durable function says with its result: pure.

Source: aws-durable-execution-sdk-python, DurableExecutionInvocationOutput.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from lambent.events.contract import Outcome
from lambent.services.lambda_.durable.model import FAILED, SUCCEEDED, Error

PENDING = "PENDING"


@dataclass(frozen=True, slots=True)
class Said:
    """The execution succeeded or failed, or waits for something."""

    status: str
    result: str | None = None
    error: Error | None = None


def read(outcome: Outcome) -> Said:
    """What it says; what cannot be understood fails the execution."""
    if outcome.error is not None:
        return Said(FAILED, error=fault(outcome))
    try:
        document = msgspec.json.decode(outcome.payload)
    except msgspec.DecodeError:
        document = None
    status = document.get("Status") if isinstance(document, dict) else None
    if status == PENDING:
        return Said(PENDING)
    if status == SUCCEEDED:
        result = document.get("Result")
        if result is None or isinstance(result, str):
            return Said(SUCCEEDED, result=result)
    if status == FAILED:
        error = document.get("Error")
        if error is None or isinstance(error, dict):
            return Said(FAILED, error=_members(error or {}))
    return Said(FAILED, error=invalid("Invalid Status in invocation output."))


def invalid(message: str) -> Error:
    """The function's result is not one that an execution can go on with."""
    return {"ErrorType": "InvalidParameterValueException", "ErrorMessage": message}


def fault(outcome: Outcome) -> Error:
    """Why an invocation failed, as an ErrorObject."""
    if outcome.error in ("Throttled", "Failed"):
        return {"ErrorType": outcome.code or "ServiceException", "ErrorMessage": outcome.message}
    try:
        told: Any = msgspec.json.decode(outcome.payload)
    except msgspec.DecodeError:
        told = None
    if not isinstance(told, dict):
        return {"ErrorMessage": outcome.payload.decode(errors="replace")}
    names = (
        ("errorType", "ErrorType"),
        ("errorMessage", "ErrorMessage"),
        ("errorData", "ErrorData"),
        ("stackTrace", "StackTrace"),
    )
    return _members({new: told[old] for old, new in names if old in told})


def _members(error: dict[str, Any]) -> Error:
    """The members that an ErrorObject has, of the kinds that they have."""
    kept: Error = {
        name: error[name]
        for name in ("ErrorType", "ErrorMessage", "ErrorData")
        if isinstance(error.get(name), str)
    }
    trace = error.get("StackTrace")
    if isinstance(trace, list) and trace:
        kept["StackTrace"] = [str(line) for line in trace]
    return kept
