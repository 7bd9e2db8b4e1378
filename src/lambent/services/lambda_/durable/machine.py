"""What becomes of an operation: pure.

    CONTEXT         STARTED ──▶ SUCCEEDED | FAILED
    STEP            STARTED ──▶ SUCCEEDED | FAILED
                       │  ▲
                retry  ▼  │ started again
                    PENDING ──due──▶ READY
    WAIT            STARTED ──due──▶ SUCCEEDED         cancelled ──▶ CANCELLED
    CALLBACK        STARTED ──sent──▶ SUCCEEDED | FAILED     too late ──▶ TIMED_OUT
    CHAINED_INVOKE  STARTED ──the other ends──▶ SUCCEEDED | FAILED | TIMED_OUT | STOPPED

Source: Lambda API Reference, Operation, OperationUpdate and Event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from lambent.services.lambda_.durable.model import Error, Operation, Timer

_NAMES = {
    "CONTEXT": "Context",
    "STEP": "Step",
    "WAIT": "Wait",
    "CALLBACK": "Callback",
    "CHAINED_INVOKE": "ChainedInvoke",
}
_STATUSES = {
    "SUCCEEDED": "Succeeded",
    "FAILED": "Failed",
    "CANCELLED": "Cancelled",
    "TIMED_OUT": "TimedOut",
    "STOPPED": "Stopped",
}
TIMEOUT = "Callback.Timeout"
HEARTBEAT = "Callback.Heartbeat"


@dataclass(frozen=True, slots=True)
class Change:
    """An operation as it is from now on; the event that tells of it, if any does, as its type
    and details; and what becomes due of it: kinds of timers and after how many seconds."""

    operation: Operation
    event: tuple[str, dict[str, Any]] | None = None
    timers: tuple[tuple[str, float], ...] = ()


def outstanding(operation: Operation | None) -> bool:
    """Whether something from outside the function will complete it, or bring it on."""
    if operation is None:
        return False
    if operation.type == "STEP":
        return operation.status in ("PENDING", "READY")
    return operation.type != "CONTEXT" and operation.status == "STARTED"


def apply(present: Operation | None, wanted: Mapping[str, Any], now: float) -> Change:
    """What a checked update makes of an operation."""
    kind, action = wanted["Type"], wanted["Action"]
    operation = present or Operation(
        id=wanted["Id"],
        type=kind,
        status="STARTED",
        parent=wanted.get("ParentId"),
        name=wanted.get("Name"),
        sub_type=wanted.get("SubType"),
        started=now,
    )
    if action == "START":
        return _start(present, operation, wanted, now)
    if action == "CANCEL":
        return completed(operation, "CANCELLED", now)
    if action == "RETRY":
        return _retry(operation, wanted, now)
    if kind == "STEP":
        operation = replace(operation, attempt=operation.attempt + 1)
    if action == "FAIL":
        return completed(operation, "FAILED", now, error=wanted.get("Error") or {})
    options = wanted.get("ContextOptions") or {}
    operation = replace(operation, replay_children=bool(options.get("ReplayChildren")))
    return completed(operation, "SUCCEEDED", now, result=wanted.get("Payload"))


def completed(
    operation: Operation,
    status: str,
    now: float,
    *,
    result: str | None = None,
    error: Error | None = None,
) -> Change:
    """The operation has come to its end."""
    ended = replace(
        operation, status=status, ended=now, result=result, error=error, due=None, beats=None
    )
    details: dict[str, Any] = {}
    if operation.type == "WAIT" and status == "SUCCEEDED":
        details["Duration"] = operation.seconds
    elif error is not None:
        details["Error"] = shown_error(error)
    elif status == "SUCCEEDED":
        details["Result"] = shown_payload(result)
    if operation.type == "STEP":
        details["RetryDetails"] = {"CurrentAttempt": operation.attempt}
    return Change(ended, (_NAMES[operation.type] + _STATUSES[status], details))


def fired(operation: Operation, timer: Timer, now: float) -> Change | float | None:
    """What a timer that went off makes of it: a change; or after how many seconds the timer is
    to go off once more; or nothing, since it came too late."""
    if timer.kind == "step":
        if operation.status != "PENDING" or operation.attempt != timer.attempt:
            return None
        return Change(replace(operation, status="READY", due=None))
    if operation.status != "STARTED":
        return None
    if timer.kind == "wait":
        return completed(operation, "SUCCEEDED", now)
    if timer.kind == "heartbeat" and operation.beats is not None and operation.beats > now:
        return operation.beats - now
    why = HEARTBEAT if timer.kind == "heartbeat" else TIMEOUT
    error = {"ErrorType": why, "ErrorMessage": f"Callback timed out: {why}"}
    return completed(operation, "TIMED_OUT", now, error=error)


def heartbeat(operation: Operation, now: float) -> Operation:
    """The callback's other side is still there."""
    return replace(operation, beats=now + operation.heartbeat) if operation.heartbeat else operation


def shown_payload(payload: str | None) -> dict[str, Any]:
    """A payload as events show it."""
    return {"Truncated": False} if payload is None else {"Payload": payload, "Truncated": False}


def shown_error(error: Error) -> dict[str, Any]:
    """An error as events show it."""
    return {"Payload": error, "Truncated": False}


def _start(
    present: Operation | None, operation: Operation, wanted: Mapping[str, Any], now: float
) -> Change:
    kind = operation.type
    if present is not None:
        # A step that is tried again, or whose first report was lost with its invocation.
        again = replace(operation, status="STARTED", error=None)
        return Change(again, ("StepStarted", {}) if present.status == "READY" else None)
    details: dict[str, Any] = {}
    timers: tuple[tuple[str, float], ...] = ()
    if kind == "WAIT":
        seconds = wanted["WaitOptions"]["WaitSeconds"]
        operation = replace(operation, seconds=seconds, due=now + seconds)
        details = {"Duration": seconds, "ScheduledEndTimestamp": operation.due}
        timers = (("wait", float(seconds)),)
    elif kind == "CALLBACK":
        options = wanted.get("CallbackOptions") or {}
        timeout = options.get("TimeoutSeconds") or 0
        beat = options.get("HeartbeatTimeoutSeconds") or 0
        operation = replace(
            operation,
            seconds=timeout,
            heartbeat=beat,
            due=now + timeout if timeout else None,
            beats=now + beat if beat else None,
        )
        details = {"Timeout": timeout, "HeartbeatTimeout": beat}
        timers = tuple(
            (name, float(delay))
            for name, delay in (("callback", timeout), ("heartbeat", beat))
            if delay
        )
    elif kind == "CHAINED_INVOKE":
        options = wanted["ChainedInvokeOptions"]
        operation = replace(
            operation,
            function=options["FunctionName"],
            tenant=options.get("TenantId"),
            input=wanted.get("Payload"),
        )
        details = {
            "FunctionName": options["FunctionName"],
            "Input": shown_payload(wanted.get("Payload")),
        }
        if operation.tenant:
            details["TenantId"] = operation.tenant
    return Change(operation, (f"{_NAMES[kind]}Started", details), timers)


def _retry(operation: Operation, wanted: Mapping[str, Any], now: float) -> Change:
    delay = wanted["StepOptions"]["NextAttemptDelaySeconds"]
    error = wanted.get("Error")
    attempt = operation.attempt + 1
    pending = replace(
        operation,
        status="PENDING",
        attempt=attempt,
        due=now + delay,
        error=error,
        result=wanted.get("Payload"),
    )
    retried: dict[str, Any] = {
        "RetryDetails": {"CurrentAttempt": attempt, "NextAttemptDelaySeconds": delay}
    }
    if error is not None:
        event = ("StepFailed", {"Error": shown_error(error), **retried})
    else:  # a condition that does not hold yet: the payload is what the next look begins with
        event = ("StepSucceeded", {"Result": shown_payload(wanted.get("Payload")), **retried})
    return Change(pending, event, (("step", float(delay)),))
