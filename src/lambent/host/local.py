"""The function host of one machine: environments by function revision, a line, a reaper.

Owns which environment runs which invocation; `scaling` decides, `environment` runs. A
client that goes away does not stop its invocation: each runs in a task of its own.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import shutil
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from msgspec import structs

from lambent.core.clock import Clock
from lambent.core.ids import Ids
from lambent.host import extensions, report, scaling
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
from lambent.host.origin import Origin
from lambent.host.reclaim import Idle, KeepAlive, ReclaimPolicy
from lambent.host.report import Fault
from lambent.host.runtimes.contract import Debuggable, Forking, LaunchFailed, Runtime, discover
from lambent.host.sandboxes.contract import Sandbox
from lambent.host.sandboxes.local import open_sandbox
from lambent.host.scaling import Load, Place

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


_Key = tuple[str, str]
_Scope = tuple[str, str]


@dataclass(slots=True)
class _Fleet:
    """The environments of one function revision. `idle` is in order of idleness; `kept` of
    them are not reclaimed, and `starting` are about to be idle without an invocation."""

    idle: list[Environment] = field(default_factory=list)
    busy: set[Environment] = field(default_factory=set)
    starting: set[Environment] = field(default_factory=set)
    kept: int = 0
    fault: str | None = None
    retired: bool = False

    @property
    def empty(self) -> bool:
        """Whether there is nothing to remember."""
        return not (self.idle or self.busy or self.starting or self.kept)

    def spare(self) -> list[Environment]:
        """The idle ones that may be reclaimed, the longest idle first."""
        return self.idle[: max(0, len(self.idle) + len(self.busy) - self.kept)]


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
        self._policy = policy
        self._most = most
        self._fleets: dict[_Key, _Fleet] = {}
        self._origins: dict[_Key, Origin] = {}
        self._primed: set[_Key] = set()
        self._running: Counter[_Scope] = Counter()
        self._growth: dict[tuple[str, str, str], float] = {}
        self.figures = Figures()
        self._counts: dict[str, Activity] = {}
        self._line: deque[tuple[FunctionSpec, Runtime, asyncio.Future[Environment]]] = deque()
        self._invocations: set[asyncio.Task[None]] = set()
        self._endings: set[asyncio.Task[None]] = set()
        self._fillings: set[asyncio.Task[None]] = set()
        self._debugged: dict[str, Session] = {}
        self._ending = 0
        self._reaper: asyncio.Task[None] | None = None
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
        if count == 0 and (spec.arn, spec.revision) not in self._fleets:
            return
        fleet = self._fleets.setdefault((spec.arn, spec.revision), _Fleet())
        fleet.kept, fleet.fault = count, None
        self._fill(spec, fleet)
        self._forget(spec.arn, spec.revision)
        self._watch_idle()

    def kept(self, spec: FunctionSpec) -> Kept:
        fleet = self._fleets.get((spec.arn, spec.revision), _Fleet())
        return Kept(fleet.kept, min(fleet.kept, len(fleet.idle) + len(fleet.busy)), fleet.fault)

    async def prime(self, spec: FunctionSpec) -> tuple[str, str] | None:
        runtime = self._runtime(spec.runtime)
        if self._closing or runtime is None:
            return None
        self._counts.setdefault(spec.arn, Activity()).tier = spec.tier
        key = (spec.arn, spec.revision)
        if not (spec.snap_start or spec.tier == "warm"):
            await self._unprime(key)
            return None
        self._primed.add(key)
        origin = self._origin(spec, runtime)
        if origin is not None:
            await asyncio.shield(origin.settled)
            if origin.fault is None or (origin.unfit and not spec.snap_start):
                return None
            if not origin.unfit:
                return origin.fault
        if not spec.snap_start:
            return None
        return await self._initialise_once(spec, runtime)

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
        for (owner, revision), fleet in list(self._fleets.items()):
            if owner == arn and revision != keep_revision:
                fleet.retired, fleet.kept = True, 0
                for environment in list(fleet.idle):
                    self._discard(environment)
                self._forget(owner, revision)
        for key in list(self._origins):
            if key[0] == arn and key[1] != keep_revision:
                await self._unprime(key)
        self._advance()
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
        for (arn, _), fleet in self._fleets.items():
            activity = found.setdefault(arn, Activity())
            activity.busy += len(fleet.busy)
            activity.idle += len(fleet.idle)
        for (arn, _), origin in self._origins.items():
            found.setdefault(arn, Activity()).zygotes += origin.ready
        return found

    async def close(self) -> None:
        self._closing = True
        for arn in list(self._debugged):
            await self.stop_debugging(arn)
        while self._invocations:
            await asyncio.wait(self._invocations)
        for fleet in list(self._fleets.values()):
            fleet.kept = 0
            for environment in list(fleet.idle):
                self._discard(environment)
        while self._fillings:
            await asyncio.wait(self._fillings)
        for key in list(self._origins):
            self._end_origin(key)
        if self._reaper is not None:
            self._reaper.cancel()
        while self._endings:
            await asyncio.wait(self._endings)
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
            environment = self._take(spec, runtime)
            if environment is None:
                place: asyncio.Future[Environment] = asyncio.get_running_loop().create_future()
                self._line.append((spec, runtime, place))
                began = self._clock.monotonic()
                environment = await place
                waited += self._clock.monotonic() - began
            try:
                result = await environment.invoke(invocation)
                return structs.replace(result, waited=waited) if waited else result
            except EnvironmentGone:
                continue  # the next one has not seen this invocation
            finally:
                self._give_back(environment)

    def _runtime(self, identifier: str) -> Runtime | None:
        family = self._families.get(identifier)
        if family is None:
            family = next((each for each in self._runtimes if each.runs(identifier)), None)
            if family is not None:
                self._families[identifier] = family
        return family

    # Places --------------------------------------------------------------------------------

    def _place(self, spec: FunctionSpec) -> Place:
        """The decision for an invocation that was admitted."""
        fleet = self._fleets.get((spec.arn, spec.revision))
        own = len(fleet.idle) if fleet else 0
        idle = busy = spare = 0
        for each in self._fleets.values():
            idle += len(each.idle)
            busy += len(each.busy) + len(each.starting)
            spare += len(each.spare()) if each is not fleet else 0
        load = Load(
            idle_own=own,
            idle_others=spare,
            environments=idle + busy + self._ending + len(self._origins),
            limit=self._most,
        )
        return scaling.place(load)

    def _take(self, spec: FunctionSpec, runtime: Runtime) -> Environment | None:
        """An environment for an admitted invocation; None when it has to wait in line.
        `Throttled` when the function gains environments too fast."""
        fleet = self._fleets.get((spec.arn, spec.revision))
        while fleet is not None and fleet.idle:
            environment = fleet.idle.pop()
            if environment.usable:
                fleet.busy.add(environment)
                return environment
            self._end(environment)
        place = self._place(spec)
        if place is Place.EVICT:
            self._discard(self._idle()[0])
            place = self._place(spec)  # ended ones count until they are gone
        if place is Place.WAIT or place is Place.EVICT:
            return None
        self._grow(spec)
        environment = self._new(spec, runtime)
        self._fleets.setdefault((spec.arn, spec.revision), _Fleet()).busy.add(environment)
        return environment

    def _grow(self, spec: FunctionSpec) -> None:
        """The function gains an environment; `Throttled` when that is too fast. Its versions
        count as one."""
        whose = (spec.account, spec.region, spec.name)
        full_at = scaling.grow(self._growth.get(whose, 0.0), self._clock.monotonic())
        if full_at is None:
            raise Throttled(f"{spec.arn} gains environments too fast.")
        self._growth[whose] = full_at

    def _give_back(self, environment: Environment) -> None:
        key = (environment.spec.arn, environment.spec.revision)
        fleet = self._fleets[key]
        fleet.busy.discard(environment)
        if environment.usable and not fleet.retired and not self._closing:
            environment.idle_since = self._clock.monotonic()
            environment.rest()
            fleet.idle.append(environment)
            self._watch_idle()
        else:
            self._end(environment)
            if not fleet.retired and not self._closing:
                self._fill(environment.spec, fleet)
            self._forget(*key)
        self._advance()

    def _fill(self, spec: FunctionSpec, fleet: _Fleet) -> None:
        """Start the environments that are missing of those to be kept."""
        runtime = self._runtime(spec.runtime)
        have = len(fleet.idle) + len(fleet.busy) + len(fleet.starting)
        if fleet.fault is None and runtime is not None:
            for _ in range(fleet.kept - have):
                environment = self._new(spec, runtime, provisioned=spec.tier != "hot")
                fleet.starting.add(environment)
                task = asyncio.create_task(self._initialise(environment, fleet))
                self._fillings.add(task)
                task.add_done_callback(self._fillings.discard)

    def _new(
        self, spec: FunctionSpec, runtime: Runtime, *, provisioned: bool = False
    ) -> Environment:
        """An environment; forked from the function's zygote where there is one."""
        origin = self._origin(spec, runtime)
        # Others do not wait for a zygote; a snapshot's environments come from nothing else.
        forks = origin is not None and (origin.ready or spec.snap_start)
        start = origin.fork if origin is not None and forks else None
        return Environment(
            *(spec, runtime, self._tools),
            provisioned=provisioned,
            start=start,
            snapshot=start is not None and spec.snap_start,
        )

    def _origin(self, spec: FunctionSpec, runtime: Runtime) -> Origin | None:
        """The function's zygote, ready or not, where its settings ask for one."""
        if not (spec.snap_start or spec.tier == "warm") or not isinstance(runtime, Forking):
            return None
        if (spec.network or self._tools.network) == "none":
            return None  # each needs what its siblings must not have
        if not self._tools.sandbox.isolating and extensions.found(spec.layers):
            return None  # nothing would be left of an environment without its own process
        key = (spec.arn, spec.revision)
        origin = self._origins.get(key)
        fleet = self._fleets.get(key)
        if origin is not None and (origin.crashed or (origin.old and not (fleet and fleet.busy))):
            self._end_origin(key)
            origin = None
        if origin is None:
            origin = self._origins[key] = Origin(spec, runtime, self._tools, self._clock)
            self._watch_idle()
        return origin

    async def _unprime(self, key: _Key) -> None:
        """The zygote is not wanted any more: it goes with the last of what it forked."""
        self._primed.discard(key)
        if key in self._origins and key not in self._fleets:
            self._end_origin(key)

    def _end_origin(self, key: _Key) -> None:
        self._spawn_end(self._origins.pop(key).end())

    async def _initialise_once(
        self, spec: FunctionSpec, runtime: Runtime
    ) -> tuple[str, str] | None:
        """Start an environment before any invocation, as a version with SnapStart does whose
        runtime has no snapshots here."""
        environment = Environment(spec, runtime, self._tools)
        fleet = self._fleets.setdefault((spec.arn, spec.revision), _Fleet())
        fleet.starting.add(environment)
        try:
            fault = environment.fault() if await environment.initialise() else None
        finally:
            fleet.starting.discard(environment)
            self._give_back(environment)
        return fault

    async def _initialise(self, environment: Environment, fleet: _Fleet) -> None:
        try:
            fault = await environment.initialise()
        except Exception as error:
            _log.exception("An environment of %s could not be started", environment.spec.arn)
            fault = str(error)
        fleet.starting.discard(environment)
        if fault is not None:
            # The next would most likely fail too: none is started until asked again.
            fleet.fault = fault
        self._give_back(environment)

    def _watch_idle(self) -> None:
        if self._reaper is None and not self._closing:
            self._reaper = asyncio.create_task(self._reap())

    def _advance(self) -> None:
        """Let those in line go on who have a place now, in order."""
        waiting, self._line = self._line, deque()
        for spec, runtime, place in waiting:
            try:
                environment = self._take(spec, runtime)
            except Throttled as error:
                place.set_exception(error)
                continue
            if environment is None:
                self._line.append((spec, runtime, place))
            else:
                place.set_result(environment)

    # Ends ----------------------------------------------------------------------------------

    def _idle(self) -> list[Environment]:
        """All idle environments that may be reclaimed, the longest idle first."""
        idle = [each for fleet in self._fleets.values() for each in fleet.spare()]
        return sorted(idle, key=lambda each: each.idle_since)

    def _discard(self, environment: Environment) -> None:
        """End an idle environment."""
        key = (environment.spec.arn, environment.spec.revision)
        self._fleets[key].idle.remove(environment)
        self._end(environment)
        self._forget(*key)

    def _forget(self, arn: str, revision: str) -> None:
        fleet = self._fleets.get((arn, revision))
        if fleet is not None and fleet.empty:
            del self._fleets[arn, revision]
            if fleet.retired and (arn, revision) in self._origins:
                self._end_origin((arn, revision))

    def _end(self, environment: Environment) -> None:
        self._spawn_end(environment.end())

    def _spawn_end(self, end: Coroutine[Any, Any, None]) -> None:
        self._ending += 1
        task = asyncio.create_task(self._ended(end))
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    async def _ended(self, end: Coroutine[Any, Any, None]) -> None:
        try:
            await end
        finally:
            self._ending -= 1
            self._advance()

    async def _reap(self) -> None:
        """End what the policy says, while anything is idle."""
        try:
            while idle := self._reclaimable():
                shown = [each for each, _ in idle]
                chosen, again = self._policy.reclaim(shown, self._clock.monotonic())
                for place in chosen:
                    idle[place][1]()
                if again is not None:
                    await self._clock.sleep(min(again, _REAP_INTERVAL))
        finally:
            self._reaper = None

    def _reclaimable(self) -> list[tuple[Idle, Callable[[], None]]]:
        """What may be reclaimed, the longest idle first, each with what ends it."""
        found = [
            (Idle(each.spec.arn, each.idle_since), functools.partial(self._discard, each))
            for each in self._idle()
        ]
        for key, origin in self._origins.items():
            if key not in self._fleets and key not in self._primed and origin.settled.done():
                end = functools.partial(self._end_origin, key)
                found.append((Idle(key[0], origin.used, zygote=True), end))
        return sorted(found, key=lambda each: each[0].since)


_REAP_INTERVAL = 5.0


def _platform_failure(invocation: Invocation, fault: Fault) -> InvocationResult:
    payload = fault.payload(invocation.request_id)
    return InvocationResult(payload, "Unhandled", b"", 0.0, report.billed(0.0, None), None, 0)
