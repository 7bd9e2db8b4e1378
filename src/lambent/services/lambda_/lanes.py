"""The lanes that run on this node: one per function for its asynchronous invocations, one
per enabled event source mapping.

Lanes hold nothing that the store does not; after a restart `start` makes them again.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any

from lambent.cluster.places import Limit
from lambent.core.arns import Arn
from lambent.core.errors import AwsError, StoreError
from lambent.core.web import Asked
from lambent.events.contract import Source
from lambent.events.delivery import Lane
from lambent.events.filter import InvalidPattern
from lambent.events.flow import parking
from lambent.events.flow.regulator import Regulator
from lambent.events.policy import Aside
from lambent.services.contract import Platform
from lambent.services.lambda_ import flow_subjects, names, polling, records, suppression
from lambent.services.lambda_.async_depths import AsyncDepths
from lambent.services.lambda_.async_flow_figures import AsyncFlowFigures, Served
from lambent.services.lambda_.asynchronous import AsyncPolicy, AsyncSource
from lambent.services.lambda_.fencing import DefinitionFence, ParkedFence, same_work
from lambent.services.lambda_.function_figures import AsyncObserver
from lambent.services.lambda_.invocable import FunctionInvocable
from lambent.services.lambda_.invoking import Runner
from lambent.services.lambda_.mapping_figures import MappingFigures
from lambent.services.lambda_.model import Function, Mapping
from lambent.services.lambda_.names import Reference
from lambent.services.lambda_.parked_depths import ParkedDepths
from lambent.services.lambda_.regulators import Regulators
from lambent.store.contract import Transaction

_log = logging.getLogger(__name__)


class Lanes:
    """Starts and stops lanes as functions and mappings come and go."""

    def __init__(self, platform: Platform, runner: Runner, invocable: FunctionInvocable) -> None:
        self._platform = platform
        self._runner = runner
        self._invocable = invocable
        self._source = AsyncSource(platform.store)
        self._functions: dict[str, Lane] = {}
        self._mappings: dict[str, Lane] = {}
        self._polled: dict[str, Mapping] = {}
        self._regulated: dict[str, Regulator | None] = {}
        """By function's ARN, what regulates its asynchronous invocations."""
        self._background: set[asyncio.Task[None]] = set()
        self._figures = MappingFigures(platform.metrics)
        membership = platform.cluster.membership
        AsyncDepths(
            platform.store,
            platform.clock,
            platform.metrics,
            lambda: list(self._functions) if membership.first else [],
        )
        AsyncFlowFigures(platform.metrics, self._served)
        ParkedDepths(
            platform.store,
            platform.metrics,
            lambda: self._all_mappings() if membership.first else [],
        )
        self.regulators = Regulators(platform, self._park)

    def _served(self) -> Iterator[Served]:
        for arn, lane in self._functions.items():
            yield Served(names.from_arn(Arn.parse(arn)), lane, self._regulated.get(arn))

    def _all_mappings(self) -> list[Mapping]:
        return [one for one in self._polled.values() if not flow_subjects.is_function(one)]

    async def start(self) -> None:
        """Make the lanes of everything that is stored."""
        functions, mappings = await self._platform.store.transact(_stored)
        for reference, function in functions:
            self.serve(reference)
            self.regulate(flow_subjects.of_function(reference, function))
        for runtime in sorted({one.latest.settings["Runtime"] for _, one in functions}):
            self.prepare(runtime)
        for mapping in mappings:
            self.poll(mapping)

    async def stop(self) -> None:
        """Stop all lanes; returns once nothing of theirs is in flight."""
        lanes = [*self._functions.values(), *self._mappings.values()]
        self._functions.clear()
        self._mappings.clear()
        self._polled.clear()
        await asyncio.gather(*(lane.stop() for lane in lanes), *self._background)

    def prepare(self, runtime: str) -> None:
        """Functions of this runtime exist: let the host get ready, meanwhile."""
        self._spawn(self._platform.host.prepare(runtime))

    def serve(self, reference: Reference) -> None:
        """Run the function's asynchronous invocations."""
        if reference.arn in self._functions:
            return
        lane = Lane(
            clock=self._platform.clock,
            store=self._platform.store,
            targets=self._platform.targets,
            source=self._source,
            arn=Arn.parse(reference.arn),
            policy=AsyncPolicy(reference, self._runner),
            name=f"async {reference.name}",
            observer=AsyncObserver(self._runner.figures, reference),
            fence=ParkedFence(reference, functools.partial(self._parked_elsewhere, reference)),
        )
        self._functions[reference.arn] = lane
        lane.start()

    def regulate(self, subject: Mapping) -> None:
        """The flow control of a function's asynchronous invocations is this now."""
        lane = self._functions.get(subject.uuid)
        if lane is not None and self._polled.get(subject.uuid) != subject:
            self._polled[subject.uuid] = subject
            regulator = self._regulated[subject.uuid] = self.regulators.follow(subject)
            lane.regulate(regulator)

    def forget(self, reference: Reference) -> None:
        """The function is gone."""
        self._polled.pop(reference.arn, None)
        self._regulated.pop(reference.arn, None)
        self.regulators.close(reference.arn)
        self._end(self._functions.pop(reference.arn, None))
        self._runner.figures.forget(reference)

    def follow(self, subject: Mapping) -> None:
        """Go on with a mapping, or a function's asynchronous invocations, as it is now."""
        if flow_subjects.is_function(subject):
            self.regulate(subject)
        else:
            self.poll(subject)

    def poll(self, mapping: Mapping) -> None:
        """Run the mapping as it is now: in place of how it was, or not at all."""
        before = self._polled.get(mapping.uuid)
        if before == mapping:
            return
        regulator = self.regulators.follow(mapping)
        lane = self._mappings.get(mapping.uuid)
        self._polled[mapping.uuid] = mapping
        if lane is not None and before is not None and same_work(before, mapping):
            lane.regulate(regulator)
            self._figures.attach(mapping.uuid, lane, regulator)
            return
        self._end(self._mappings.pop(mapping.uuid, None))
        arn = Arn.parse(mapping.source)
        source = self._platform.targets.source(arn)
        if not mapping.enabled or source is None:
            return
        try:
            policy = polling.policy_of(mapping, self._invocable)
        except InvalidPattern as error:
            _log.error("The mapping %s cannot run: %s", mapping.uuid, error)
            return
        source = suppression.source_of(mapping, source, policy)
        lane = Lane(
            clock=self._platform.clock,
            store=self._platform.store,
            targets=self._platform.targets,
            source=source,
            arn=arn,
            policy=policy,
            name=f"mapping {mapping.uuid}",
            noted_as=lambda: self._platform.cluster.membership.id,
            control=regulator,
            observer=self._figures.follow(mapping),
            put_aside=functools.partial(_put_aside, source, arn, mapping),
            fence=DefinitionFence(mapping, functools.partial(self._overtaken, mapping)),
            permits=self._limit(mapping),
            share=self._share,
        )
        self._mappings[mapping.uuid] = lane
        self._figures.attach(mapping.uuid, lane, regulator)
        lane.start()

    def _share(self) -> tuple[int, int]:
        """This node's rank among how many nodes."""
        membership = self._platform.cluster.membership
        return membership.rank, max(1, len(membership.members))

    def _limit(self, mapping: Mapping) -> Limit | None:
        """MaximumConcurrency, which holds for all nodes together."""
        most = mapping.settings.get("ScalingConfig", {}).get("MaximumConcurrency")
        if most is None:
            return None
        return Limit(self._platform.cluster.places, f"lambda.mapping/{mapping.uuid}", most)

    async def look(self, account: str, region: str, uuid: str) -> None:
        """Run the mapping as it is stored now, or not at all. StoreError."""
        mapping = await self._platform.store.transact(
            lambda tx: records.find_mapping(tx, account, region, uuid)
        )
        if mapping is None:
            self.drop(uuid)
        else:
            self.poll(mapping)

    def _overtaken(self, mapping: Mapping) -> None:
        """The lane found another definition than its own before the news of it came."""
        self._spawn(self._look_again(mapping))

    async def _look_again(self, mapping: Mapping) -> None:
        function = names.from_arn(Arn.parse(mapping.function))
        try:
            await self.look(function.account, function.region, mapping.uuid)
        except StoreError as error:
            _log.warning("The mapping %s waits to be read: %s", mapping.uuid, error)

    def _parked_elsewhere(self, reference: Reference) -> None:
        """A function's lane found it parked before the news of it came."""
        self._spawn(self._regulate_again(reference))

    async def _regulate_again(self, reference: Reference) -> None:
        try:
            function = await self._platform.store.transact(
                lambda tx: records.find_function(tx, reference)
            )
        except StoreError as error:
            _log.warning("The function %s waits to be read: %s", reference.arn, error)
            return
        if function is not None:
            self.regulate(flow_subjects.of_function(reference, function))

    def drop(self, uuid: str) -> None:
        """The mapping is gone; what it has in flight is finished."""
        self._polled.pop(uuid, None)
        self.regulators.close(uuid)
        self._figures.forget(uuid)
        self._end(self._mappings.pop(uuid, None))

    def mapping(self, uuid: str) -> Lane | None:
        """The lane of an enabled mapping, or of a function's asynchronous invocations."""
        return self._mappings.get(uuid) or self._functions.get(uuid)

    def suppressed(self, uuid: str) -> int:
        """How many duplicates of the mapping this node suppressed since it started."""
        return self._figures.count(uuid, "suppressed")

    async def summary(self, asked: Asked) -> tuple[int, Any]:
        """The figures of this node's mappings in the last hour, by UUID."""
        return 200, self._figures.summary(asked.context.now)

    def _park(self, uuid: str, reason: str) -> None:
        """A rule parked the mapping: write it down."""
        mapping = self._polled.get(uuid)
        if mapping is not None:
            self._spawn(self._write_parked(mapping, reason))

    async def _write_parked(self, mapping: Mapping, reason: str) -> None:
        function = names.from_arn(Arn.parse(mapping.function))
        account, region = function.account, function.region

        async def body(tx: Transaction) -> Mapping | None:
            try:
                stored = await flow_subjects.find(tx, account, region, mapping.uuid)
            except AwsError:
                return None
            stored.parked = reason
            await flow_subjects.save(tx, account, region, stored)
            return stored

        try:
            stored = await self._platform.store.transact(body)
        except StoreError as error:
            # The lane has stopped claiming all the same.
            _log.warning("The mapping %s is parked for this run alone: %s", mapping.uuid, error)
            return
        if stored is not None:
            self.follow(stored)

    def _end(self, lane: Lane | None) -> None:
        if lane is not None:
            self._spawn(lane.stop())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


async def _put_aside(
    source: Source, arn: Arn, mapping: Mapping, tx: Transaction, asides: Sequence[Aside]
) -> None:
    function = names.from_arn(Arn.parse(mapping.function))
    at = function.account, function.region
    if await records.mapping_record(tx, *at, mapping.uuid) is None:
        # It was deleted meanwhile: what nobody could resume stays where it is.
        await source.fail(tx, arn, [one.ticket for one in asides], None)
    else:
        await parking.put_aside(tx, source, arn, mapping.uuid, asides)


async def _stored(tx: Transaction) -> tuple[list[tuple[Reference, Function]], list[Mapping]]:
    mappings = [records.decode(record, Mapping) for record in await tx.scan_all(records.MAPPINGS)]
    return await records.all_functions(tx), mappings
