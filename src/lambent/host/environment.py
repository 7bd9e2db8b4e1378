"""One execution environment: a process, its Runtime API, its output, its log stream.

Owns an environment's life:

    new ── invoke ──▶ initialising ──▶ busy ⇄ idle ──▶ ended
                          │ failed: started once more within the invocation,
                          ▼ with the function's timeout, as Lambda does
                        ended

An idle environment is frozen after a moment, and thawed when it is used or ended.

It knows nothing of other environments; the pool decides when it is used and ended.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lambent.core.clock import Clock
from lambent.core.ids import Ids
from lambent.host import ending as endings
from lambent.host import extensions, report
from lambent.host.attempt import Attempt
from lambent.host.contract import FunctionSpec, Invocation, InvocationResult
from lambent.host.debug_door import Door
from lambent.host.journal import Journal
from lambent.host.logs import LogSink, LogStream, stream_name
from lambent.host.network import Gateway
from lambent.host.output import OutputDecoder
from lambent.host.phases import Phases
from lambent.host.report import Fault
from lambent.host.runtimes.contract import Launch, LaunchFailed, Process, Runtime
from lambent.host.runtimes.provided import unexecutable
from lambent.host.sandboxes.contract import Limits, Sandbox
from lambent.host.variables import variables

_log = logging.getLogger(__name__)
MOST_AGE = 6 * 3600.0
"""Seconds after which an environment takes no more invocations, as Lambda ends them "every few
hours"; its credentials are good for longer."""
INIT_LIMIT = 10.0
"""Seconds that the initialisation phase may take."""
FREEZE_AFTER = 0.05
"""Seconds of rest before the freeze. Lambda promises no instant either; under steady load,
nobody pays for a freeze and a thaw (0.1 ms together) between two invocations."""
DEBUGGER_MEMORY = 256
"""MiB that a debugger may use beyond the function's memory."""
HELD = 86_400.0
"""Seconds by which the deadline that a debugged function sees is put off."""
_QUICK = 0.002
_WEIGHED_FOR = 0.05
"""Seconds: what follows a look at the memory's peak this closely and is over this quickly is
taken to need no more. The peak is the process's own, so that the next look still finds it."""
_AFTER_ERROR = 1.0
"""Seconds in which a runtime that told an error may still write its log."""


class EnvironmentGone(Exception):
    """The environment ended before it took the invocation: another one may run it."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What every environment of a node shares."""

    clock: Clock
    ids: Ids
    logs: LogSink
    endpoint: Callable[[], str]
    credentials: Callable[[FunctionSpec], Awaitable[Mapping[str, str]]]
    scratch: Path
    sandbox: Sandbox
    network: str = "host"
    gateway: Gateway | None = None


Start = Callable[[Launch], Awaitable[Process]]


class Environment:
    """An environment of one function revision; runs one invocation at a time.

    `start` starts its process in place of the runtime: by a fork of the function's zygote.
    Where that fails (`LaunchFailed`), the runtime does. `snapshot`: that restores a snapshot.
    Not `extended`: without the function's extensions.
    """

    def __init__(
        self,
        spec: FunctionSpec,
        runtime: Runtime,
        tools: Tools,
        *,
        provisioned: bool = False,
        door: Door | None = None,
        start: Start | None = None,
        snapshot: bool = False,
        extended: bool = True,
    ) -> None:
        self.spec = spec
        self._door = door
        self._kind = "provisioned-concurrency" if provisioned else "on-demand"
        if spec.snap_start:
            self._kind = "snap-start"
        self._fork = start
        self._snapshot = snapshot
        self._forked = False
        self.idle_since = 0.0
        self._born = tools.clock.monotonic()
        self._failed = False
        self.runtime = runtime
        self._tools = tools
        self._clock = tools.clock
        unique = tools.ids.hex(32)
        own = f"/aws/lambda/{spec.name}"
        group = spec.log_group or own
        shared = "" if group == own else spec.name
        name = stream_name(tools.clock.now(), spec.version, unique, shared)
        stream = LogStream(spec.account, spec.region, group, name)
        self._journal = Journal(spec, stream, tools.logs, tools.clock)
        self.phases = Phases(spec, self._journal, tools.clock, self._kind)
        self._scratch = tools.scratch / unique
        self._programs = extensions.found(spec.layers) if spec.layers and extended else {}
        self._decoder = OutputDecoder()
        self._attempt: Attempt | None = None
        self._memory = 0
        self._weighed = float("-inf")
        self._reason = "spindown"
        self._freezing: asyncio.TimerHandle | None = None
        self._frozen = False

    @property
    def usable(self) -> bool:
        """Whether another invocation may come; False once it failed, its process ended, or it
        is old."""
        return self.alive and not (self._attempt is not None and self.old)

    @property
    def alive(self) -> bool:
        """Whether it has not failed, and its process not ended."""
        return not self._failed and (self._attempt is None or self._attempt.usable)

    @property
    def old(self) -> bool:
        """Whether it has lived for long enough."""
        return self._clock.monotonic() - self._born > MOST_AGE

    async def initialise(self) -> str | None:
        """Initialise before any invocation comes; None, or why that failed."""
        self._decoder.begin()
        init = await self._first_phase()
        if init is not None:
            return None
        self._fail("failure")
        return self.fault()[0]

    def fault(self) -> tuple[str, str]:
        """Why its initialisation failed: the error type, and words for people."""
        attempt = self._attempt
        assert attempt is not None
        if attempt.timed_out:
            return "Sandbox.Timedout", "The initialisation took too long."
        if attempt.init_error is not None:
            return attempt.init_error[0], report.message(attempt.init_error[1])
        fault = attempt.fault or attempt.extensions.fault
        fault = fault or report.exited(attempt.exit_status or 0, attempt.out_of_memory)
        return fault.type, fault.message

    def forks(self) -> None:
        """It is the function's zygote, and can fork."""
        if self._attempt is not None:
            self._attempt.forks = True
            self._attempt.next_asked()

    def note(self, line: str) -> None:
        """Write a line into its log."""
        self._journal.text(line)

    async def _first_phase(self) -> float | None:
        """Start the process; how many seconds it took, None when it failed."""
        restoring = self.restoring
        self.phases.beginning("init", restoring=self.restoring)
        began = self._clock.monotonic()
        attempt = await self.begin(self._door.patience if self._door else INIT_LIMIT)
        init = self._clock.monotonic() - began
        if restoring and not self._forked:
            restoring = False
        if restoring:
            self.phases.restored(attempt, init)
        else:
            self.phases.initialised(attempt, "init", init)
        return init if attempt.ready else None

    @property
    def restoring(self) -> bool:
        """Whether its process comes from a snapshot, not from an initialisation."""
        return self._fork is not None and self._snapshot

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        """Run one invocation, initialising first when this is the first one.

        `EnvironmentGone` when its process ended while it was idle.
        """
        init: float | None = None
        self._wake()
        self._decoder.begin()
        attempt = self._attempt
        tier = "hot"
        if attempt is None:
            init = await self._first_phase()
            tier = "cold"
            if self._forked:
                tier = "snap-start" if self._snapshot else "warm"
        elif not attempt.ready:
            # It answered just now and is about to ask for more.
            deadline = self._clock.monotonic() + self.spec.timeout
            await attempt.until(lambda: attempt.ready or not attempt.usable, deadline)
            if not attempt.ready:
                self._fail("failure")
                raise EnvironmentGone
        return await self._run(invocation, init, tier)

    def rest(self) -> None:
        """No invocation is there for it: soon it is frozen, until one comes."""
        if self._freezing is None:
            # It is a real process that rests, so this goes by the machine's time.
            loop = asyncio.get_running_loop()
            self._freezing = loop.call_later(FREEZE_AFTER, self._freeze)

    def _freeze(self) -> None:
        self._freezing = None
        attempt = self._attempt
        if attempt is None or not self.usable:
            return
        if attempt.ready:
            self._frozen = True
            attempt.freeze(True)
        else:
            self.rest()  # it answered, and has something to do before it asks for more

    def _wake(self) -> None:
        if self._freezing is not None:
            self._freezing.cancel()
            self._freezing = None
        if self._frozen and self._attempt is not None:
            self._frozen = False
            self._attempt.freeze(False)

    async def end(self) -> None:
        """End the process and let go of everything; its last output is kept."""
        self._failed = True
        self._wake()
        attempt = self._attempt
        if attempt is not None:
            await self._stop(attempt, self._reason)
        if not self._tools.sandbox.isolating:
            await asyncio.to_thread(shutil.rmtree, self._scratch, ignore_errors=True)

    def _fail(self, reason: str) -> None:
        self._failed, self._reason = True, reason

    # Phases ------------------------------------------------------------------------------

    @property
    def _apart(self) -> bool:
        """Whether it has a network of its own; a debugger has to reach it."""
        return (self.spec.network or self._tools.network) == "none" and self._door is None

    async def begin(self, limit: float) -> Attempt:
        """Start a process and its extensions, and wait until all ask for their first
        invocation, or something fails."""
        spec, tools = self.spec, self._tools
        attempt = Attempt(
            *(spec, self._clock, tools.ids, self._journal, self._decoder),
            [*self._programs],
            tools.sandbox.isolating,
            self._door,
        )
        self._attempt = attempt
        for name, program in self._programs.items():
            if (reason := unexecutable(program)) is not None:
                attempt.extensions.could_not_start(name, reason)
        if attempt.extensions.fault is None:
            try:
                await self._start(attempt)
            except LaunchFailed as error:
                attempt.fault = Fault(error.type, str(error))
                return attempt
            # What the machine lacks may have to be fetched first: that is not the function's time.
            deadline = self._clock.monotonic() + limit
            in_time = (
                await attempt.until(
                    lambda: attempt.broken or attempt.extensions.all_registered, deadline
                )
                and attempt.programs.begin()
                and await attempt.until(lambda: attempt.broken or attempt.ready, deadline)
            )
            if not in_time and self._door is not None:
                attempt.fault = report.nobody_attached(self._door.port, self._door.patience)
            elif not in_time:
                attempt.timed_out = True
        attempt.initialised()
        attempt.drain()
        self._memory = max(self._memory, attempt.memory())
        self.phases.extensions(attempt)
        return attempt

    async def _start(self, attempt: Attempt) -> None:
        spec, tools = self.spec, self._tools
        if self._apart:
            address, endpoint = attempt.open_apart(tools.endpoint(), tools.gateway)
        else:
            address, endpoint = await attempt.open(), tools.endpoint()
        read, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(write, True)
        attempt.watch(read)
        descriptors = [write]
        try:
            if not tools.sandbox.isolating:
                self._scratch.mkdir(parents=True, exist_ok=True)
            environment = variables(
                spec,
                task=tools.sandbox.task(spec.code),
                log_group=self._journal.group,
                log_stream=self._journal.name,
                runtime_api=address,
                endpoint=endpoint,
                credentials=await tools.credentials(spec),
                runtime=self.runtime.variables(spec.runtime),
                initialization=self._kind,
            )
            launch = Launch(
                *(spec.handler, environment, spec.code, self._scratch, write),
                layers=spec.layers,
                limits=Limits(spec.memory + (DEBUGGER_MEMORY if self._door else 0), spec.ephemeral),
                runtime=spec.runtime,
                debug=self._door.address if self._door else "",
                network=attempt.network.offered if attempt.network else None,
            )
            if self._programs:
                seen = tools.sandbox.layers(spec.layers)
                beside = attempt.programs.beside(
                    extensions.places(self._programs, spec.layers, seen),
                    extensions.environment(environment),
                    attempt.address,
                )
                descriptors += [beside.output, beside.control]
                launch = replace(launch, beside=beside)
            attempt.began(await self._process(launch))
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    async def _process(self, launch: Launch) -> Process:
        if self._fork is not None:
            try:
                process = await self._fork(launch)
            except LaunchFailed as error:
                _log.debug("%s starts cold: %s", self.spec.arn, error)
                self._fork = None
            else:
                self._forked = True
                return process
        return await self.runtime.start(launch)

    async def _run(self, invocation: Invocation, init: float | None, tier: str) -> InvocationResult:
        spec, request_id = self.spec, invocation.request_id
        if invocation.tail:
            self._journal.begin_tail()
        began = self._clock.monotonic()
        self.phases.invoked(request_id)
        attempt = self._attempt
        assert attempt is not None
        if not attempt.ready and self._door is None:
            await self._stop(attempt, "timeout" if attempt.timed_out else "failure")
            self._journal.unsubscribe_all()
            self.phases.beginning("invoke", restoring=self.restoring)
            attempt = await self.begin(spec.timeout)
            self.phases.initialised(attempt, "invoke", self._clock.monotonic() - began)
        self._journal.forget_history()
        if attempt.ready:
            await self._hand_over(attempt, invocation, began)
        ended = self._clock.monotonic()
        duration = ended - began
        attempt.drain()
        self._journal.function(self._decoder.finish(self._clock.now()))
        if duration > _QUICK or ended > self._weighed + _WEIGHED_FOR:
            self._memory = max(self._memory, attempt.memory())
            self._weighed = ended
        if invocation.stream is not None:
            invocation.stream.end()
        return self._conclude(attempt, invocation, duration, init, tier)

    async def _hand_over(self, attempt: Attempt, invocation: Invocation, began: float) -> None:
        """Have the invocation run; returns once runtime and extensions are done with it."""
        deadline = began + self.spec.timeout
        left = deadline - self._clock.monotonic()
        held = HELD if self._door is not None else 0.0
        attempt.offer(invocation, self.spec, self._trace(invocation), left + held)
        answered = await attempt.until(
            lambda: attempt.answer is not None or attempt.broken, deadline
        )
        if attempt.answer_is_error and not attempt.broken:
            # Runtimes log an error around telling it, some of them after.
            soon = min(deadline, self._clock.monotonic() + _AFTER_ERROR)
            await attempt.until(lambda: attempt.waits or attempt.broken, soon)
        done = answered
        if attempt.extensions.all and answered:
            done = await attempt.until(lambda: attempt.ready or attempt.broken, deadline)
        attempt.timed_out = not done
        if not self._journal.plain:
            attempt.drain()  # what it printed before it answered comes first
            self.phases.runtime_done(attempt, invocation.request_id, began, answered)

    def _conclude(
        self,
        attempt: Attempt,
        invocation: Invocation,
        duration: float,
        init: float | None,
        tier: str,
    ) -> InvocationResult:
        """Log how it went, and make it the result."""
        spec, request_id = self.spec, invocation.request_id
        ending = endings.of(attempt, request_id, spec.timeout)
        if ending.status == "timeout":
            duration = spec.timeout
        elif ending.fault is not None and attempt.out_of_memory:
            self._memory = spec.memory
        if ending.status != "success":
            self.phases.failed(request_id, ending)
            self._fail("timeout" if ending.status == "timeout" else "failure")
        restored = self.restoring and self._forked
        billed = report.billed(duration, None if restored else init)
        self.phases.ended(
            *(attempt, request_id, ending),
            duration=duration,
            billed=billed,
            memory=self._memory,
            init=init,
            restored=restored,
        )
        tail = self._journal.end_tail()
        if restored and init is not None:
            billed += report.billed(init, None)
        return InvocationResult(
            *(ending.payload, ending.error, tail, duration, billed, init, self._memory), tier=tier
        )

    async def _stop(self, attempt: Attempt, reason: str) -> None:
        await attempt.stop(reason)
        self._journal.function(self._decoder.finish(self._clock.now()))

    def _trace(self, invocation: Invocation) -> str:
        if invocation.trace:
            return invocation.trace
        ids = self._tools.ids
        return f"Root=1-{int(self._clock.now()):08x}-{ids.hex(24)};Parent={ids.hex(16)};Sampled=0"
