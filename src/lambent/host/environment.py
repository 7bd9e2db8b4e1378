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
import contextlib
import os
import re
import shutil
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lambent.core.clock import Clock
from lambent.core.ids import Ids
from lambent.host import report
from lambent.host.contract import FunctionSpec, Invocation, InvocationResult
from lambent.host.debug_door import Door
from lambent.host.logs import LogSink, LogStream, stream_name
from lambent.host.output import LogEvent, OutputDecoder
from lambent.host.report import Fault
from lambent.host.runtime_api import RuntimeApi, State
from lambent.host.runtimes.contract import Launch, LaunchFailed, Process, Runtime
from lambent.host.sandboxes.contract import Limits, Sandbox
from lambent.host.variables import variables

INIT_LIMIT = 10.0
"""Seconds that the initialisation phase may take."""
FREEZE_AFTER = 0.01
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
_READ_BYTES = 1 << 16
_DRAIN_READS = 256
_MEMORY = re.compile(rb"VmHWM:\s+(\d+) kB")


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


class Environment:
    """An environment of one function revision; runs one invocation at a time."""

    def __init__(
        self,
        spec: FunctionSpec,
        runtime: Runtime,
        tools: Tools,
        *,
        provisioned: bool = False,
        door: Door | None = None,
    ) -> None:
        self.spec = spec
        self._door = door
        self._provisioned = provisioned
        self.idle_since = 0.0
        self._failed = False
        self._runtime = runtime
        self._tools = tools
        self._clock = tools.clock
        unique = tools.ids.hex(32)
        self._stream = LogStream(
            spec.account,
            spec.region,
            spec.log_group or f"/aws/lambda/{spec.name}",
            stream_name(tools.clock.now(), spec.version, unique),
        )
        self._scratch = tools.scratch / unique
        self._decoder = OutputDecoder()
        self._attempt: _Attempt | None = None
        self._tail: _Tail | None = None
        self._memory = 0
        self._weighed = float("-inf")
        self._freezing: asyncio.TimerHandle | None = None
        self._frozen = False

    @property
    def usable(self) -> bool:
        """Whether another invocation may come; False once it failed or its process ended."""
        attempt = self._attempt
        return not self._failed and (attempt is None or attempt.exit_status is None)

    async def initialise(self) -> str | None:
        """Initialise before any invocation comes; None, or why that failed."""
        self._decoder.begin()
        init = await self._first_phase()
        if init is not None:
            return None
        self._failed = True
        attempt = self._attempt
        assert attempt is not None
        if attempt.timed_out:
            return "Sandbox.Timedout"
        return attempt.init_error[0] if attempt.init_error else "Runtime.ExitError"

    async def _first_phase(self) -> float | None:
        """Start the process; how many seconds it took, None when it failed."""
        self._emit_line(report.init_start(self.spec.runtime))
        began = self._clock.monotonic()
        self._attempt = await self._initialise(self._door.patience if self._door else INIT_LIMIT)
        init = self._clock.monotonic() - began
        if self._attempt.ready:
            return init
        self._report_init("init", init)
        return None

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        """Run one invocation, initialising first when this is the first one.

        `EnvironmentGone` when its process ended while it was idle.
        """
        init: float | None = None
        self._wake()
        self._decoder.begin()
        hot = self._attempt is not None
        if self._attempt is None:
            init = await self._first_phase()
        elif not self._attempt.ready:
            # It answered just now and is about to ask for more.
            await self._attempt.wait(self.spec.timeout)
            if not self._attempt.ready:
                self._failed = True
                raise EnvironmentGone
        return await self._run(invocation, init, hot)

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
            await self._stop(attempt)
        if not self._tools.sandbox.isolating:
            await asyncio.to_thread(shutil.rmtree, self._scratch, ignore_errors=True)

    # Phases ------------------------------------------------------------------------------

    async def _initialise(self, limit: float) -> _Attempt:
        """Start a process and wait until it asks for its first invocation, or fails."""
        spec, tools = self.spec, self._tools
        attempt = _Attempt(self._clock, self._take_output, self._door)
        self._attempt = attempt
        address = await attempt.api.open()
        read, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(write, True)
        attempt.watch(read)
        try:
            if not tools.sandbox.isolating:
                self._scratch.mkdir(parents=True, exist_ok=True)
            environment = variables(
                spec,
                task=tools.sandbox.task(spec.code),
                log_group=self._stream.group,
                log_stream=self._stream.name,
                runtime_api=address,
                endpoint=tools.endpoint(),
                credentials=await tools.credentials(spec),
                runtime=self._runtime.variables(spec.runtime),
                initialization="provisioned-concurrency" if self._provisioned else "on-demand",
            )
            launch = Launch(
                *(spec.handler, environment, spec.code, self._scratch, write),
                layers=spec.layers,
                limits=Limits(spec.memory + (DEBUGGER_MEMORY if self._door else 0), spec.ephemeral),
                runtime=spec.runtime,
                debug=self._door.address if self._door else "",
            )
            attempt.began(await self._runtime.start(launch))
        except LaunchFailed as error:
            attempt.fault = Fault(error.type, str(error))
            return attempt
        finally:
            os.close(write)
        if not await attempt.wait(limit):
            if self._door is not None:
                attempt.fault = report.nobody_attached(self._door.port, self._door.patience)
            else:
                attempt.timed_out = True
        self._memory = max(self._memory, attempt.memory())
        return attempt

    async def _run(self, invocation: Invocation, init: float | None, hot: bool) -> InvocationResult:
        spec, request_id = self.spec, invocation.request_id
        self._tail = _Tail() if invocation.tail else None
        began = self._clock.monotonic()
        self._emit_line(report.start(request_id, spec.version))
        attempt = self._attempt
        assert attempt is not None
        if not attempt.ready and self._door is None:
            await self._stop(attempt)
            attempt = await self._initialise(spec.timeout)
            if not attempt.ready:
                self._report_init("invoke", self._clock.monotonic() - began)
        if attempt.ready:
            left = spec.timeout - (self._clock.monotonic() - began)
            held = HELD if self._door is not None else 0.0
            attempt.offer(invocation, spec, self._trace(invocation), left + held)
            attempt.timed_out = not await attempt.wait(left)
        ended = self._clock.monotonic()
        duration = ended - began
        attempt.drain()
        if duration > _QUICK or ended > self._weighed + _WEIGHED_FOR:
            self._memory = max(self._memory, attempt.memory())
            self._weighed = ended
        return self._conclude(attempt, invocation, duration, init, hot)

    def _conclude(
        self,
        attempt: _Attempt,
        invocation: Invocation,
        duration: float,
        init: float | None,
        hot: bool,
    ) -> InvocationResult:
        """Log how it went, and make it the result."""
        spec, request_id = self.spec, invocation.request_id
        now = self._clock.now()
        self._emit(self._decoder.finish(now))
        status: str | None = None
        error_type: str | None = None
        payload = attempt.answer
        error = "Unhandled" if attempt.answer_is_error else None
        if payload is None:
            self._failed = True
            error, status = "Unhandled", "error"
            if attempt.init_error is not None:
                error_type, payload = attempt.init_error
            elif attempt.timed_out:
                status, duration = "timeout", spec.timeout
                payload = report.timed_out(spec.timeout).payload(request_id)
                self._emit_line(report.timeout_line(now, request_id, spec.timeout))
            else:
                if attempt.out_of_memory:
                    self._memory = spec.memory
                fault = attempt.fault or report.exited(
                    attempt.exit_status or 0, attempt.out_of_memory
                )
                error_type, payload = fault.type, fault.payload(request_id)
                self._emit_line(f"RequestId: {request_id} Error: {fault.message}\n")
                self._emit_line(f"{fault.type}\n")
        billed = report.billed(duration, init)
        summary = report.report(
            request_id,
            duration=duration,
            billed_seconds=billed,
            memory_size=spec.memory,
            memory_used=self._memory,
            init=init,
            status=status,
            error_type=error_type,
        )
        now = self._clock.now()
        self._emit([(now, report.end(request_id)), (now, summary)])
        tail = self._tail.bytes() if self._tail is not None else b""
        self._tail = None
        return InvocationResult(payload, error, tail, duration, billed, init, self._memory, hot=hot)

    async def _stop(self, attempt: _Attempt) -> None:
        await attempt.stop()
        self._emit(self._decoder.finish(self._clock.now()))

    # Logs --------------------------------------------------------------------------------

    def _take_output(self, data: bytes) -> None:
        self._emit(self._decoder.feed(data, self._clock.now()))

    def _emit_line(self, line: str) -> None:
        self._emit([(self._clock.now(), line)])

    def _emit(self, events: list[LogEvent]) -> None:
        if not events:
            return
        self._tools.logs.write(self._stream, events)
        if self._tail is not None:
            self._tail.add(events)

    def _report_init(self, phase: str, duration: float) -> None:
        attempt = self._attempt
        assert attempt is not None
        error_type = attempt.init_error[0] if attempt.init_error else None
        if error_type is None and not attempt.timed_out:
            error_type = attempt.fault.type if attempt.fault else "Runtime.ExitError"
        status = "timeout" if attempt.timed_out else "error"
        attempt.drain()
        self._emit_line(report.init_report(duration, phase, status, error_type))

    def _trace(self, invocation: Invocation) -> str:
        if invocation.trace:
            return invocation.trace
        ids = self._tools.ids
        return f"Root=1-{int(self._clock.now()):08x}-{ids.hex(24)};Parent={ids.hex(16)};Sampled=0"


class _Tail:
    """The last bytes of an invocation's log."""

    def __init__(self) -> None:
        self._texts: deque[str] = deque()
        self._size = 0

    def add(self, events: list[LogEvent]) -> None:
        """Take events; what the tail surely does not reach is let go."""
        for _, text in events:
            self._texts.append(text)
            self._size += len(text)
            while self._size - len(self._texts[0]) > report.TAIL_BYTES:
                self._size -= len(self._texts.popleft())

    def bytes(self) -> bytes:
        """The tail itself."""
        return "".join(self._texts).encode()[-report.TAIL_BYTES :]


class _Attempt:
    """One process and its Runtime API: what the environment has of them at a time."""

    def __init__(
        self, clock: Clock, take: Callable[[bytes], None], door: Door | None = None
    ) -> None:
        self._clock = clock
        self._wait = door.wait if door is not None else clock.wait
        self._take = take
        self._news = asyncio.Event()
        self._output: int | None = None
        self._status_file: int | None = None
        self._process: Process | None = None
        self.api = RuntimeApi(self)
        self.init_error: tuple[str, bytes] | None = None
        self.fault: Fault | None = None
        self.answer: bytes | None = None
        self.answer_is_error = False
        self.exit_status: int | None = None
        self.timed_out = False

    @property
    def ready(self) -> bool:
        """Whether the process waits for an invocation."""
        return self.api.state is State.WAITING and self.exit_status is None

    def watch(self, output: int) -> None:
        """Read the process's output from this descriptor from now on."""
        self._output = output
        asyncio.get_running_loop().add_reader(output, self._readable)

    def began(self, process: Process) -> None:
        """The process runs."""
        self._process = process
        with contextlib.suppress(OSError):
            self._status_file = os.open(f"/proc/{process.pid}/status", os.O_RDONLY | os.O_CLOEXEC)
        process.exited.add_done_callback(self._ended)

    async def wait(self, timeout: float) -> bool:
        """Wait for the next thing to happen; False after `timeout` seconds."""
        happened = await self._wait(self._news, timeout)
        self._news.clear()
        return happened

    def offer(self, invocation: Invocation, spec: FunctionSpec, trace: str, timeout: float) -> None:
        """Hand an invocation over."""
        self.answer, self.answer_is_error, self.fault = None, False, None
        self._news.clear()
        self.api.offer(
            invocation.request_id,
            invocation.payload,
            arn=invocation.arn or spec.arn,
            deadline_ms=int((self._clock.now() + timeout) * 1000),
            trace=trace,
            client_context=invocation.client_context,
        )

    def drain(self) -> None:
        """Take the output that was written until now."""
        for _ in range(_DRAIN_READS):
            if not self._readable():
                return

    def memory(self) -> int:
        """The process's peak memory in MiB; 0 when it is gone."""
        if self._status_file is None:
            return 0
        try:
            match = _MEMORY.search(os.pread(self._status_file, 4096, 0))
        except OSError:
            return 0
        return -(-int(match[1]) // 1024) if match else 0

    @property
    def out_of_memory(self) -> bool:
        """Whether the process was ended because it used more memory than it has."""
        return self._process is not None and self._process.out_of_memory

    def freeze(self, frozen: bool) -> None:
        """Freeze the process, or let it go on."""
        if self._process is not None:
            self._process.freeze(frozen)

    async def stop(self) -> None:
        """Kill the process, take its last output, close everything."""
        if self._process is not None:
            self._process.kill()
            await self._process.exited
        self.drain()
        self.api.close()
        if self._output is not None:
            asyncio.get_running_loop().remove_reader(self._output)
            os.close(self._output)
            self._output = None
        if self._status_file is not None:
            os.close(self._status_file)
            self._status_file = None

    # Listener of the Runtime API ---------------------------------------------------------

    def next_asked(self) -> None:
        self._news.set()

    def answered(self, body: bytes) -> None:
        self.answer = body
        self._news.set()

    def failed(self, body: bytes) -> None:
        self.answer, self.answer_is_error = body, True
        self._news.set()

    def oversized(self) -> None:
        self.fault = report.too_large()
        self._news.set()

    def init_failed(self, error_type: str, body: bytes) -> None:
        self.init_error = (error_type, body)
        self._news.set()

    def _ended(self, exited: asyncio.Future[int]) -> None:
        self.exit_status = exited.result()
        self._news.set()

    def _readable(self) -> bool:
        """Read once; whether there may be more."""
        if self._output is None:
            return False
        try:
            data = os.read(self._output, _READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            asyncio.get_running_loop().remove_reader(self._output)
            return False
        self._take(data)
        return True
