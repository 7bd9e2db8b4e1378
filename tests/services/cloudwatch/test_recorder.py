"""When the node's own measurements are written, and what becomes of them when they cannot be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from lambent.core.clock import VirtualClock
from lambent.core.context import RequestContext
from lambent.core.errors import StoreUnavailable
from lambent.core.ids import SeededIds
from lambent.core.metrics import Metric, Metrics
from lambent.services.cloudwatch.metric_operations import MetricOperations
from lambent.services.cloudwatch.recorder import Recorder
from lambent.store.backends.sqlite import open_sqlite
from lambent.store.contract import Store

ACCOUNT = "1" * 12
CALLS = Metric(ACCOUNT, "r", "AWS/Own", "Calls", (), "Count")


@dataclass
class World:
    clock: VirtualClock
    store: Any
    metrics: Metrics
    recorder: Recorder

    async def sums(self) -> list[tuple[int, float]]:
        """What is in the store: minute (since the clock began) and sum, read by a stranger."""
        operations = MetricOperations(self.store, Recorder(self.store, self.clock, Metrics()))
        answer = await operations.get_metric_statistics(
            RequestContext(ACCOUNT, "r", "id", self.clock.now(), ""),
            {
                "Namespace": "AWS/Own",
                "MetricName": "Calls",
                "StartTime": 1_700_000_040.0,
                "EndTime": self.clock.now() + 60,
                "Period": 60,
                "Statistics": ["Sum"],
            },
        )
        assert answer is not None
        points = answer["Datapoints"]
        return [((point["Timestamp"] - 1_700_000_040) // 60, point["Sum"]) for point in points]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    clock = VirtualClock(1_700_000_040.0)
    store: Store = await open_sqlite(None, clock, SeededIds(1))
    metrics = Metrics()
    made = World(clock, store, metrics, Recorder(store, clock, metrics))
    for duty in made.recorder.duties:
        duty.start()
    yield made
    for duty in made.recorder.duties:
        await duty.stop()
    await store.close()


async def test_a_full_minute_is_written_as_its_own(world: World) -> None:
    counted = 0

    def tell(at: float) -> None:
        nonlocal counted
        if counted:
            world.metrics.measure(CALLS, at, counted)
            counted = 0

    world.metrics.each_take(tell)
    counted = 3
    assert await world.sums() == []
    await world.clock.advance(61)
    assert await world.sums() == [(0, 3)]
    counted = 2
    await world.recorder.flush()
    counted = 4
    await world.clock.advance(60)
    assert await world.sums() == [(0, 3), (1, 6)]


async def test_what_is_looked_up_is_so_once_a_minute(world: World) -> None:
    looks: list[float] = []

    async def look(at: float) -> None:
        looks.append(at)

    world.metrics.each_minute(look)
    for _ in range(3):
        await world.recorder.flush()
    await world.clock.advance(120)
    assert [int(at - 1_700_000_040) // 60 for at in looks] == [0, 1]


async def test_of_several_nodes_one_looks_in_a_minute(world: World) -> None:
    looks: list[str] = []

    def node(name: str) -> Recorder:
        metrics = Metrics()

        async def look(at: float) -> None:
            looks.append(name)

        metrics.each_minute(look)
        return Recorder(world.store, world.clock, metrics)

    one, other = node("one"), node("other")
    await one.flush()
    await other.flush()
    assert looks == ["one"]
    await world.clock.advance(60)
    looks.clear()
    await other.flush()
    await one.flush()
    assert looks == ["other"]


async def test_measurements_wait_while_the_store_is_away(world: World) -> None:
    transact = world.store.transact

    async def away(body: Any) -> Any:
        raise StoreUnavailable("full")

    await world.recorder.flush()
    world.metrics.measure(CALLS, world.clock.now(), 5)
    world.store.transact = away
    await world.recorder.flush()
    world.store.transact = transact
    await world.recorder.flush()
    assert await world.sums() == [(0, 5)]


async def test_stopping_writes_what_there_is(world: World) -> None:
    world.metrics.measure(CALLS, world.clock.now(), 7)
    await world.recorder.finish()
    assert await world.sums() == [(0, 7)]
