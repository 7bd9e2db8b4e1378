"""The environments of one machine: by function revision, with a line for them and a reaper.

Owns which environment runs which invocation, which are kept ready, the zygotes that they are
forked from, and when they end; `scaling` and `reclaim` decide, `environment` runs. Knows
nothing of invocations, nor of who may make them.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from lambent.host import extensions, scaling
from lambent.host.contract import Activity, FunctionSpec, Kept, Throttled
from lambent.host.environment import Environment, Tools
from lambent.host.origin import Origin
from lambent.host.reclaim import Idle, ReclaimPolicy
from lambent.host.runtimes.contract import Forking, Runtime
from lambent.host.scaling import Load, Place

_REAP_INTERVAL = 5.0
_log = logging.getLogger(__name__)

_Key = tuple[str, str]


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


class Pool:
    """The environments of a node, `most` at most; `policy` says which idle ones end when."""

    def __init__(self, tools: Tools, policy: ReclaimPolicy, most: int) -> None:
        self._tools = tools
        self._clock = tools.clock
        self._policy = policy
        self._most = most
        self._fleets: dict[_Key, _Fleet] = {}
        self._origins: dict[_Key, Origin] = {}
        self._primed: set[_Key] = set()
        self._growth: dict[tuple[str, str, str], float] = {}
        self._line: deque[tuple[FunctionSpec, Runtime, asyncio.Future[Environment]]] = deque()
        self._endings: set[asyncio.Task[None]] = set()
        self._fillings: set[asyncio.Task[None]] = set()
        self._ending = 0
        self._reaper: asyncio.Task[None] | None = None
        self._closing = False

    def take(self, spec: FunctionSpec, runtime: Runtime) -> Environment | None:
        """An environment for an admitted invocation, to be given back; None when it has to wait
        in line. `Throttled` when the function gains environments too fast."""
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

    def in_line(self, spec: FunctionSpec, runtime: Runtime) -> asyncio.Future[Environment]:
        """The environment of an invocation for which `take` had none, when it is its turn."""
        place: asyncio.Future[Environment] = asyncio.get_running_loop().create_future()
        self._line.append((spec, runtime, place))
        return place

    def give_back(self, environment: Environment) -> None:
        """What `take` gave is not needed any more."""
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
                self._fill(environment.spec, environment.runtime, fleet)
            self._forget(*key)
        self._advance()

    def keep(self, spec: FunctionSpec, runtime: Runtime, count: int) -> None:
        """See `FunctionHost.keep`."""
        if count == 0 and (spec.arn, spec.revision) not in self._fleets:
            return
        fleet = self._fleets.setdefault((spec.arn, spec.revision), _Fleet())
        fleet.kept, fleet.fault = count, None
        self._fill(spec, runtime, fleet)
        self._forget(spec.arn, spec.revision)
        self._watch_idle()

    def kept(self, spec: FunctionSpec) -> Kept:
        """See `FunctionHost.kept`."""
        fleet = self._fleets.get((spec.arn, spec.revision), _Fleet())
        return Kept(fleet.kept, min(fleet.kept, len(fleet.idle) + len(fleet.busy)), fleet.fault)

    async def prime(self, spec: FunctionSpec, runtime: Runtime) -> tuple[str, str] | None:
        """See `FunctionHost.prime`."""
        key = (spec.arn, spec.revision)
        if not (spec.snap_start or spec.tier == "warm"):
            self._unprime(key)
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

    def retire(self, arn: str, keep_revision: str | None) -> None:
        """See `FunctionHost.retire`."""
        for (owner, revision), fleet in list(self._fleets.items()):
            if owner == arn and revision != keep_revision:
                fleet.retired, fleet.kept = True, 0
                for environment in list(fleet.idle):
                    self._discard(environment)
                self._forget(owner, revision)
        for key in list(self._origins):
            if key[0] == arn and key[1] != keep_revision:
                self._unprime(key)
        self._advance()

    def count(self, found: dict[str, Activity]) -> None:
        """Add what there is now, by function ARN."""
        for (arn, _), fleet in self._fleets.items():
            activity = found.setdefault(arn, Activity())
            activity.busy += len(fleet.busy)
            activity.idle += len(fleet.idle)
        for (arn, _), origin in self._origins.items():
            found.setdefault(arn, Activity()).zygotes += origin.ready

    def stop_keeping(self) -> None:
        """From now on nothing is made that no invocation waits for, and nothing kept."""
        self._closing = True

    async def close(self) -> None:
        """End everything; nothing is busy any more."""
        self._closing = True
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

    def _grow(self, spec: FunctionSpec) -> None:
        """The function gains an environment; `Throttled` when that is too fast. Its versions
        count as one."""
        whose = (spec.account, spec.region, spec.name)
        full_at = scaling.grow(self._growth.get(whose, 0.0), self._clock.monotonic())
        if full_at is None:
            raise Throttled(f"{spec.arn} gains environments too fast.")
        self._growth[whose] = full_at

    def _fill(self, spec: FunctionSpec, runtime: Runtime, fleet: _Fleet) -> None:
        """Start the environments that are missing of those to be kept."""
        have = len(fleet.idle) + len(fleet.busy) + len(fleet.starting)
        if fleet.fault is None:
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

    def _unprime(self, key: _Key) -> None:
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
            self.give_back(environment)
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
        self.give_back(environment)

    def _watch_idle(self) -> None:
        if self._reaper is None and not self._closing:
            self._reaper = asyncio.create_task(self._reap())

    def _advance(self) -> None:
        """Let those in line go on who have a place now, in order."""
        waiting, self._line = self._line, deque()
        for spec, runtime, place in waiting:
            try:
                environment = self.take(spec, runtime)
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
