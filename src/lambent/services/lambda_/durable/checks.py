"""What an update of an operation may say beyond what the API's model says of it. Pure.

Source: Lambda API Reference, CheckpointDurableExecution and OperationUpdate (sizes).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.services.lambda_ import errors
from lambent.services.lambda_.durable.model import Execution, Operation

PAYLOAD = 1_048_576
"""Bytes of an operation's payload, or of its error, or of an asynchronous execution's result."""
SYNCHRONOUS_RESULT = 6_291_456
MOST_OPERATIONS = 3_000
"""Operations of one execution."""
MOST_WRITTEN = 104_857_600
"""Bytes that one execution's checkpoints may hold together."""

_ACTIONS = {
    "EXECUTION": ("SUCCEED", "FAIL"),
    "CONTEXT": ("START", "SUCCEED", "FAIL"),
    "STEP": ("START", "SUCCEED", "FAIL", "RETRY"),
    "WAIT": ("START", "CANCEL"),
    "CALLBACK": ("START",),
    "CHAINED_INVOKE": ("START",),
}
_OPEN = ("STARTED", "PENDING", "READY")


def update(execution: Execution, present: Operation | None, wanted: Mapping[str, Any]) -> None:
    """InvalidParameterValueException when the update cannot be made of the operation as it is."""
    kind, action = wanted["Type"], wanted["Action"]
    if action not in _ACTIONS.get(kind, ()):
        raise errors.invalid(f"Invalid action {action} for operation of type {kind}.")
    _sizes(execution, kind, wanted)
    if kind == "EXECUTION":
        return
    if present is None:
        if action == "CANCEL":
            raise errors.invalid(f"The operation {wanted['Id']} does not exist.")
    elif present.type != kind:
        raise errors.invalid(f"The operation {present.id} is of type {present.type}, not {kind}.")
    elif present.status not in _OPEN:
        raise errors.invalid(
            f"The operation {present.id} is {present.status} and cannot be updated."
        )
    elif present.status == "PENDING":
        raise errors.invalid(f"The operation {present.id} waits for its next attempt.")
    _options(kind, action, wanted)


def size(wanted: Mapping[str, Any]) -> int:
    """Bytes that an update brings."""
    error = wanted.get("Error")
    return len((wanted.get("Payload") or "").encode()) + (
        len(msgspec.json.encode(error)) if error else 0
    )


def error(wanted: Mapping[str, Any] | None) -> None:
    """InvalidParameterValueException when an error is too large."""
    if wanted and len(msgspec.json.encode(wanted)) > PAYLOAD:
        raise errors.invalid(f"Error size must be less than or equal to {PAYLOAD} bytes.")


def _sizes(execution: Execution, kind: str, wanted: Mapping[str, Any]) -> None:
    most = PAYLOAD
    if kind == "EXECUTION" and not execution.asynchronous:
        most = SYNCHRONOUS_RESULT
    if len((wanted.get("Payload") or "").encode()) > most:
        raise errors.invalid(
            f"{kind} output payload size must be less than or equal to {most} bytes."
        )
    error(wanted.get("Error"))


_REQUIRED = {
    ("WAIT", "START"): ("WaitOptions", "WaitSeconds"),
    ("STEP", "RETRY"): ("StepOptions", "NextAttemptDelaySeconds"),
    ("CHAINED_INVOKE", "START"): ("ChainedInvokeOptions", "FunctionName"),
}


def _options(kind: str, action: str, wanted: Mapping[str, Any]) -> None:
    structure, member = _REQUIRED.get((kind, action), (None, ""))
    if structure is not None and (wanted.get(structure) or {}).get(member) is None:
        raise errors.invalid(f"{structure}.{member} is required.")
