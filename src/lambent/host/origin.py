"""What the environments of one function revision are forked from: its own zygote.

Owns one zygote's life:

    starting ──▶ ready ──▶ gone      ended, or crashed with all that it forked
        └──────▶ failed              its code fails, or leaves what cannot be shared

The initialisation is the function's as in any environment: limits, log lines, errors.
"""

from __future__ import annotations

import asyncio

from lambent.core.clock import Clock
from lambent.host import report
from lambent.host.contract import FunctionSpec
from lambent.host.environment import INIT_LIMIT, Environment, Tools
from lambent.host.runtimes.contract import Forking, FunctionZygote, Launch, LaunchFailed, Process

SNAPSHOT_LIMIT = 130.0
"""Seconds that the initialisation may take when a version with SnapStart is published, or the
function's timeout if that is longer (Lambda Developer Guide, "Function timeout")."""


class Origin:
    """The zygote of one function revision."""

    def __init__(self, spec: FunctionSpec, runtime: Forking, tools: Tools, clock: Clock) -> None:
        self._spec = spec
        self._runtime = runtime
        self._clock = clock
        self._zygote: FunctionZygote | None = None
        # Each environment that is forked has extensions of its own.
        self._environment = Environment(spec, runtime, tools, start=self._start, extended=False)
        self._extended: set[asyncio.Future[None]] = set()
        self._ended = False
        self.fault: tuple[str, str] | None = None
        """Why there is none: an error type, and words for people."""
        self.unfit = False
        """Whether it failed only because its state cannot be shared."""
        self.used = clock.monotonic()
        """When it last forked."""
        self.settled = asyncio.create_task(self._open())
        """Done once it is ready or has failed."""

    @property
    def ready(self) -> bool:
        """Whether it can fork."""
        return self.settled.done() and self.fault is None and self._environment.alive

    @property
    def old(self) -> bool:
        """Whether it is time for another one: its credentials do not last for ever."""
        return self._environment.old

    @property
    def crashed(self) -> bool:
        """Whether it could, once."""
        return self.settled.done() and self.fault is None and not self._environment.alive

    async def fork(self, launch: Launch) -> Process:
        """Start an environment's process, as soon as it can. `LaunchFailed` when it cannot."""
        await asyncio.shield(self.settled)
        if self.fault is not None or self._zygote is None:
            raise LaunchFailed("The function has no zygote.")
        self.used = self._clock.monotonic()
        process = await self._zygote.fork(launch)
        if launch.beside is not None:
            self._extended.add(process.gone)
            process.gone.add_done_callback(self._extended.discard)
        return process

    async def end(self) -> None:
        """End it, and everything that it forked."""
        self._ended = True
        if self._zygote is not None and not self.settled.done():
            self._zygote.process.kill()
        await asyncio.shield(self.settled)
        if self._extended:
            # Extensions have a say at the end of theirs, which would be that of all.
            await asyncio.wait(set(self._extended))
        await self._environment.end()

    async def _open(self) -> None:
        spec, environment = self._spec, self._environment
        limit = max(SNAPSHOT_LIMIT, spec.timeout) if spec.snap_start else INIT_LIMIT
        environment.phases.beginning("init", restoring=environment.restoring)
        began = self._clock.monotonic()
        attempt = await environment.begin(limit)
        took = self._clock.monotonic() - began
        why = attempt.fault.message if attempt.fault else ""
        if attempt.fault is not None and attempt.fault.type == "Lambent.Unfit":
            self.unfit = True
        elif self.unfit and self._zygote is not None:
            why = f"{self._zygote.ready.exception()}"
        if self.unfit:
            self.fault = ("Lambent.Unfit", why)
            environment.note(report.unfit(why))
            return
        environment.phases.initialised(attempt, "init", took)
        if not attempt.ready:
            self.fault = environment.fault()

    async def _start(self, launch: Launch) -> Process:
        self._zygote = await self._runtime.zygote(launch)
        self._zygote.ready.add_done_callback(self._said)
        if self._ended:
            self._zygote.process.kill()
        return self._zygote.process

    def _said(self, ready: asyncio.Future[None]) -> None:
        error = None if ready.cancelled() else ready.exception()
        if error is None:
            self._environment.forks()
        else:
            self.unfit = isinstance(error, LaunchFailed) and error.type == "Lambent.Unfit"
