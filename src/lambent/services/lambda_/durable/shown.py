"""How executions and operations look: in the API's answers, and in what a function is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lambent.services.lambda_.durable import config, naming
from lambent.services.lambda_.durable.model import PAUSED, Execution, Key, Operation
from lambent.services.lambda_.names import Reference

PAGE_BYTES = 4_194_304
"""About how much one answer, or an invocation's payload, has of operations or events."""
_ENVELOPE = 512
"""Bytes of an operation beside its payloads, at most as a rule."""
_TIMES = frozenset(
    {"StartTimestamp", "EndTimestamp", "NextAttemptTimestamp", "ScheduledEndTimestamp"}
)


def operation(one: Operation) -> dict[str, Any]:
    """An Operation."""
    shown: dict[str, Any] = {
        "Id": one.id,
        "Type": one.type,
        "Status": one.status,
        "StartTimestamp": one.started,
        **_present(
            ParentId=one.parent, Name=one.name, SubType=one.sub_type, EndTimestamp=one.ended
        ),
    }
    outcome = _present(Result=one.result, Error=one.error)
    if one.type == "EXECUTION":
        shown["ExecutionDetails"] = {"InputPayload": one.input or ""}
    elif one.type == "CONTEXT":
        replay = {"ReplayChildren": True} if one.replay_children else {}
        shown["ContextDetails"] = {**outcome, **replay}
    elif one.type == "STEP":
        due = _present(NextAttemptTimestamp=one.due)
        shown["StepDetails"] = {"Attempt": one.attempt, **due, **outcome}
    elif one.type == "WAIT":
        shown["WaitDetails"] = {"ScheduledEndTimestamp": one.started + one.seconds}
    elif one.type == "CALLBACK":
        shown["CallbackDetails"] = {"CallbackId": one.callback, **outcome}
    else:
        shown["ChainedInvokeDetails"] = outcome
    return shown


def for_function(value: Any) -> Any:
    """The same, as it stands in an invocation's payload: times in milliseconds."""
    if isinstance(value, Mapping):
        return {
            name: int(each * 1000) if name in _TIMES else for_function(each)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [for_function(each) for each in value]
    return value


def visible(operations: Iterable[Operation]) -> list[Operation]:
    """Those that a function has to know: what is within a context that has completed is not
    needed any more, unless that is replayed. In order of their start."""
    hidden: set[str] = set()
    seen: list[Operation] = []
    for one in operations:
        if one.parent in hidden:
            hidden.add(one.id)
            continue
        seen.append(one)
        if one.type == "CONTEXT" and one.ended is not None and not one.replay_children:
            hidden.add(one.id)
    return seen


def listed(key: Key, execution: Execution) -> dict[str, Any]:
    """An Execution, as lists show it."""
    shown: dict[str, Any] = {
        "DurableExecutionArn": naming.arn(key, execution),
        "DurableExecutionName": execution.name,
        "FunctionArn": Reference(
            key.account, key.region, key.function, execution.version
        ).qualified,
        "Status": execution.status,
        "StartTimestamp": execution.started,
    }
    return {**shown, **_present(EndTimestamp=execution.ended, KMSKeyArn=execution.kms_key)}


def described(
    key: Key, execution: Execution, input: str | None, result: str | None, data: bool
) -> dict[str, Any]:
    """GetDurableExecution's answer; with payloads when `data`."""
    settings = {
        "ExecutionTimeout": execution.timeout,
        "RetentionPeriodInDays": execution.retention,
        **_present(KMSKeyArn=execution.kms_key),
    }
    shown = listed(key, execution)
    shown.pop("KMSKeyArn", None)
    shown |= {
        "Version": execution.version,
        "ExecutionDataIncluded": data,
        "DurableConfig": settings,
    }
    if execution.trace:
        shown["TraceHeader"] = {"XAmznTraceId": execution.trace}
    if data:
        shown |= _present(InputPayload=input, Result=result, Error=execution.error)
    pause = execution.pause
    if pause is not None:
        shown["PauseDetails"] = {
            "PauseRequestTimestamp": pause.requested,
            "ExecutionTimeoutPaused": pause.holds_timeout,
            **(_present(Reason=pause.reason) if data else {}),
        }
    if not execution.over:
        held = execution.status == PAUSED and pause is not None and pause.holds_timeout
        shown["ExpectedExecutionTimeoutTimestamp"] = (
            execution.started + config.LONGEST if held else execution.deadline
        )
    return shown


def event(stored: Mapping[str, Any], when: float, data: bool) -> dict[str, Any]:
    """A history event; without what it carries unless `data`."""
    shown = {**stored, "EventTimestamp": when}
    return shown if data else _bare(shown)


def _bare(value: Mapping[str, Any]) -> dict[str, Any]:
    bare: dict[str, Any] = {}
    for name, each in value.items():
        if isinstance(each, Mapping):
            bare[name] = {"Truncated": True} if "Truncated" in each else _bare(each)
        else:
            bare[name] = each
    return bare


def page(every: Sequence[Operation], begin: int, most: int) -> dict[str, Any]:
    """A page of operations from a place on, and where the next begins."""
    rest = every[begin:]
    taken = _fitting(rest, most)
    answer: dict[str, Any] = {"Operations": [operation(one) for one in rest[:taken]]}
    if taken < len(rest):
        answer["NextMarker"] = str(begin + taken)
    return answer


def _fitting(operations: Sequence[Operation], most: int) -> int:
    """How many of the operations, from the first, make a page: at most so many, and few enough
    bytes, but at least one."""
    taken = size = 0
    for one in operations[:most]:
        size += _ENVELOPE + len(one.result or "") + len(one.input or "")
        if taken and size > PAGE_BYTES:
            break
        taken += 1
    return taken


def _present(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
