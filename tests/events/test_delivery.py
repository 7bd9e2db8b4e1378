"""The delivery engine under virtual time: what it promises to sources and functions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from lambent.core.arns import Arn
from lambent.core.clock import VirtualClock
from lambent.core.errors import AwsError, StoreUnavailable
from lambent.events.contract import Batch, Event, Outcome, Sender, Targets
from lambent.events.control import Fence
from lambent.events.delivery import Lane
from lambent.events.observer import SILENT, Observer
from lambent.events.policy import Attempt, Verdict
from lambent.events.scaling import Rule
from lambent.store.contract import Store, Transaction

QUEUE = Arn.parse("arn:aws:sqs:us-east-1:123456789012:q")
DEAD = Arn.parse("arn:aws:fake:us-east-1:123456789012:dead")


class FakeStore:
    """A store whose transactions only know the time; what they change lies in the fakes."""

    def __init__(self, clock: VirtualClock) -> None:
        self.now = 0.0
        self.clock = clock
        self.unavailable = 0

    async def transact(self, body: Callable[[Any], Awaitable[Any]]) -> Any:
        if self.unavailable:
            self.unavailable -= 1
            raise StoreUnavailable("full")
        self.now = self.clock.now()
        return await body(self)


@dataclass
class Item:
    body: str
    due: float
    token: int = 0
    leased: bool = False


@dataclass
class FakeSource:
    """A queue in memory with leases and fencing tokens."""

    clock: VirtualClock
    lease: float = 30.0
    items: dict[str, Item] = field(default_factory=dict)
    claims: int = 0
    extensions: int = 0
    stale: list[str] = field(default_factory=list)
    gone: bool = False
    exhausted: int = 0
    event: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, *bodies: str, delay: float = 0.0) -> None:
        for body in bodies:
            self.items[body] = Item(body, self.clock.now() + delay)
        self.event.set()
        self.event = asyncio.Event()

    async def claim(self, tx: Transaction, arn: Arn, limit: int, lease: float | None) -> Batch:
        self.claims += 1
        now = self.clock.now()
        taken = [item for item in self.items.values() if item.due <= now][:limit]
        for item in taken:
            item.due = now + (self.lease if lease is None else lease)
            item.token += 1
            item.leased = True
        exhausted, self.exhausted = self.exhausted, 0
        return Batch(
            [{"body": item.body} for item in taken],
            [item.body for item in taken],
            [(item.body, item.token) for item in taken],
            exhausted,
        )

    def _current(self, tickets: Sequence[Any]) -> list[Item]:
        found = []
        for body, token in tickets:
            item = self.items.get(body)
            if item is None or item.token != token:
                self.stale.append(body)
            else:
                found.append(item)
        return found

    async def settle(self, tx: Transaction, arn: Arn, tickets: Sequence[Any]) -> None:
        for item in self._current(tickets):
            del self.items[item.body]

    async def fail(
        self, tx: Transaction, arn: Arn, tickets: Sequence[Any], delay: float | None
    ) -> None:
        for item in self._current(tickets):
            item.leased = False
            if delay is not None:
                item.due = self.clock.now() + delay

    async def extend(self, tx: Transaction, arn: Arn, tickets: Sequence[Any], lease: float) -> None:
        self.extensions += 1
        for item in self._current(tickets):
            item.due = self.clock.now() + lease

    def arrived(self, arn: Arn) -> asyncio.Event:
        return self.event

    async def next_due(self, tx: Transaction, arn: Arn) -> float | None:
        return min((item.due for item in self.items.values()), default=None)

    async def describe(self, tx: Transaction, arn: Arn) -> Mapping[str, Any]:
        if self.gone:
            raise AwsError("QueueDoesNotExist", "The specified queue does not exist.")
        return {"visibility_timeout": self.lease}


@dataclass
class TakingBack(FakeSource):
    """One that takes back what nobody tried."""

    postponed: int = 0

    async def postpone(
        self, tx: Transaction, arn: Arn, tickets: Sequence[Any], delay: float
    ) -> None:
        self.postponed += len(self._current(tickets))
        await self.fail(tx, arn, tickets, delay)


@dataclass
class FakePolicy:
    """Calls a coroutine of the test; errors come again at the lease's end."""

    run: Callable[[list[str]], Awaitable[Outcome | None]]
    batch_size: int = 10
    window: float = 0.0
    max_bytes: int = 1000
    rule: Rule = field(default_factory=lambda: Rule(start=5, per_minute=300, maximum=1000))
    delay: float | None = None
    dead_letter: bool = False
    patience: float | None = None
    calls: list[list[str]] = field(default_factory=list)

    def lease(self, source: Mapping[str, Any]) -> float:
        return float(source["visibility_timeout"])

    def wants(self, record: Mapping[str, Any]) -> bool:
        return not record["body"].startswith("unwanted")

    def encode(self, record: Mapping[str, Any]) -> bytes:
        return cast(bytes, record["body"].encode())

    async def call(self, batch: Batch, parts: Sequence[bytes]) -> Outcome:
        bodies = [part.decode() for part in parts]
        self.calls.append(bodies)
        return await self.run(bodies) or Outcome(b"")

    def judge(self, attempt: Attempt) -> Verdict:
        tickets = attempt.batch.tickets
        if attempt.outcome.error is None:
            return Verdict(done=tickets)
        if attempt.outcome.error == "Throttled" and self.patience is not None:
            return Verdict(retry_after=self.patience, healthy=False)
        if self.dead_letter:
            event = Event(b"dead", Sender("test", str(QUEUE), QUEUE.account))
            return Verdict(done=tickets, sends=[(DEAD, event)], healthy=False)
        return Verdict(again=[(ticket, self.delay) for ticket in tickets], healthy=False)


@dataclass
class FakeTarget:
    accepted: list[bytes] = field(default_factory=list)
    refuse: bool = False

    async def check(self, tx: Transaction, arn: Arn, sender: Sender) -> str | None:
        return None

    async def accept(self, tx: Transaction, arn: Arn, event: Event) -> None:
        if self.refuse:
            raise AwsError("QueueDoesNotExist", "gone")
        self.accepted.append(event.body)


class FakeFence:
    """A definition that is in force until `open` is taken away."""

    def __init__(self) -> None:
        self.open = True
        self.told = 0

    async def holds(self, tx: Transaction) -> bool:
        return self.open

    def lost(self) -> None:
        self.told += 1


class World:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.store = FakeStore(self.clock)
        self.source: FakeSource = FakeSource(self.clock)
        self.targets = Targets()
        self.dead = FakeTarget()
        self.targets.targets["fake"] = self.dead

    def lane(
        self,
        policy: FakePolicy,
        observer: Observer = SILENT,
        share: Callable[[], tuple[int, int]] | None = None,
        fence: Fence | None = None,
    ) -> Lane:
        lane = Lane(
            clock=self.clock,
            store=cast(Store, self.store),
            targets=self.targets,
            source=self.source,
            arn=QUEUE,
            policy=policy,
            observer=observer,
            share=share,
            fence=fence,
        )
        lane.start()
        return lane


@pytest.fixture
def world() -> World:
    return World()


async def ok(bodies: list[str]) -> None:
    return None


async def fails(bodies: list[str]) -> Outcome:
    return Outcome(b"{}", error="Unhandled")


async def test_what_waits_is_delivered_in_batches_and_settled(world: World) -> None:
    policy = FakePolicy(ok, batch_size=2)
    world.source.add("a", "b", "c")
    lane = world.lane(policy)
    await world.clock.advance(0)
    assert policy.calls == [["a", "b"], ["c"]]
    assert world.source.items == {}
    await lane.stop()


async def test_an_arrival_wakes_the_lane_without_time_passing(world: World) -> None:
    policy = FakePolicy(ok)
    lane = world.lane(policy)
    await world.clock.advance(3600)
    claims = world.source.claims
    assert claims == 1, "an idle lane does not look at its source"
    world.source.add("a")
    await world.clock.advance(0)
    assert policy.calls == [["a"]]
    await lane.stop()


async def test_a_delayed_item_is_delivered_when_it_is_due(world: World) -> None:
    policy = FakePolicy(ok)
    lane = world.lane(policy)
    world.source.add("a", delay=90)
    await world.clock.advance(89)
    assert policy.calls == []
    await world.clock.advance(1)
    assert policy.calls == [["a"]]
    await lane.stop()


async def test_filtered_items_are_settled_unseen(world: World) -> None:
    policy = FakePolicy(ok)
    world.source.add("unwanted 1", "a", "unwanted 2")
    lane = world.lane(policy)
    await world.clock.advance(0)
    assert policy.calls == [["a"]]
    assert world.source.items == {}
    await lane.stop()


async def test_a_failed_item_comes_again_when_its_lease_ends(world: World) -> None:
    policy = FakePolicy(fails)
    world.source.add("a")
    lane = world.lane(policy)
    await world.clock.advance(29)
    assert len(policy.calls) == 1
    await world.clock.advance(1)
    assert len(policy.calls) == 2
    await lane.stop()


async def test_a_failed_item_comes_again_after_the_policys_delay(world: World) -> None:
    policy = FakePolicy(fails, delay=60.0)
    world.source.add("a")
    lane = world.lane(policy)
    await world.clock.advance(59)
    assert len(policy.calls) == 1
    await world.clock.advance(1)
    assert len(policy.calls) == 2
    await lane.stop()


async def test_a_window_waits_for_the_batch_to_fill(world: World) -> None:
    policy = FakePolicy(ok, batch_size=3, window=10.0)
    lane = world.lane(policy)
    world.source.add("a")
    await world.clock.advance(5)
    world.source.add("b")
    await world.clock.advance(4)
    assert policy.calls == []
    await world.clock.advance(1)
    assert policy.calls == [["a", "b"]]
    world.source.add("c", "d", "e")
    await world.clock.advance(0)
    assert policy.calls[1:] == [["c", "d", "e"]], "a full batch does not wait"
    await lane.stop()


async def test_a_window_longer_than_the_lease_keeps_the_items(world: World) -> None:
    policy = FakePolicy(ok, batch_size=3, window=100.0)
    lane = world.lane(policy)
    world.source.add("a")
    await world.clock.advance(100)
    assert policy.calls == [["a"]]
    assert world.source.stale == []
    await lane.stop()


async def test_leases_are_extended_while_the_function_runs(world: World) -> None:
    async def slow(bodies: list[str]) -> None:
        await world.clock.sleep(600)

    policy = FakePolicy(slow)
    world.source.add("a")
    lane = world.lane(policy)
    await world.clock.advance(599)
    assert len(policy.calls) == 1, "a job that outlives its visibility timeout runs once"
    assert world.source.extensions == 39
    await world.clock.advance(1)
    assert world.source.items == {}
    await lane.stop()


async def test_a_late_settle_is_fenced_off(world: World) -> None:
    async def slow(bodies: list[str]) -> None:
        await world.clock.sleep(10)

    policy = FakePolicy(slow)
    world.source.add("a")
    lane = world.lane(policy)
    await world.clock.advance(5)
    world.source.items["a"].token += 1  # somebody else claimed it meanwhile
    await world.clock.advance(5)
    assert world.source.stale == ["a"]
    assert "a" in world.source.items
    await lane.stop()


async def test_no_more_run_at_once_than_there_are_places(world: World) -> None:
    most = 0
    running = 0

    async def slow(bodies: list[str]) -> None:
        nonlocal most, running
        running += 1
        most = max(most, running)
        await world.clock.sleep(60)
        running -= 1

    policy = FakePolicy(slow, batch_size=1, rule=Rule(start=2, per_minute=300, maximum=2))
    world.source.add(*(f"m{number}" for number in range(10)))
    lane = world.lane(policy)
    await world.clock.advance(300)
    assert most == 2
    assert len(policy.calls) == 10
    await lane.stop()


async def test_the_next_batch_is_claimed_while_the_last_one_is_settled(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one place: by one more batch, and not further until the store has answered."""
    answered = asyncio.Event()
    transact = world.store.transact
    begun: list[str] = []

    async def slow(body: Callable[[Any], Awaitable[Any]]) -> Any:
        settles = "_conclude" in body.__qualname__
        begun.append("settle" if settles else "claim")
        if settles:
            await answered.wait()
        return await transact(body)

    monkeypatch.setattr(world.store, "transact", slow)
    policy = FakePolicy(ok, batch_size=1, rule=Rule(1, 0, 1))
    world.source.add("a", "b", "c", "d")
    lane = world.lane(policy)
    await world.clock.advance(1)
    assert begun == ["claim", "settle", "claim", "settle"]
    assert lane.in_flight == 0, "calls that are over do not run"
    answered.set()
    await world.clock.advance(1)
    assert world.source.items == {}
    assert policy.calls == [["a"], ["b"], ["c"], ["d"]]
    await lane.stop()


async def test_places_grow_while_all_are_busy(world: World) -> None:
    async def slow(bodies: list[str]) -> None:
        await world.clock.sleep(1000)

    policy = FakePolicy(slow, batch_size=1)
    world.source.add(*(f"m{number}" for number in range(500)))
    lane = world.lane(policy)
    await world.clock.advance(0)
    assert lane.in_flight == 5
    await world.clock.advance(60)
    assert 300 <= lane.in_flight <= 305


async def test_nodes_together_start_with_five_calls_and_gain_300_a_minute(world: World) -> None:
    async def slow(bodies: list[str]) -> None:
        await world.clock.sleep(1000)

    world.source.add(*(f"m{number}" for number in range(500)))
    policy = FakePolicy(slow, batch_size=1)
    lanes = [world.lane(policy, share=lambda rank=rank: (rank, 3)) for rank in range(3)]
    await world.clock.advance(0)
    assert sorted(lane.in_flight for lane in lanes) == [1, 2, 2]
    await world.clock.advance(60)
    assert 300 <= sum(lane.in_flight for lane in lanes) <= 305


async def test_errors_make_the_lane_back_off(world: World) -> None:
    policy = FakePolicy(fails, batch_size=1)
    world.source.add(*(f"m{number}" for number in range(5)))
    lane = world.lane(policy)
    await world.clock.advance(0)
    assert lane.places == 1
    await lane.stop()


async def test_a_throttled_call_is_made_again_under_the_same_claim(world: World) -> None:
    outcomes = [Outcome(b"", error="Throttled"), Outcome(b"", error="Throttled"), None]

    async def run(bodies: list[str]) -> Outcome | None:
        return outcomes.pop(0)

    policy = FakePolicy(run, patience=2.0)
    world.source.add("a")
    lane = world.lane(policy)
    await world.clock.advance(4)
    assert policy.calls == [["a"]] * 3
    assert world.source.items == {}
    await lane.stop()


async def test_stopping_gives_a_throttled_batch_back_at_once(world: World) -> None:
    async def run(bodies: list[str]) -> Outcome:
        return Outcome(b"", error="Throttled")

    policy = FakePolicy(run, patience=10.0)
    world.source.add("a")
    lane = world.lane(policy)
    await world.clock.advance(1)
    await lane.stop()
    assert world.source.items["a"].due == world.clock.now()


async def test_stop_drains_and_claims_no_more(world: World) -> None:
    async def slow(bodies: list[str]) -> None:
        await world.clock.sleep(10)

    policy = FakePolicy(slow, batch_size=1, rule=Rule(1, 300, 1))
    world.source.add("a", "b")
    lane = world.lane(policy)
    await world.clock.advance(1)
    stopping = asyncio.create_task(lane.stop())
    await world.clock.advance(8)
    assert not stopping.done()
    await world.clock.advance(1)
    assert stopping.done()
    assert policy.calls == [["a"]]
    assert list(world.source.items) == ["b"]


async def test_a_paused_lane_claims_nothing_until_it_is_resumed(world: World) -> None:
    policy = FakePolicy(ok)
    lane = world.lane(policy)
    await world.clock.advance(0)
    lane.pause()
    world.source.add("a")
    await world.clock.advance(100)
    assert policy.calls == []
    lane.start()
    await world.clock.advance(0)
    assert policy.calls == [["a"]]
    await lane.stop()


async def test_nothing_is_claimed_by_a_definition_that_is_not_in_force(world: World) -> None:
    fence = FakeFence()
    policy = FakePolicy(ok)
    lane = world.lane(policy, fence=fence)
    await world.clock.advance(0)
    fence.open = False
    world.source.add("a")
    await world.clock.advance(1)
    assert (policy.calls, world.source.items["a"].token, fence.told) == ([], 0, 1)
    fence.open = True
    await world.clock.advance(10)
    assert policy.calls == [["a"]], "a lane that nobody stops looks again after a while"
    await lane.stop()


async def test_what_a_window_gathers_goes_back_untried_when_the_definition_changes(
    world: World,
) -> None:
    world.source = source = TakingBack(world.clock)
    fence = FakeFence()
    policy = FakePolicy(ok, batch_size=3, window=300.0)
    lane = world.lane(policy, fence=fence)
    world.source.add("a")
    await world.clock.advance(5)
    assert world.source.items["a"].leased
    fence.open = False
    world.source.add("b")
    await world.clock.advance(0)
    assert policy.calls == []
    assert [item.leased for item in world.source.items.values()] == [False, False]
    assert world.source.items["a"].due == world.clock.now()
    assert source.postponed == 1
    await lane.stop()


async def test_stopping_gives_back_what_a_window_gathers(world: World) -> None:
    world.source = source = TakingBack(world.clock)
    policy = FakePolicy(ok, batch_size=3, window=300.0)
    lane = world.lane(policy)
    world.source.add("a")
    await world.clock.advance(5)
    await lane.stop()
    assert policy.calls == []
    assert not world.source.items["a"].leased
    assert (source.postponed, source.stale) == (1, [])


async def test_duplicates_count_once_they_are_called_with_what_they_repeat(world: World) -> None:
    """Not when that goes back untried, as it is claimed with them again."""

    class Repeating(TakingBack):
        async def claim(self, tx: Transaction, arn: Arn, limit: int, lease: float | None) -> Batch:
            batch = await super().claim(tx, arn, limit, lease)
            return replace(batch, following=len(batch.tickets))

    class Counting(Observer):
        suppressed_in_all = 0

        def suppressed(self, count: int, at: float) -> None:
            self.suppressed_in_all += count

    world.source = Repeating(world.clock)
    counting = Counting()
    lane = world.lane(FakePolicy(ok, batch_size=3, window=300.0), counting)
    world.source.add("a")
    await world.clock.advance(5)
    await lane.stop()
    assert counting.suppressed_in_all == 0
    again = world.lane(FakePolicy(ok, batch_size=3), counting)
    await world.clock.advance(5)
    assert world.source.items == {}
    assert counting.suppressed_in_all == 1
    await again.stop()


async def test_what_a_source_cannot_take_back_untried_is_delivered_when_the_lane_stops(
    world: World,
) -> None:
    policy = FakePolicy(ok, batch_size=3, window=300.0)
    lane = world.lane(policy)
    world.source.add("a")
    await world.clock.advance(5)
    await lane.stop()
    assert policy.calls == [["a"]]
    assert world.source.items == {}


async def test_a_dead_letter_and_its_settling_are_one_transaction(world: World) -> None:
    policy = FakePolicy(fails, dead_letter=True)
    world.source.add("a")
    lane = world.lane(policy)
    await world.clock.advance(0)
    assert world.dead.accepted == [b"dead"]
    assert world.source.items == {}
    await lane.stop()


async def test_a_destination_that_refuses_does_not_hold_the_event(world: World) -> None:
    world.dead.refuse = True
    policy = FakePolicy(fails, dead_letter=True)
    world.source.add("a")
    lane = world.lane(policy)
    await world.clock.advance(0)
    assert world.source.items == {}
    await lane.stop()


async def test_an_unavailable_store_delays_the_settling_but_loses_nothing(world: World) -> None:
    async def breaks(bodies: list[str]) -> None:
        world.store.unavailable = 2

    policy = FakePolicy(breaks, batch_size=1, rule=Rule(1, 1, 1))
    world.source.add("a")
    lane = world.lane(policy)
    await world.clock.advance(0)
    assert "a" in world.source.items
    await world.clock.advance(3)
    assert world.source.items == {}
    assert policy.calls == [["a"]]
    await lane.stop()


async def test_a_lane_outlives_its_source(world: World) -> None:
    policy = FakePolicy(ok)
    world.source.gone = True
    lane = world.lane(policy)
    await world.clock.advance(10)
    assert lane.problem == "The specified queue does not exist."
    world.source.gone = False
    world.source.add("a")
    await world.clock.advance(10)
    assert policy.calls == [["a"]]
    assert lane.problem is None
    await lane.stop()


async def test_a_crashing_call_is_a_failure_and_the_lane_goes_on(world: World) -> None:
    async def run(bodies: list[str]) -> None:
        if bodies == ["a"]:
            raise RuntimeError("defect")

    policy = FakePolicy(run, batch_size=1)
    world.source.add("a", "b")
    lane = world.lane(policy)
    await world.clock.advance(0)
    assert policy.calls == [["a"], ["b"]]
    assert list(world.source.items) == ["a"]
    await lane.stop()


async def test_a_batch_over_the_payload_limit_is_cut_and_stays_in_order(world: World) -> None:
    policy = FakePolicy(ok, max_bytes=3)
    world.source.add("aa", "b", "cc", "dddd")
    lane = world.lane(policy)
    await world.clock.advance(0)
    assert policy.calls == [["aa", "b"], ["cc"], ["dddd"]]
    await lane.stop()


async def test_what_follows_a_failed_part_of_a_batch_waits_with_it(world: World) -> None:
    policy = FakePolicy(fails, max_bytes=2)
    world.source.add("aa", "bb")
    lane = world.lane(policy)
    await world.clock.advance(0)
    assert policy.calls == [["aa"]]
    assert set(world.source.items) == {"aa", "bb"}
    await lane.stop()


async def test_work_left_by_a_dead_lane_comes_back_when_its_lease_ends(world: World) -> None:
    await world.source.claim(cast(Transaction, None), QUEUE, 10, None)
    world.source.add("a")
    await world.source.claim(cast(Transaction, None), QUEUE, 10, None)
    policy = FakePolicy(ok)
    lane = world.lane(policy)
    await world.clock.advance(29)
    assert policy.calls == []
    await world.clock.advance(1)
    assert policy.calls == [["a"]]
    await lane.stop()


async def test_what_is_due_but_held_back_is_looked_for_each_second_and_not_more_often(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, claims = True, 0

    async def claim(*arguments: Any) -> Batch:
        nonlocal claims
        claims += 1
        return Batch([], [], []) if held else await FakeSource.claim(world.source, *arguments)

    monkeypatch.setattr(world.source, "claim", claim)
    policy = FakePolicy(ok)
    world.source.add("a")
    lane = world.lane(policy)
    await world.clock.advance(60)
    assert 60 <= claims <= 90
    held = False
    await world.clock.advance(1)
    assert policy.calls == [["a"]]
    await lane.stop()


class Heard(Observer):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.moments: list[tuple[Any, ...]] = []

    def claimed(self, batch: Batch, filtered: int, at: float) -> None:
        self.moments.append(("claimed", list(batch.identifiers), filtered))

    def dead_lettered(self, count: int, at: float) -> None:
        self.moments.append(("dead-lettered", count))

    def called(self, batch: Batch, at: float) -> None:
        self.moments.append(("called", list(batch.identifiers)))

    def ended(self, attempt: Attempt, verdict: Verdict, seconds: float) -> None:
        self.moments.append(("ended", attempt.outcome.error, seconds))

    def settled(self, batch: Batch, verdict: Verdict, at: float) -> None:
        done = [body for body, _ in verdict.done]
        self.moments.append(("settled", done, [body for (body, _), _ in verdict.again]))


async def test_an_observer_hears_each_moment_in_order(world: World) -> None:
    async def run(bodies: list[str]) -> Outcome | None:
        await world.clock.sleep(2)
        return await fails(bodies) if bodies == ["b"] else None

    heard = Heard()
    policy = FakePolicy(run, batch_size=1, rule=Rule(1, 1, 1), delay=500)
    world.source.add("a", "unwanted", "b")
    lane = world.lane(policy, heard)
    await world.clock.advance(10)
    assert heard.moments == [
        ("claimed", ["a"], 0),
        ("called", ["a"]),
        ("ended", None, 2.0),
        ("settled", ["a"], []),
        ("claimed", [], 1),
        ("claimed", ["b"], 0),
        ("called", ["b"]),
        ("ended", "Unhandled", 2.0),
        ("settled", [], ["b"]),
    ]
    await lane.stop()


async def test_an_observer_hears_what_a_claim_moved_to_the_dead_letter_queue(world: World) -> None:
    heard = Heard()
    world.source.exhausted = 3
    lane = world.lane(FakePolicy(ok), heard)
    await world.clock.advance(0)
    assert heard.moments == [("dead-lettered", 3)]
    await lane.stop()
