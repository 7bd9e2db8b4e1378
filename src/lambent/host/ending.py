"""How an invocation ended, from what became of its attempt: pure."""

from __future__ import annotations

from dataclasses import dataclass

from lambent.host import report
from lambent.host.attempt import Attempt
from lambent.host.report import Fault


@dataclass(frozen=True, slots=True)
class Ending:
    """What the log says of an invocation, and what the caller gets.

    The caller may have its answer all the same when the log tells of a failure: an extension
    may fail beside it. `error` is the invocation's, as `InvocationResult` has it.
    """

    status: str
    """ "success", "error" or "timeout"."""
    error_type: str
    payload: bytes
    error: str | None
    fault: Fault | None = None
    """What the platform found wrong, if it was the platform that did."""


def of(attempt: Attempt, request_id: str, timeout: float) -> Ending:
    """How the invocation that the attempt was offered ended; `timeout` in seconds."""
    answer = attempt.answer
    if attempt.init_error is not None and answer is None:
        error_type, told = attempt.init_error
        return Ending("error", error_type, told, "Unhandled")
    if attempt.timed_out:
        status, error_type, fault = "timeout", "", report.timed_out(timeout)
    elif answer is None or attempt.extensions.fault is not None:
        found = attempt.fault or attempt.extensions.fault
        if found is None or attempt.out_of_memory:
            found = report.exited(attempt.exit_status or 0, attempt.out_of_memory)
        status, error_type, fault = "error", found.type, found
    else:
        return Ending("success", "", answer, _error(attempt))
    if answer is None:
        return Ending(status, error_type, fault.payload(request_id), "Unhandled", fault)
    return Ending(status, error_type, answer, _error(attempt), fault)


def _error(attempt: Attempt) -> str | None:
    return "Unhandled" if attempt.answer_is_error else None
