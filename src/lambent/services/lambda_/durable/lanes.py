"""The lanes that invoke durable functions for their executions, one per function of the node."""

from __future__ import annotations

import asyncio

from lambent.core.arns import Arn
from lambent.events.delivery import Lane
from lambent.services.contract import Platform
from lambent.services.lambda_ import records
from lambent.services.lambda_.durable import config
from lambent.services.lambda_.durable.runs import RunPolicy, RunSource
from lambent.services.lambda_.invoking import Runner
from lambent.services.lambda_.model import Function
from lambent.services.lambda_.names import Reference


class DurableLanes:
    """Starts and stops them as durable functions come and go."""

    def __init__(self, platform: Platform, runner: Runner) -> None:
        self._platform = platform
        self._source = RunSource(platform.store, platform.ids, platform.targets)
        self._policy = RunPolicy(runner)
        self._lanes: dict[str, Lane] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Make the lanes of all durable functions that are stored."""
        for reference, function in await self._platform.store.transact(records.all_functions):
            self.follow(reference, function)

    async def stop(self) -> None:
        """Stop all; returns once nothing of theirs is in flight."""
        lanes = list(self._lanes.values())
        self._lanes.clear()
        await asyncio.gather(*(lane.stop() for lane in lanes), *self._ending)

    def follow(self, reference: Reference, function: Function) -> None:
        """Run the function's executions, if it is durable."""
        if reference.arn in self._lanes or config.of(function.latest.settings) is None:
            return
        lane = self._lanes[reference.arn] = Lane(
            clock=self._platform.clock,
            store=self._platform.store,
            targets=self._platform.targets,
            source=self._source,
            arn=Arn.parse(reference.arn),
            policy=self._policy,
            name=f"durable {reference.name}",
        )
        lane.start()

    def forget(self, reference: Reference) -> None:
        """The function is gone."""
        lane = self._lanes.pop(reference.arn, None)
        if lane is not None:
            task = asyncio.create_task(lane.stop())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
