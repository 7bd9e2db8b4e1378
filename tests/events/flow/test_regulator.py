"""The rules together, on a lane under virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest
from tests.events.test_delivery import QUEUE, FakePolicy, World, fails, ok

from lambent.core.ids import SeededIds
from lambent.events.contract import Outcome
from lambent.events.delivery import Lane
from lambent.events.flow.regulator import Past, Regulator
from lambent.events.flow.settings import parse
from lambent.events.flow.state import LocalState
from lambent.events.scaling import Rule
from lambent.store.contract import Store

WIDE = Rule(start=50, per_minute=300, maximum=50)


@pytest.fixture
def world() -> World:
    return World()


class Regulated:
    """Lanes with regulators that share one state."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.state = LocalState()
        self.parked: list[str] = []

    def regulator(self, document: Mapping[str, Any], mapping: str = "m") -> Regulator:
        def past(record: Mapping[str, Any]) -> Past:
            return Past(self.world.source.items[record["body"]].token, 0.0, 0)

        made = Regulator(
            clock=self.world.clock,
            ids=SeededIds(1),
            state=self.state,
            mapping=mapping,
            function="f",
            past=past,
            park=self.parked.append,
        )
        made.configure(parse(document))
        return made

    def lane(self, policy: FakePolicy, regulator: Regulator, source: Any = None) -> Lane:
        lane = Lane(
            clock=self.world.clock,
            store=cast(Store, self.world.store),
            targets=self.world.targets,
            source=source or self.world.source,
            arn=QUEUE,
            policy=policy,
            control=regulator,
        )
        lane.start()
        return lane


@pytest.fixture
def regulated(world: World) -> Regulated:
    return Regulated(world)


def slow(world: World, seconds: float = 1.0) -> Callable[[list[str]], Any]:
    async def run(bodies: list[str]) -> None:
        await world.clock.sleep(seconds)

    return run


async def test_no_more_run_than_the_limit_allows(world: World, regulated: Regulated) -> None:
    regulator = regulated.regulator({"Concurrency": {"Initial": 3, "Maximum": 3}})
    policy = FakePolicy(slow(world), batch_size=1, rule=WIDE)
    world.source.add(*(f"m{number}" for number in range(10)))
    lane = regulated.lane(policy, regulator)
    await world.clock.advance(0.5)
    assert lane.in_flight == 3
    await world.clock.advance(3.5)
    assert world.source.items == {}
    await lane.stop()


async def test_an_open_circuit_claims_nothing_then_probes_with_one_item(
    world: World, regulated: Regulated
) -> None:
    regulator = regulated.regulator({"Circuit": {"MinimumCalls": 2, "Open": 60, "Probes": 1}})
    policy = FakePolicy(fails, batch_size=5, rule=Rule(1, 1, 1))
    world.source.add(*(f"m{number}" for number in range(40)))
    lane = regulated.lane(policy, regulator)
    await world.clock.advance(59)
    assert len(policy.calls) == 2
    untouched = [item for item in world.source.items.values() if item.token == 0]
    assert len(untouched) == 30, "what waits was not received"
    policy.run = ok
    await world.clock.advance(1)
    assert len(policy.calls[2]) == 1
    await world.clock.advance(60)
    assert world.source.items == {}
    await lane.stop()


async def test_one_lanes_failures_open_the_circuit_for_all_of_the_function(
    world: World, regulated: Regulated
) -> None:
    document = {"Circuit": {"MinimumCalls": 2, "Open": 60}}
    first, second = (regulated.regulator(document, name) for name in ("a", "b"))
    other = World()
    other.clock, other.source.clock = world.clock, world.clock
    failing = FakePolicy(fails, batch_size=1, rule=Rule(1, 1, 1))
    well = FakePolicy(ok, batch_size=1, rule=Rule(1, 1, 1))
    world.source.add("a", "b", "c")
    one = regulated.lane(failing, first)
    await world.clock.advance(0)
    two = regulated.lane(well, second, other.source)
    other.source.add("x")
    await world.clock.advance(10)
    assert well.calls == []
    assert second.decisions.latest("circuit") is not None
    failing.run = ok
    await world.clock.advance(600)
    assert well.calls == [["x"]]
    await asyncio.gather(one.stop(), two.stop())


async def test_the_rate_is_kept_and_nothing_spins_meanwhile(
    world: World, regulated: Regulated
) -> None:
    regulator = regulated.regulator({"Rate": {"PerSecond": 2, "Burst": 4}})
    policy = FakePolicy(ok, batch_size=10)
    world.source.add(*(f"m{number}" for number in range(24)))
    lane = regulated.lane(policy, regulator)
    await world.clock.advance(0)
    assert sum(map(len, policy.calls)) == 4
    await world.clock.advance(5)
    assert sum(map(len, policy.calls)) == 14
    assert world.source.claims <= 13
    await world.clock.advance(5)
    assert world.source.items == {}
    await lane.stop()


async def test_a_window_gathers_what_the_rate_lets_out(world: World, regulated: Regulated) -> None:
    policy = FakePolicy(ok, batch_size=40, window=4.0, rule=WIDE)
    world.source.add(*(f"m{number}" for number in range(60)))
    regulator = regulated.regulator({"Rate": {"PerSecond": 5, "Burst": 10}})
    lane = regulated.lane(policy, regulator)
    await world.clock.advance(4)
    (first,) = policy.calls
    assert 25 <= len(first) <= 30, "the burst, and four seconds of the rate"
    await world.clock.advance(8)
    assert all(15 <= len(call) <= 20 for call in policy.calls[1:])
    assert world.source.claims < 20, "not a claim for each item"
    await lane.stop()


async def test_the_higher_mapping_finds_its_places_free(world: World, regulated: Regulated) -> None:
    low = regulated.regulator({"Priority": {"Places": 4}}, "low")
    high = regulated.regulator({"Priority": {"Places": 4, "Level": 1, "Reserve": 2}}, "high")
    other = World()
    other.source.clock = world.clock
    world.source.add(*(f"m{number}" for number in range(20)))
    lane = regulated.lane(FakePolicy(slow(world), batch_size=1, rule=WIDE), low)
    await world.clock.advance(0.5)
    assert lane.in_flight == 2
    above = regulated.lane(FakePolicy(slow(world), batch_size=1, rule=WIDE), high, other.source)
    other.source.add(*(f"h{number}" for number in range(20)))
    await world.clock.advance(0)
    assert above.in_flight == 2
    await world.clock.advance(1)
    assert (above.in_flight, lane.in_flight) == (4, 0), "a place that is waited for goes up"
    await world.clock.advance(20)
    assert world.source.items == other.source.items == {}
    await asyncio.gather(lane.stop(), above.stop())


async def test_idle_lanes_that_share_a_function_let_each_other_sleep(
    world: World, regulated: Regulated
) -> None:
    document = {"Priority": {"Places": 2}, "Circuit": {}}
    regulators = [regulated.regulator(document, name) for name in ("a", "b")]
    lanes = [regulated.lane(FakePolicy(ok), one) for one in regulators]
    await world.clock.advance(0)
    claims = world.source.claims
    await world.clock.advance(3600)
    assert world.source.claims == claims
    await asyncio.gather(*(lane.stop() for lane in lanes))


async def test_a_lane_that_takes_over_is_woken_though_the_old_one_stops_later(
    world: World, regulated: Regulated
) -> None:
    regulator = regulated.regulator({})
    regulator.stop_claiming("a test")
    policy = FakePolicy(ok)
    old = regulated.lane(policy, regulator)
    new = regulated.lane(policy, regulator)
    world.source.add("a")
    await world.clock.advance(1)
    await old.stop()
    regulator.resume()
    await world.clock.advance(0)
    assert policy.calls == [["a"]]
    await new.stop()


async def test_a_storm_parks_the_mapping_and_says_so(world: World, regulated: Regulated) -> None:
    regulator = regulated.regulator({"Storm": {"PerMinute": 25}})
    policy = FakePolicy(ok, batch_size=10)
    world.source.add(*(f"m{number}" for number in range(100)))
    lane = regulated.lane(policy, regulator)
    await world.clock.advance(600)
    assert sum(map(len, policy.calls)) == 30
    assert regulated.parked == ["30 events arrived within a minute"]
    assert len(world.source.items) == 70
    regulator.resume()
    await world.clock.advance(0)
    assert len(world.source.items) == 40, "the storm goes on: it is parked again"
    await lane.stop()


async def test_failures_cut_the_limit_in_place_of_the_lanes_own_backing_off(
    world: World, regulated: Regulated
) -> None:
    regulator = regulated.regulator({"Concurrency": {"Initial": 10, "Backoff": 0.5}})
    policy = FakePolicy(fails, batch_size=1, rule=WIDE, delay=1000)
    world.source.add(*(f"m{number}" for number in range(10)))
    lane = regulated.lane(policy, regulator)
    await world.clock.advance(0)
    assert lane.places == 50
    assert regulator.shown(lane.places, 0)["limit"] == 5
    decision = regulator.decisions.latest("limit")
    assert decision is not None
    assert (decision.what, decision.why) == ("10 to 5", "errors")
    assert decision.inputs["failed"] == 10
    await lane.stop()


async def test_throttles_lower_the_limit_but_do_not_open_the_circuit(
    world: World, regulated: Regulated
) -> None:
    async def throttled(bodies: list[str]) -> Outcome:
        return Outcome(b"", "Throttled")

    document = {"Concurrency": {"Initial": 4}, "Circuit": {"MinimumCalls": 1}}
    regulator = regulated.regulator(document)
    world.source.add(*(f"m{number}" for number in range(8)))
    lane = regulated.lane(FakePolicy(throttled, batch_size=1, rule=WIDE, delay=1000), regulator)
    await world.clock.advance(0)
    shown = regulator.shown(lane.places, 0)
    assert shown["limit"] < 4
    assert shown["circuit"]["state"] == "closed"
    await lane.stop()
