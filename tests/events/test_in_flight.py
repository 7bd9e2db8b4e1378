"""Notes of what is in flight: there exactly while it is, and good for one giving back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from tests.events.test_delivery import QUEUE, FakePolicy, FakeStore, World, fails, ok
from tests.events.test_settling import Remembering

from lambent.core.clock import VirtualClock
from lambent.core.errors import AwsError
from lambent.events import in_flight
from lambent.events.contract import Outcome
from lambent.events.delivery import Lane
from lambent.store.contract import Record, Store, Transaction

NODE = "node"


class RecordingStore(FakeStore):
    """As its base, with records, which its transactions hold themselves."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.records: dict[tuple[bytes, bytes], bytes] = {}

    async def put(self, collection: str, partition: bytes, sort: bytes, value: bytes) -> int:
        self.records[partition, sort] = value
        return 1

    async def delete(self, collection: str, partition: bytes, sort: bytes = b"") -> bool:
        return self.records.pop((partition, sort), None) is not None

    async def scan(self, collection: str, partition: bytes) -> list[Record]:
        return [Record(*k, value, 1) for k, value in self.records.items() if k[0] == partition]

    async def clear(self, collection: str, partition: bytes | None = None) -> int:
        for key in [key for key in self.records if key[0] == partition]:
            del self.records[key]
        return 0


class NotedWorld(World):
    def __init__(self) -> None:
        super().__init__()
        self.store: RecordingStore = RecordingStore(self.clock)
        self.targets.sources["sqs"] = self.source

    def lane(self, policy: FakePolicy) -> Lane:
        lane = Lane(
            clock=self.clock,
            store=cast(Store, self.store),
            targets=self.targets,
            source=self.source,
            arn=QUEUE,
            policy=policy,
            noted_as=lambda: NODE,
        )
        lane.start()
        return lane

    async def give_back(self) -> None:
        await in_flight.give_back(cast(Transaction, self.store), self.targets, NODE)


@pytest.fixture
def world() -> NotedWorld:
    return NotedWorld()


def until(event: asyncio.Event) -> Callable[[list[str]], Awaitable[Outcome | None]]:
    async def run(bodies: list[str]) -> None:
        await event.wait()

    return run


@pytest.mark.parametrize(("run", "left"), [(ok, set()), (fails, {"aa", "b", "cc", "dddd"})])
async def test_nothing_is_noted_once_nothing_is_in_flight(
    world: NotedWorld, run: Any, left: set[str]
) -> None:
    # With a window and a small payload, one load is claimed and called in several parts.
    for policy in (FakePolicy(run), FakePolicy(run, window=5.0, max_bytes=3)):
        world.source.add("aa", "b")
        lane = world.lane(policy)
        await world.clock.advance(1)
        world.source.add("cc", "dddd")
        await world.clock.advance(6)
        assert policy.calls
        assert world.store.records == {}
        assert set(world.source.items) == left
        await lane.stop()


async def test_what_is_in_flight_is_noted_and_given_back_at_once(world: NotedWorld) -> None:
    world.source.lease = 43_200.0
    released = asyncio.Event()
    world.source.add("a", "b", "c")
    dying = world.lane(FakePolicy(until(released), batch_size=2))
    await world.clock.advance(0)
    assert len(world.store.records) == 2

    await world.give_back()
    assert world.store.records == {}
    policy = FakePolicy(ok, batch_size=2)
    lane = world.lane(policy)
    await world.clock.advance(0)
    assert policy.calls == [["a", "b"], ["c"]]
    assert world.source.items == {}
    await lane.stop()
    released.set()
    await dying.stop()


async def test_what_was_claimed_anew_meanwhile_is_left_alone(world: NotedWorld) -> None:
    released = asyncio.Event()
    world.source.add("a")
    dying = world.lane(FakePolicy(until(released)))
    await world.clock.advance(0)
    world.source.items["a"].token += 1
    due = world.source.items["a"].due
    await world.give_back()
    assert world.source.items["a"].due == due
    released.set()
    await dying.stop()


async def test_notes_of_a_source_that_is_gone_are_dropped(
    world: NotedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> None:
        raise AwsError("QueueDoesNotExist", "The specified queue does not exist.")

    await in_flight.note(cast(Transaction, world.store), NODE, QUEUE, [("a", 1)])
    monkeypatch.setattr(world.source, "fail", fail)
    await world.give_back()
    assert world.store.records == {}


async def test_what_is_given_back_remembers_the_attempt_that_was_lost(world: NotedWorld) -> None:
    world.source = world.targets.sources["sqs"] = source = Remembering(world.clock)
    await in_flight.note(cast(Transaction, world.store), NODE, QUEUE, [("a", 1), ("b", 2)])
    await world.give_back()
    assert [ticket for ticket, _ in source.past] == [["a", 1], ["b", 2]]
    assert {failure.time for _, failure in source.past} == {world.store.now}
