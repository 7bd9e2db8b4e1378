"""What Lambda says about an invocation, in logs and in errors: pure text making.

Source: Lambda's own log lines and error payloads as documented in the Lambda Developer
Guide ("Lambda function logs", "Troubleshoot execution issues").
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from lambent.core.arns import Arn

TAIL_BYTES = 4096
MAX_PAYLOAD = 6_291_556
"""Bytes of a synchronous response (6 MiB and the room Lambda leaves for its envelope)."""

_SIGNALS = {
    1: "hangup",
    2: "interrupt",
    3: "quit",
    4: "illegal instruction",
    5: "trace/breakpoint trap",
    6: "aborted",
    7: "bus error",
    8: "floating point exception",
    9: "killed",
    11: "segmentation fault",
    13: "broken pipe",
    14: "alarm clock",
    15: "terminated",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What the platform found wrong: an error type and its message."""

    type: str
    message: str
    names_request: bool = True
    """Whether the caller's message begins with the request's id."""

    def payload(self, request_id: str) -> bytes:
        """The error as the caller gets it."""
        prefix = f"RequestId: {request_id} Error: " if self.names_request else ""
        error = {"errorType": self.type, "errorMessage": prefix + self.message}
        return json.dumps(error, separators=(",", ":")).encode()


def timed_out(timeout: float) -> Fault:
    """The function ran longer than its timeout (seconds)."""
    return Fault("Sandbox.Timedout", f"Task timed out after {timeout:.2f} seconds")


def exited(status: int, out_of_memory: bool = False) -> Fault:
    """The process ended, by itself or for its use of memory; `status` is a wait status."""
    if out_of_memory:
        return Fault("Runtime.OutOfMemory", "Runtime exited with error: signal: killed")
    if status == 0:
        return Fault("Runtime.ExitError", "Runtime exited without providing a reason")
    how = exit_text(status, "exit status")
    return Fault("Runtime.ExitError", f"Runtime exited with error: {how}")


def nobody_attached(port: int, patience: float) -> Fault:
    """The function is debugged, and no debugger came within `patience` seconds."""
    return Fault(
        "Lambent.NoDebugger", f"No debugger attached to 127.0.0.1:{port} for {patience:.0f} seconds"
    )


def exit_text(status: int, code_name: str) -> str:
    """How a process ended, by its wait status: `code_name` and number, or the signal."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"{code_name} {code}"
    return f"signal: {_SIGNALS.get(-code, f'signal {-code}')}"


def too_large(limit: int = MAX_PAYLOAD) -> Fault:
    """The response is over the limit, in bytes."""
    return Fault(
        "Function.ResponseSizeTooLarge",
        f"Response payload size exceeded maximum allowed payload size ({limit} bytes).",
        names_request=False,
    )


def truncated() -> Fault:
    """The runtime's connection ended within a streamed response."""
    return Fault("Runtime.TruncatedResponse", "Runtime response was cut off")


def milliseconds(seconds: float) -> str:
    """As in REPORT lines: two decimals, and the unit."""
    return f"{seconds * 1000:.2f} ms"


def billed(duration: float, init: float | None) -> float:
    """Seconds that are billed: initialisation and run, in whole milliseconds, at least one."""
    return max(math.ceil((duration + (init or 0.0)) * 1000 - 1e-6), 1) / 1000


def init_start(runtime: str, region: str) -> str:
    """The first line of an environment."""
    return f"INIT_START {_runtime(runtime, region)}\n"


def runtime_version(runtime: str) -> str:
    """A runtime's version as Lambda's logs name it."""
    return runtime.replace("python", "python:")


@lru_cache(maxsize=256)
def runtime_arn(runtime: str, region: str) -> str:
    """The ARN of the one version that each runtime has here."""
    return str(Arn("lambda", region, "", f"runtime:{hashlib.sha256(runtime.encode()).hexdigest()}"))


def initialised(duration: float) -> str:
    """The line for a function's zygote that is ready; with SnapStart, the only one that has
    the duration of the initialisation."""
    return f"INIT_REPORT Init Duration: {milliseconds(duration)}\n"


def unfit(why: str) -> str:
    """The line for a function whose state cannot be shared by forks."""
    return f"[lambent] Environments cannot be forked, since {why}: each is initialised by itself\n"


def restore_start(runtime: str, region: str) -> str:
    """The first line of an environment that is restored from a snapshot."""
    return f"RESTORE_START {_runtime(runtime, region)}\n"


def _runtime(runtime: str, region: str) -> str:
    version, arn = runtime_version(runtime), runtime_arn(runtime, region)
    return f"Runtime Version: {version}\tRuntime Version ARN: {arn}"


def restore_report(duration: float, status: str, error_type: str | None) -> str:
    """The line for a restored environment."""
    line = f"RESTORE_REPORT Restore Duration: {milliseconds(duration)}"
    if status != "success":
        line += f"\tStatus: {status}"
    return f"{line}\tError Type: {error_type}\n" if error_type else f"{line}\n"


def message(error: bytes) -> str:
    """The message in an error's JSON."""
    try:
        return str(json.loads(error)["errorMessage"])
    except (ValueError, LookupError, TypeError):
        return "The initialisation failed."


def init_report(duration: float, phase: str, status: str, error_type: str | None) -> str:
    """The line for an initialisation that failed."""
    line = f"INIT_REPORT Init Duration: {milliseconds(duration)}\tPhase: {phase}\tStatus: {status}"
    return f"{line}\tError Type: {error_type}\n" if error_type else f"{line}\n"


def extension(name: str, state: str, events: Sequence[str], error_type: str) -> str:
    """The line of an extension, at the end of the initialisation."""
    line = f"EXTENSION\tName: {name}\tState: {state}\tEvents: [{', '.join(events)}]"
    return f"{line}\tError Type: {error_type}\n" if error_type else f"{line}\n"


def subscription(api: str, name: str, types: Sequence[str]) -> str:
    """The line of a subscription to telemetry; `api` is TELEMETRY or LOGS."""
    shown = ", ".join(each.capitalize() for each in types)
    return f"{api}\tName: {name}\tState: Subscribed\tTypes: [{shown}]\n"


def start(request_id: str, version: str) -> str:
    """The line before an invocation's own output."""
    return f"START RequestId: {request_id} Version: {version}\n"


def end(request_id: str) -> str:
    """The line after it."""
    return f"END RequestId: {request_id}\n"


def timeout_line(now: float, request_id: str, timeout: float) -> str:
    """The line of a timeout; `now` in seconds since the epoch."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    return (
        f"{moment}.{int(now * 1000) % 1000:03d}Z {request_id} "
        f"Task timed out after {timeout:.2f} seconds\n"
    )


def report(
    request_id: str,
    *,
    duration: float,
    billed_seconds: float,
    memory_size: int,
    memory_used: int,
    init: float | None,
    restored: bool = False,
    status: str | None = None,
    error_type: str | None = None,
) -> str:
    """The line that sums an invocation up. Durations in seconds, memory in MiB."""
    parts = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {milliseconds(duration)}",
        f"Billed Duration: {billed_seconds * 1000:.0f} ms",
        f"Memory Size: {memory_size} MB",
        f"Max Memory Used: {memory_used} MB",
    ]
    if init is not None and restored:
        parts.append(f"Restore Duration: {milliseconds(init)}")
        parts.append(f"Billed Restore Duration: {billed(init, None) * 1000:.0f} ms")
    elif init is not None:
        parts.append(f"Init Duration: {milliseconds(init)}")
    if status is not None:
        parts.append(f"Status: {status}")
    if error_type is not None:
        parts.append(f"Error Type: {error_type}")
    return "\t".join(parts) + "\t\n"
