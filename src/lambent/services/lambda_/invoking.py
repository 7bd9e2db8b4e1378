"""Runs functions: from a reference to the host's result.

The one way in for synchronous and asynchronous invocations and event source mappings. It
reads the function anew each time (one record), so that a change counts from the next
invocation on; what is made of it is kept, the function by its record's content and the host's
spec by build.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from msgspec import structs

from lambent.cluster.places import Places
from lambent.core.clock import Clock
from lambent.core.errors import AwsError
from lambent.core.ids import Ids
from lambent.host.contract import (
    FunctionHost,
    FunctionSpec,
    Invocation,
    InvocationResult,
    Throttled,
)
from lambent.services.lambda_ import errors, lineage, own_settings, records, snapshots, tracing
from lambent.services.lambda_.admission import Admission
from lambent.services.lambda_.code import CodeStore
from lambent.services.lambda_.concurrency import Reservations
from lambent.services.lambda_.function_figures import FunctionFigures
from lambent.services.lambda_.layer_lookup import layer_archives
from lambent.services.lambda_.model import Code, Function, Version
from lambent.services.lambda_.names import LATEST, Reference
from lambent.store.contract import Store, Transaction

_KEPT_SPECS = 1024


@dataclass(frozen=True, slots=True)
class Resolved:
    """A function as it is now, and the version that is to run."""

    function: Function
    version: Version
    spec: FunctionSpec | None
    code: Code | None
    layers: tuple[tuple[str, str], ...]
    """Digest and blob of each layer's archive, in order."""


@dataclass(frozen=True, slots=True)
class Invoked:
    """A result, the number of the version that gave it, and the group of its log."""

    result: InvocationResult
    version: str
    log_group: str


class Runner:
    """Invokes functions on the host."""

    def __init__(
        self,
        store: Store,
        host: FunctionHost,
        clock: Clock,
        ids: Ids,
        code: CodeStore,
        places: Places,
        figures: FunctionFigures,
    ) -> None:
        self.figures = figures
        self._store = store
        self._host = host
        self._clock = clock
        self._ids = ids
        self._code = code
        self._reservations = Reservations(places)
        self._admission = Admission(clock, places, self._reservations, self._reserved_by_all)
        self._specs: OrderedDict[str, FunctionSpec] = OrderedDict()
        self._functions: OrderedDict[str, tuple[bytes, Function]] = OrderedDict()
        self._running: set[asyncio.Future[None]] = set()

    async def resolve(self, reference: Reference, share: float | None = None) -> Resolved:
        """What the reference means now; ResourceNotFoundException when nothing.

        `share` picks among an alias's versions, as `records.resolve` says; by chance when None.
        """
        if share is None:
            share = 1.0 if reference.qualifier is None else self._ids.random()

        async def body(tx: Transaction) -> Resolved:
            function = await self._function(tx, reference)
            version = await records.resolve(tx, reference, function, share)
            return await self._resolved(tx, reference, function, version)

        return await self._store.transact(body)

    async def _function(self, tx: Transaction, reference: Reference) -> Function:
        """The function as it is now; decoded once as long as it stays the same."""
        record = await records.function_record(tx, reference)
        known = self._functions.get(reference.arn)
        # Compared by content: a version that was rolled back may be given out again.
        if known is not None and known[0] == record.value:
            return known[1]
        function = records.decode(record, Function)
        self._functions[reference.arn] = (record.value, function)
        if len(self._functions) > _KEPT_SPECS:
            self._functions.popitem(last=False)
        return function

    async def resolve_all(self, reference: Reference) -> dict[str, Resolved]:
        """All published versions and aliases of a function, by qualifier; none when it is
        gone. An alias's is the version it points to."""

        async def body(tx: Transaction) -> dict[str, Resolved]:
            function = await records.find_function(tx, reference)
            if function is None:
                return {}
            by_number = {
                version.number: await self._resolved(tx, reference, function, version)
                for version in await records.versions(tx, reference)
            }
            aliases = {
                name: by_number[alias.version]
                for name, alias in function.aliases.items()
                if alias.version in by_number
            }
            return {**by_number, **aliases}

        return await self._store.transact(body)

    async def _resolved(
        self, tx: Transaction, reference: Reference, function: Function, version: Version
    ) -> Resolved:
        spec = self._specs.get(version.build)
        if spec is not None:
            return Resolved(function, version, spec, None, ())
        code = await records.find_code(tx, reference, version.sha256)
        layers = await layer_archives(tx, version.settings.get("Layers", ()))
        return Resolved(function, version, None, code, tuple(layers))

    async def invoke(
        self,
        reference: Reference,
        invocation: Invocation,
        resolved: Resolved | None = None,
        *,
        synchronous: bool = False,
    ) -> Invoked:
        """Run the function once and wait; `synchronous` when the caller waits, too.

        AwsError when it is not there or there is no place for it; never for what the
        function does.
        """
        resolved = resolved or await self.resolve(reference)
        active = resolved.version.settings["TracingConfig"]["Mode"] == "Active"
        trace = tracing.header(invocation.trace, active, self._ids, self._clock.now())
        trace, before = lineage.follow(trace, reference.arn)
        if before >= lineage.MOST and resolved.function.recursive == "Terminate":
            self.figures.count(reference, "recursive")
            raise errors.recursive()
        invocation = structs.replace(invocation, arn=reference.qualified, trace=trace)
        reserved = resolved.function.reserved
        try:
            await self._enter(reference, reserved, synchronous)
        except AwsError:
            self.figures.count(reference, "throttles")
            raise
        ready = resolved.function.provisioned.get(reference.qualifier or "")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._running.add(done)
        called = self.figures.begin(
            reference, resolved.version.number, ready.requested if ready is not None else 0
        )
        try:
            spec = await self.spec(reference, resolved)
            result = await self._host.invoke(spec, invocation)
        except Throttled:
            self.figures.count(reference, "throttles")
            raise errors.throttled() from None
        finally:
            self._running.discard(done)
            done.set_result(None)
            self.figures.end(reference, called)
            self._admission.leave(reference, reserved)
            self._reservations.leave(reference.arn, reserved)
        self.figures.invoked(called, spec, result, invocation.retries)
        return Invoked(result, resolved.version.number, spec.log_group)

    async def drained(self) -> None:
        """Return once the invocations that run now have ended; what comes meanwhile is not
        waited for."""
        if self._running:
            await asyncio.wait(set(self._running))

    async def _enter(self, reference: Reference, reserved: int | None, synchronous: bool) -> None:
        await self._reservations.enter(reference.arn, reserved)
        try:
            await self._admission.enter(reference, reserved, synchronous=synchronous)
        except BaseException:
            self._reservations.leave(reference.arn, reserved)
            raise

    async def _reserved_by_all(self, reference: Reference) -> int:
        """What the functions of the account and region have reserved together."""
        place = records.place(reference.account, reference.region)

        async def body(tx: Transaction) -> int:
            stored = await tx.scan(records.FUNCTIONS, place)
            return sum(records.decode(one, Function).reserved or 0 for one in stored)

        return await self._store.transact(body)

    def new_trace(self) -> str:
        """The header of a trace that begins now."""
        return tracing.new(self._ids, self._clock.now())

    async def spec(self, reference: Reference, resolved: Resolved) -> FunctionSpec:
        """What was resolved, as the host takes it."""
        if resolved.spec is not None:
            return resolved.spec
        version, code = resolved.version, resolved.code
        assert code is not None, "a function's code is kept for as long as the function"
        settings = version.settings
        arn = reference.arn
        spec = FunctionSpec(
            arn=arn if version.number == LATEST else f"{arn}:{version.number}",
            name=reference.name,
            account=reference.account,
            region=reference.region,
            version=version.number,
            revision=version.build,
            runtime=settings["Runtime"],
            handler=settings["Handler"],
            code=await self._code.folder(version.sha256, code.blob),
            timeout=float(settings["Timeout"]),
            memory=settings["MemorySize"],
            ephemeral=settings["EphemeralStorage"]["Size"],
            role=settings["Role"],
            environment=settings.get("Environment", {}).get("Variables", {}),
            layers=[await self._code.folder(sha, blob) for sha, blob in resolved.layers],
            log_group=settings["LoggingConfig"]["LogGroup"],
            log_format=settings["LoggingConfig"]["LogFormat"],
            application_log_level=settings["LoggingConfig"].get("ApplicationLogLevel", ""),
            system_log_level=settings["LoggingConfig"].get("SystemLogLevel", "INFO"),
            architecture=settings["Architectures"][0],
            network=own_settings.of(settings).get("Network", ""),
            tier=own_settings.of(settings).get("Tier", "cold"),
            snap_start=snapshots.applies(version),
        )
        self._specs[version.build] = spec
        if len(self._specs) > _KEPT_SPECS:
            self._specs.popitem(last=False)
        return spec

    async def replaced(self, reference: Reference, build: str | None) -> None:
        """The function's $LATEST is now `build`, or gone: older environments are drained."""
        await self._host.retire(reference.arn, build)
