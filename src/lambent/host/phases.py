"""What the platform writes into an environment's log, phase by phase.

Owns the order and the members of the platform's lines and events; `report` makes their text,
`platform_events` their forms, `journal` knows who sees them.
"""

from __future__ import annotations

from typing import Any

from lambent.core.clock import Clock
from lambent.host import platform_events, report
from lambent.host.attempt import Attempt
from lambent.host.contract import FunctionSpec
from lambent.host.ending import Ending
from lambent.host.extensions_api import State
from lambent.host.journal import Journal


class Phases:
    """What is said of one environment. `kind` is its initialisation's type."""

    def __init__(self, spec: FunctionSpec, journal: Journal, clock: Clock, kind: str) -> None:
        self._spec = spec
        self._journal = journal
        self._clock = clock
        self._kind = kind

    def invoked(self, request_id: str) -> None:
        """An invocation begins."""
        version = self._spec.version
        line = report.start(request_id, version)
        if self._journal.plain:
            self._journal.text(line)
        else:
            record = {"requestId": request_id, "version": version}
            self._journal.platform("platform.start", record, line)

    def ended(
        self,
        attempt: Attempt,
        request_id: str,
        ending: Ending,
        *,
        duration: float,
        billed: float,
        memory: int,
        init: float | None,
        restored: bool,
    ) -> None:
        """An invocation ended. Durations in seconds, `memory` in MiB at its peak."""
        spec, journal = self._spec, self._journal
        line = report.report(
            request_id,
            duration=duration,
            billed_seconds=billed,
            memory_size=spec.memory,
            memory_used=memory,
            init=init,
            restored=restored,
            status=ending.status if ending.status != "success" else None,
            error_type=ending.error_type or None,
        )
        if journal.plain:
            journal.text(report.end(request_id), line)
            return
        journal.text(report.end(request_id))
        journal.older("platform.end", {"requestId": request_id})
        status, error_type = ending.status, ending.error_type
        if status == "success" and attempt.answer_is_error:
            status = "error"
            error_type = platform_events.error_type(attempt.answer_error_type)
        metrics = platform_events.metrics(duration, billed, spec.memory, memory, init)
        if restored and init is not None:
            metrics["restoreDurationMs"] = metrics.pop("initDurationMs")
            metrics["billedRestoreDurationMs"] = round(report.billed(init, None) * 1000)
        record = {"requestId": request_id, "metrics": metrics, "status": status}
        if error_type:
            record["errorType"] = error_type
        journal.platform("platform.report", record, line)

    def failed(self, request_id: str, ending: Ending) -> None:
        """Say what the platform found wrong with an invocation."""
        fault, journal = ending.fault, self._journal
        if ending.status == "timeout":
            now = self._clock.now()
            journal.text(report.timeout_line(now, request_id, self._spec.timeout))
        elif fault is not None:
            journal.text(f"RequestId: {request_id} Error: {fault.message}\n")
            journal.text(f"{fault.type}\n")
            journal.older("platform.fault", f"RequestId: {request_id} Error: {fault.message}")

    def beginning(self, phase: str, *, restoring: bool) -> None:
        """Say that an initialisation or a restore begins; in text, only the first."""
        runtime, region = self._spec.runtime, self._spec.region
        runtimes = {
            "runtimeVersion": report.runtime_version(runtime),
            "runtimeVersionArn": report.runtime_arn(runtime, region),
        }
        if restoring and phase == "init":
            record = {
                "functionName": self._spec.name,
                "functionVersion": self._spec.version,
                **runtimes,
            }
            line = report.restore_start(runtime, region)
            self._journal.platform("platform.restoreStart", record, line)
            return
        first = report.init_start(runtime, region) if phase == "init" else None
        record = {
            "initializationType": self._kind,
            "phase": phase,
            **runtimes,
            "functionName": self._spec.name,
            "functionVersion": self._spec.version,
        }
        self._journal.platform("platform.initStart", record, first)

    def restored(self, attempt: Attempt, duration: float) -> None:
        """Say how a restore went."""
        status = "success"
        if not attempt.ready:
            status = "timeout" if attempt.timed_out else "error"
        told = _init_error_type(attempt) if status == "error" else None
        record: dict[str, Any] = {"status": status, **({"errorType": told} if told else {})}
        self._journal.platform("platform.restoreRuntimeDone", record)
        record["metrics"] = {"durationMs": platform_events.milliseconds(duration)}
        line = report.restore_report(duration, status, told)
        self._journal.platform("platform.restoreReport", record, line)

    def initialised(self, attempt: Attempt, phase: str, duration: float) -> None:
        """Say how an initialisation went; in text, only when it failed or a zygote's did."""
        base: dict[str, Any] = {"initializationType": self._kind, "phase": phase}
        line: str | None = None
        if attempt.ready:
            base["status"] = "success"
            line = report.initialised(duration) if attempt.forks else None
        else:
            base["status"] = "timeout" if attempt.timed_out else "error"
            told = None if attempt.timed_out else _init_error_type(attempt)
            line = report.init_report(duration, phase, base["status"], told)
            if told:
                base["errorType"] = told
            attempt.drain()
        self._journal.platform("platform.initRuntimeDone", base)
        metrics = {"durationMs": platform_events.milliseconds(duration)}
        self._journal.platform("platform.initReport", {**base, "metrics": metrics}, line)

    def extensions(self, attempt: Attempt) -> None:
        """Say how the extensions are after an initialisation."""
        for each in attempt.extensions.all:
            state = each.state.value
            if each.state is State.FAILED:
                state = each.failed_as
            record: dict[str, Any] = {
                "name": each.name,
                "state": state,
                "events": list(each.events),
            }
            if each.error_type:
                record["errorType"] = each.error_type
            line = report.extension(each.name, state, each.events, each.error_type)
            self._journal.platform("platform.extension", record, line)

    def runtime_done(self, attempt: Attempt, request_id: str, began: float, answered: bool) -> None:
        """Say how the runtime did its part of an invocation."""
        ended = attempt.answered_at if answered and attempt.answer is not None else None
        status = "success"
        error_type = ""
        if not answered:
            status = "timeout"
        elif attempt.answer is None:
            fault = attempt.fault or attempt.extensions.fault
            status = "failure"
            error_type = fault.type if fault else "Runtime.ExitError"
        elif attempt.answer_is_error:
            status = "error"
            error_type = platform_events.error_type(attempt.answer_error_type)
        now = self._clock.now()
        monotonic = self._clock.monotonic()
        end = ended if ended is not None else monotonic
        record: dict[str, Any] = {"requestId": request_id, "status": status}
        if error_type:
            record["errorType"] = error_type
        if ended is not None:
            first = attempt.response_began_at
            spans = (
                ("responseLatency", began, first),
                ("responseDuration", first, ended),
                ("runtimeOverhead", ended, monotonic),
            )
            record["spans"] = [
                {
                    "name": name,
                    "start": platform_events.instant(now - (monotonic - start)),
                    "durationMs": platform_events.milliseconds(until - start),
                }
                for name, start, until in spans
            ]
        record["metrics"] = {
            "durationMs": platform_events.milliseconds(end - began),
            "producedBytes": attempt.produced,
        }
        self._journal.platform("platform.runtimeDone", record)


def _init_error_type(attempt: Attempt) -> str:
    """Why an initialisation failed."""
    if attempt.init_error is not None:
        return attempt.init_error[0]
    fault = attempt.fault or attempt.extensions.fault
    return fault.type if fault is not None else "Runtime.ExitError"
