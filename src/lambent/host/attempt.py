"""One process of an environment, with its APIs, its output and its extensions.

An environment has one at a time, and a second one when its initialisation is tried again.
Owns what the process said until now; what follows from it is the environment's to decide.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
from collections.abc import AsyncIterator, Callable

from lambent.core.clock import Clock
from lambent.core.ids import Ids
from lambent.host import extensions as beside
from lambent.host import extensions_api, report, runtime_api, telemetry_api
from lambent.host.contract import FunctionSpec, Invocation
from lambent.host.debug_door import Door
from lambent.host.extensions import Programs
from lambent.host.extensions_api import Extensions
from lambent.host.journal import Journal
from lambent.host.network import Alone, Gateway
from lambent.host.output import OutputDecoder
from lambent.host.report import Fault
from lambent.host.runtime_api import RuntimeApi, State
from lambent.host.runtimes.contract import Process
from lambent.host.streams import MAX_STREAMED, ResponseStream
from lambent.host.telemetry_api import TelemetryApi
from lambent.host.wire import Server

_READ_BYTES = 1 << 16
_DRAIN_READS = 256
_ANYONE = ("0.0.0.0", 0)  # noqa: S104 - the other end of a socket that listens
_MEMORY = re.compile(rb"VmHWM:\s+(\d+) kB")
_RUNTIME_SECONDS = 0.3
_INTERNAL_SECONDS = 0.5
_EXTERNAL_SECONDS = 2.0
"""How long a runtime, one with internal extensions, and all with external ones have to end
(Lambda Developer Guide, "Shutdown phase")."""


class Attempt:
    """See the module. `guarded`: only the process's own connections are served. `door` holds
    the time while a debugger is attached."""

    def __init__(
        self,
        spec: FunctionSpec,
        clock: Clock,
        ids: Ids,
        journal: Journal,
        decoder: OutputDecoder,
        extensions: list[str],
        guarded: bool,
        door: Door | None = None,
    ) -> None:
        self._spec = spec
        self._clock = clock
        self._journal = journal
        self._decoder = decoder
        self._door = door
        self._wait = door.wait if door is not None else clock.wait
        self._news = asyncio.Event()
        self._output: int | None = None
        self._status_file: int | None = None
        self._process: Process | None = None
        self._stream: ResponseStream | None = None
        self._pieces: list[bytes] | None = None
        self._left = set(extensions)
        self._ending = False
        self._lines_beside = OutputDecoder()
        self.programs = Programs(self._take_beside, self._program_exited)
        self.extensions = Extensions(spec, ids, extensions, self._news.set)
        self.address = beside.address(ids) if extensions and guarded else "127.0.0.1"
        """Where in its network the environment's listeners are."""
        self.telemetry = TelemetryApi(
            *(self.extensions, journal, clock, self._reach, self._news.set)
        )
        self.api = RuntimeApi(self)
        self._server = Server(
            {
                runtime_api.PREFIX: self.api,
                extensions_api.PREFIX: self.extensions,
                telemetry_api.TELEMETRY: self.telemetry,
                telemetry_api.LOGS: self.telemetry,
            },
            guarded,
        )
        self.network: Alone | None = None
        self.init_error: tuple[str, bytes] | None = None
        self.fault: Fault | None = None
        self.answer: bytes | None = None
        self.answer_is_error = False
        self.answer_error_type = ""
        self.answered_at = 0.0
        self.response_began_at = 0.0
        self.produced = 0
        self.exit_status: int | None = None
        self.timed_out = False
        self.forks = False
        """Whether it is a function's zygote that waits to fork."""

    # How it stands -----------------------------------------------------------------------

    @property
    def waits(self) -> bool:
        """Whether the runtime waits for an invocation."""
        return self.api.state is State.WAITING and self.exit_status is None

    @property
    def ready(self) -> bool:
        """Whether the runtime and all extensions wait for an invocation."""
        if self.forks:
            return self.exit_status is None
        return self.waits and self.extensions.settled and self.extensions.fault is None

    @property
    def broken(self) -> bool:
        """Whether something ended that should not have."""
        return (
            self.exit_status is not None
            or self.init_error is not None
            or self.fault is not None
            or self.extensions.fault is not None
        )

    @property
    def usable(self) -> bool:
        """Whether it may still run something."""
        return self.exit_status is None and self.extensions.fault is None

    async def until(self, condition: Callable[[], bool], deadline: float) -> bool:
        """Wait until something holds; False when it does not by `deadline` (monotonic)."""
        left = deadline - self._clock.monotonic()
        if left <= 0 and self._held:
            left = self._spec.timeout
        while True:
            self._news.clear()
            if condition():
                return True
            began = self._clock.monotonic()
            if not await self._wait(self._news, left):
                return condition()
            if not self._held:
                left -= self._clock.monotonic() - began

    @property
    def _held(self) -> bool:
        return self._door is not None and self._door.attached

    # Its life ----------------------------------------------------------------------------

    async def open(self) -> str:
        """Listen; the address of its APIs."""
        return await self._server.open()

    def open_apart(self, endpoint: str, gateway: Gateway | None) -> tuple[str, str]:
        """In a network of its own: the addresses, there, of its APIs and of the node, whose
        URL is `endpoint`."""
        self.network = Alone(self._server.serve, endpoint, gateway, extensions_api.MOST)
        return self.network.api_address, self.network.endpoint

    def watch(self, output: int) -> None:
        """Read the process's output from this descriptor from now on."""
        self._output = output
        asyncio.get_running_loop().add_reader(output, self._readable)

    def began(self, process: Process) -> None:
        """The process runs."""
        self._process = process
        self.address = process.address or self.address
        with contextlib.suppress(OSError):
            self._status_file = os.open(f"/proc/{process.pid}/status", os.O_RDONLY | os.O_CLOEXEC)
        process.exited.add_done_callback(self._exited)
        self._server.admit(process.owns)

    def offer(self, invocation: Invocation, spec: FunctionSpec, trace: str, timeout: float) -> None:
        """Hand an invocation over."""
        self.answer, self.answer_is_error, self.fault = None, False, None
        self._stream, self._pieces = invocation.stream, None
        self.produced, self.response_began_at = 0, 0.0
        arn = invocation.arn or spec.arn
        deadline_ms = int((self._clock.now() + timeout) * 1000)
        if self.extensions.all:
            self.extensions.invoke(invocation.request_id, arn, deadline_ms, trace)
        self.api.offer(
            invocation.request_id,
            invocation.payload,
            arn=arn,
            deadline_ms=deadline_ms,
            trace=trace,
            client_context=invocation.client_context,
        )

    def drain(self) -> None:
        """Take the output that was written until now."""
        for _ in range(_DRAIN_READS):
            if not (self._readable() | self.programs.drain()):
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
        """Freeze the process and its extensions, or let them go on."""
        if self._process is not None:
            self._process.freeze(frozen)

    async def stop(self, reason: str) -> None:
        """Let runtime and extensions end, for the reason that Lambda gives (spindown, timeout,
        failure); kill what is left, take its last output, close everything."""
        if self._process is not None:
            if any(each.id for each in self.extensions.all) and not self._process.gone.done():
                await self._shut_down(self._process, reason)
            self._ending = True
            self._process.kill()
            await self._process.gone
        self.drain()
        self._end_lines_beside()
        await self.telemetry.close()
        if self.network is not None:
            await self.network.close()
        self._server.close()
        self.programs.close()
        if self._output is not None:
            asyncio.get_running_loop().remove_reader(self._output)
            os.close(self._output)
            self._output = None
        if self._status_file is not None:
            os.close(self._status_file)
            self._status_file = None

    async def _shut_down(self, process: Process, reason: str) -> None:
        began = asyncio.get_running_loop().time()
        external = self.extensions.any_external
        self._ending = True
        process.terminate()
        limit = _RUNTIME_SECONDS if external else _INTERNAL_SECONDS
        await self._within(lambda: self.exit_status is not None, began + limit)
        if not external:
            return
        self.drain()
        self.telemetry.flush()
        await self._within(lambda: self.telemetry.idle, began + _EXTERNAL_SECONDS)
        deadline_ms = int((self._clock.now() + _EXTERNAL_SECONDS - limit) * 1000)
        told = self.extensions.shut_down(reason, deadline_ms)
        await self._within(lambda: not self._left & told, began + _EXTERNAL_SECONDS)

    async def _within(self, condition: Callable[[], bool], deadline: float) -> None:
        """As `until`, but by the machine's time, as real processes end."""
        loop = asyncio.get_running_loop()
        while not condition() and loop.time() < deadline:
            self._news.clear()
            timer = loop.call_at(deadline, self._news.set)
            await self._news.wait()
            timer.cancel()

    @contextlib.asynccontextmanager
    async def _reach(self, port: int) -> AsyncIterator[socket.socket]:
        """A connection to what listens in the environment. OSError when it is not there, or
        not the environment's."""
        process, listener = self._process, (self.address, port)
        if self.network is not None:
            async with self.network.reach(listener) as made:
                yield made
            return
        if process is None or not process.owns(listener, _ANYONE):
            raise ConnectionRefusedError
        with socket.socket() as made:
            made.setblocking(False)
            await asyncio.get_running_loop().sock_connect(made, listener)
            yield made

    def initialised(self) -> None:
        """The initialisation is over, however: nobody subscribes to telemetry any more."""
        self.telemetry.closed = True
        if self.network is not None and not self.telemetry.has_subscribers:
            self.network.close_ways()

    # Listener of the Runtime API ---------------------------------------------------------

    def next_asked(self) -> None:
        self.extensions.closed = True
        self._news.set()

    def answered(self, body: bytes) -> None:
        self.answer = body
        self._note_answer(len(body))

    def failed(self, error_type: str, body: bytes) -> None:
        self.answer, self.answer_is_error, self.answer_error_type = body, True, error_type
        self._note_answer(len(body))

    def oversized(self, limit: int) -> None:
        self.fault = report.too_large(limit)
        self._note_answer(0)

    def init_failed(self, error_type: str, body: bytes) -> None:
        self.init_error = (error_type, body)
        self._news.set()

    def stream_began(self, content_type: str) -> int:
        self.response_began_at = self._clock.monotonic()
        if self._stream is not None:
            self._stream.begin(content_type)
            return MAX_STREAMED
        self._pieces = []
        return report.MAX_PAYLOAD

    def stream_came(self, piece: bytes, resume: Callable[[], None]) -> bool:
        self.produced += len(piece)
        if self._pieces is None:
            assert self._stream is not None
            return self._stream.write(piece, resume)
        self._pieces.append(piece)
        return True

    def stream_ended(self) -> None:
        self.answer = b"".join(self._pieces or ())
        self._note_answer(0)

    def stream_broke(self) -> None:
        self.fault = report.truncated()
        self._news.set()

    def _note_answer(self, size: int) -> None:
        self.answered_at = self._clock.monotonic()
        self.response_began_at = self.response_began_at or self.answered_at
        self.produced += size
        self._news.set()

    # What its processes do ---------------------------------------------------------------

    def _exited(self, exited: asyncio.Future[int]) -> None:
        self.exit_status = exited.result()
        self._news.set()

    def _program_exited(self, name: str, how: str) -> None:
        self._left.discard(name)
        if not self._ending:
            self.extensions.exited(name, how)
        self._news.set()

    def _take_beside(self, data: bytes) -> None:
        self._journal.extension(self._lines_beside.feed(data, self._clock.now()))

    def _end_lines_beside(self) -> None:
        self._journal.extension(self._lines_beside.finish(self._clock.now()))

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
        self._journal.function(self._decoder.feed(data, self._clock.now()))
        return True
