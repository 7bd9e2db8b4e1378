"""The function host of one machine: runtimes, invocations and debugging sessions.

Owns who is admitted, what is counted, and which runtime runs a function; `pool` has the
environments. A client that goes away does not stop its invocation: each runs in a task of
its own.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

from msgspec import structs

from lambent.core.clock import Clock
from lambent.core.ids import Ids
from lambent.host import report, scaling
from lambent.host.contract import (
    Activity,
    Debugging,
    FunctionSpec,
    Invocation,
    InvocationResult,
    Kept,
    Language,
    NotDebuggable,
    Throttled,
)
from lambent.host.debug_door import Door
from lambent.host.debugging import Session
from lambent.host.environment import Environment, EnvironmentGone, Tools
from lambent.host.figures import Figures
from lambent.host.logs import LogSink
from lambent.host.network import Gateway
from lambent.host.pool import Pool
from lambent.host.reclaim import KeepAlive, ReclaimPolicy
from lambent.host.report import Fault
from lambent.host.runtimes.contract import Debuggable, LaunchFailed, Runtime, discover
from lambent.host.sandboxes.contract import Sandbox
from lambent.host.sandboxes.local import open_sandbox

MAX_IDLE = 64
"""Idle environments that a node keeps at most."""
_log = logging.getLogger(__name__)


async def open_host(
    *,
    clock: Clock,
    ids: Ids,
    cache: Path,
    endpoint: Callable[[], str],
    credentials: Callable[[FunctionSpec], Awaitable[Mapping[str, str]]],
    logs: LogSink,
    keep_alive: float = scaling.KEEP_ALIVE,
    most_idle: int = MAX_IDLE,
    most: int | None = None,
    sandbox: Sandbox | None = None,
    network: str = "host",
    gateway: Gateway | None = None,
    policy: ReclaimPolicy | None = None,
) -> LocalHost:
    """A host that runs functions as processes of this machine.

    `cache` is the node's own folder for what can be made again. `endpoint` gives the node's
    URL, which functions find as AWS_ENDPOINT_URL; `credentials` gives a function's
    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. `logs` is closed with the
    host. `keep_alive` in seconds; `most` limits the environments (None: by the machine's
    memory). `sandbox` keeps environments apart (None: it does not); it is closed with the host.
    `network` is for functions that say nothing else: "host", or "none", where only what
    `gateway` serves can be reached.
    `policy` decides what idle is reclaimed (None: by `keep_alive` and `most_idle`).
    """
    scratch = _scratch_folder(cache)
    if most is None:
        most = scaling.machine_limit(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    if sandbox is None:
        sandbox = await open_sandbox("off", scratch.parent)
    tools = Tools(clock, ids, logs, endpoint, credentials, scratch, sandbox, network, gateway)
    policy = policy or KeepAlive(keep_alive, most_idle)
    return LocalHost(tools, discover(scratch.parent, sandbox), policy, most)


def _scratch_folder(cache: Path) -> Path:
    scratch = cache.absolute() / "environments"
    shutil.rmtree(scratch, ignore_errors=True)  # left by a node that was killed
    scratch.mkdir(parents=True, mode=0o700)
    return scratch


_Scope = tuple[str, str]


class LocalHost:
    """A `FunctionHost` (see `host.contract`)."""

    def __init__(
        self,
        tools: Tools,
        runtimes: list[Runtime],
        policy: ReclaimPolicy,
        most: int,
    ) -> None:
        self._tools = tools
        self._clock = tools.clock
        self._runtimes = runtimes
        self._families: dict[str, Runtime] = {}
        self._pool = Pool(tools, policy, most)
        self._running: Counter[_Scope] = Counter()
        self.figures = Figures()
        self._counts: dict[str, Activity] = {}
        self._invocations: set[asyncio.Task[None]] = set()
        self._debugged: dict[str, Session] = {}
        self._closing = False

    async def invoke(self, spec: FunctionSpec, invocation: Invocation) -> InvocationResult:
        runtime = self._runtime(spec.runtime)
        if runtime is None:
            message = f"The runtime {spec.runtime} cannot be run on this machine"
            return _platform_failure(invocation, Fault("Runtime.Unsupported", message))
        scope = (spec.account, spec.region)
        counts = self._counts.setdefault(spec.arn, Activity())
        counts.tier = spec.tier
        if self._closing or not scaling.admits(self._running[scope]):
            counts.throttles += 1
            raise Throttled(f"No place for another invocation of {spec.arn}.")
        self._running[scope] += 1
        # Awaited by itself, the task would be cancelled with its caller.
        ended: asyncio.Future[InvocationResult] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._run(spec, runtime, invocation, counts, ended))
        self._invocations.add(task)
        task.add_done_callback(self._invocations.discard)
        return await ended

    async def prepare(self, runtime: str) -> None:
        family = self._runtime(runtime)
        if family is not None:
            try:
                await family.prepare(runtime)
            except LaunchFailed as error:
                _log.warning("The runtime %s is not ready: %s", runtime, error)

    async def keep(self, spec: FunctionSpec, count: int) -> None:
        runtime = self._runtime(spec.runtime)
        if runtime is not None:
            self._pool.keep(spec, runtime, count)

    def kept(self, spec: FunctionSpec) -> Kept:
        return self._pool.kept(spec)

    async def prime(self, spec: FunctionSpec) -> tuple[str, str] | None:
        runtime = self._runtime(spec.runtime)
        if self._closing or runtime is None:
            return None
        self._counts.setdefault(spec.arn, Activity()).tier = spec.tier
        return await self._pool.prime(spec, runtime)

    async def debug(self, spec: FunctionSpec, port: int, patience: float) -> Debugging:
        runtime = self._runtime(spec.runtime)
        if not isinstance(runtime, Debuggable):
            raise NotDebuggable(f"Functions of {spec.runtime} cannot be debugged.")
        try:
            debugger = runtime.debugger()
        except LaunchFailed as error:
            raise NotDebuggable(str(error)) from error
        await self.stop_debugging(spec.arn)
        door = Door(self._clock, patience)
        try:
            await door.open(port)
        except OSError as error:
            await door.close()
            raise NotDebuggable(f"Port {port} cannot be had: {error.strerror}.") from error
        self._debugged[spec.arn] = Session(
            door, lambda spec, door: Environment(spec, runtime, self._tools, door=door)
        )
        return Debugging(debugger, door.port, self._tools.sandbox.task(spec.code))

    async def stop_debugging(self, arn: str) -> bool:
        session = self._debugged.pop(arn, None)
        if session is not None:
            await session.close()
        return session is not None

    async def retire(self, arn: str, keep_revision: str | None = None) -> None:
        self._pool.retire(arn, keep_revision)
        session = self._debugged.get(arn)
        if session is not None:
            await session.retire(keep_revision)

    @property
    def sandbox(self) -> str:
        return self._tools.sandbox.description

    async def languages(self) -> list[Language]:
        found = await asyncio.gather(*(each.languages() for each in self._runtimes))
        return sorted((one for each in found for one in each), key=lambda one: one.name)

    def activity(self) -> Mapping[str, Activity]:
        found = {arn: replace(counts) for arn, counts in self._counts.items()}
        self._pool.count(found)
        return found

    async def close(self) -> None:
        self._closing = True
        self._pool.stop_keeping()
        for arn in list(self._debugged):
            await self.stop_debugging(arn)
        while self._invocations:
            await asyncio.wait(self._invocations)
        await self._pool.close()
        for runtime in self._runtimes:
            await runtime.close()
        self._tools.sandbox.close()
        await self._tools.logs.close()

    # One invocation ------------------------------------------------------------------------

    async def _run(
        self,
        spec: FunctionSpec,
        runtime: Runtime,
        invocation: Invocation,
        counts: Activity,
        ended: asyncio.Future[InvocationResult],
    ) -> None:
        """One invocation to its end, and what is counted of it."""
        scope = (spec.account, spec.region)
        session = self._debugged.get(spec.arn)
        failed, throttled = True, False
        try:
            if session is None:
                result = await self._invoke(spec, runtime, invocation)
                self.figures.add(spec, invocation, result, self._clock.now())
            else:  # a person's time says nothing about the function's
                run = functools.partial(self._invoke, spec, runtime, invocation)
                result = await session.invoke(spec, invocation, run)
            failed = result.error is not None
            if not ended.done():
                ended.set_result(result)
        except Exception as error:
            _log.debug("An invocation failed", exc_info=error)
            throttled = isinstance(error, Throttled)
            if not ended.done():
                ended.set_exception(error)
        finally:
            ended.cancel()
            counts.throttles += throttled
            counts.invocations += not throttled
            counts.failures += failed and not throttled
            self._running[scope] -= 1
            if not self._running[scope]:
                del self._running[scope]

    async def _invoke(
        self, spec: FunctionSpec, runtime: Runtime, invocation: Invocation
    ) -> InvocationResult:
        waited = 0.0
        while True:
            environment = self._pool.take(spec, runtime)
            if environment is None:
                began = self._clock.monotonic()
                environment = await self._pool.in_line(spec, runtime)
                waited += self._clock.monotonic() - began
            try:
                result = await environment.invoke(invocation)
                return structs.replace(result, waited=waited) if waited else result
            except EnvironmentGone:
                continue  # the next one has not seen this invocation
            finally:
                self._pool.give_back(environment)

    def _runtime(self, identifier: str) -> Runtime | None:
        family = self._families.get(identifier)
        if family is None:
            family = next((each for each in self._runtimes if each.runs(identifier)), None)
            if family is not None:
                self._families[identifier] = family
        return family


def _platform_failure(invocation: Invocation, fault: Fault) -> InvocationResult:
    payload = fault.payload(invocation.request_id)
    return InvocationResult(payload, "Unhandled", b"", 0.0, report.billed(0.0, None), None, 0)
