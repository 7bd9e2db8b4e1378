"""A source without duplicates, over a real queue under virtual time."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from lambent.core.arns import Arn
from lambent.core.clock import VirtualClock
from lambent.core.ids import SeededIds
from lambent.core.metrics import Metrics
from lambent.events import idempotency, in_flight, once
from lambent.events.contract import Batch, Outcome, Targets
from lambent.events.delivery import Lane
from lambent.events.observer import Observer
from lambent.events.once import OnceSource
from lambent.events.policy import Attempt, Verdict
from lambent.events.scaling import Rule
from lambent.services.sqs import sending
from lambent.services.sqs.figures import Figures
from lambent.services.sqs.model import Queue, decode_message
from lambent.services.sqs.queues import Queues
from lambent.services.sqs.source import QueueSource
from lambent.store.backends.sqlite import open_sqlite
from lambent.store.contract import Store, Transaction

LEASE = 30.0
SCOPE = "scope"


def view(record: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**record, "body": json.loads(record["body"])}


class Heard(Observer):
    def __init__(self) -> None:
        self.count = 0

    def suppressed(self, count: int, at: float) -> None:
        self.count += count


@dataclass
class World:
    clock: VirtualClock
    store: Store
    ids: SeededIds = field(default_factory=lambda: SeededIds(7))
    queues: Queues = field(default_factory=Queues)

    def __post_init__(self) -> None:
        figures = Figures(self.store, self.clock, self.queues, Metrics())
        self.plain = QueueSource(self.store, self.queues, figures)

    async def queue(self, name: str = "q") -> Queue:
        made = Queue(name, "1", "r", "uid-" + name, 0.0, 0.0, {"VisibilityTimeout": "30"}, {})
        await self.store.transact(lambda tx: self.queues.create(tx, made))
        return made

    async def send(self, queue: Queue, *keys: str, group: str | None = None, **body: Any) -> None:
        for key in keys:
            params = {
                "MessageBody": json.dumps({"key": key, **body}),
                "MessageGroupId": group,
                "MessageDeduplicationId": self.ids.hex(8) if queue.fifo else None,
            }
            draft = sending.draft(params, self.ids.uuid(), None, "me")
            await self.store.transact(lambda tx, draft=draft: sending.send(tx, queue, draft))

    def source(self, document: Mapping[str, Any] | None = None) -> OnceSource:
        return OnceSource(
            self.plain,
            once.parse(document or {"Key": "$.body.key", "Expires": 1000}),
            SCOPE,
            wants=lambda record: "unwanted" not in record["body"],
            view=view,
        )

    async def claim(self, source: OnceSource, queue: Queue, limit: int = 10) -> Batch:
        arn = Arn.parse(queue.arn)
        return await self.store.transact(lambda tx: source.claim(tx, arn, limit, LEASE))

    async def settle(self, source: OnceSource, queue: Queue, tickets: Sequence[Any]) -> None:
        arn = Arn.parse(queue.arn)
        await self.store.transact(lambda tx: source.settle(tx, arn, tickets))

    async def fail(self, source: OnceSource, queue: Queue, tickets: Sequence[Any]) -> None:
        arn = Arn.parse(queue.arn)
        await self.store.transact(lambda tx: source.fail(tx, arn, tickets, 0.0))

    async def items(self, queue: Queue) -> list[Any]:
        return await self.store.transact(lambda tx: tx.browse(queue.work))


def keys(batch: Batch) -> list[str]:
    return [json.loads(record["body"])["key"] for record in batch.records]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    clock = VirtualClock()
    store = await open_sqlite(None, clock, SeededIds(1))
    yield World(clock, store)
    await store.close()


async def test_a_duplicate_of_what_is_done_is_settled_unseen(world: World) -> None:
    queue, source = await world.queue(), world.source()
    await world.send(queue, "a")
    await world.settle(source, queue, (await world.claim(source, queue)).tickets)
    await world.send(queue, "a", "b", "a")
    batch = await world.claim(source, queue)
    assert (keys(batch), batch.suppressed) == (["b"], 2)
    assert len(await world.items(queue)) == 1


async def test_two_of_one_key_in_a_claim_share_their_fate(world: World) -> None:
    queue, source = await world.queue(), world.source()
    await world.send(queue, "a", "a", "b")
    batch = await world.claim(source, queue)
    assert (keys(batch), batch.following) == (["a", "b"], 1)
    await world.fail(source, queue, batch.tickets[:1])
    batch = await world.claim(source, queue)
    assert keys(batch) == ["a"]
    await world.settle(source, queue, batch.tickets)
    assert len(await world.items(queue)) == 1


async def test_what_is_in_progress_elsewhere_comes_again_without_a_receive(world: World) -> None:
    one, other, source = await world.queue("one"), await world.queue("other"), world.source()
    await world.send(one, "a")
    held = await world.claim(source, one)
    await world.send(other, "a")
    for _ in range(3):
        assert (await world.claim(source, other)).records == []
        [waiting] = await world.items(other)
        assert (waiting.attempts, waiting.leased) == (0, False)
        assert 0 < waiting.due - world.clock.now() <= once.LOOK_AGAIN
        await world.clock.advance(once.LOOK_AGAIN)
    await world.settle(source, one, held.tickets)
    batch = await world.claim(source, other)
    assert (batch.records, batch.suppressed) == ([], 1)
    assert await world.items(other) == []


async def test_what_goes_back_untried_gives_up_its_key_and_counts_no_receive(world: World) -> None:
    queue = await world.queue()
    await world.send(queue, "a", "a")
    source, arn = world.source(), Arn.parse(queue.arn)
    batch = await world.claim(source, queue)
    assert keys(batch) == ["a"]
    await world.store.transact(lambda tx: source.postpone(tx, arn, batch.tickets, 0.0))
    assert [item.attempts for item in await world.items(queue)] == [0, 0]
    again = await world.claim(world.source(), queue)
    assert keys(again) == ["a"], "another lane may take them at once"
    await world.settle(source, queue, again.tickets)
    assert await world.items(queue) == []


async def test_a_consumer_that_died_blocks_until_its_lease_would_have_ended(world: World) -> None:
    one, other, source = await world.queue("one"), await world.queue("other"), world.source()
    await world.send(one, "a")
    held = await world.claim(source, one)
    await world.send(other, "a")
    await world.clock.advance(LEASE / 2)
    arn = Arn.parse(one.arn)
    await world.store.transact(lambda tx: source.extend(tx, arn, held.tickets, LEASE))
    await world.clock.advance(LEASE - 1)
    assert keys(await world.claim(source, other)) == []
    await world.clock.advance(once.LOOK_AGAIN)
    assert keys(await world.claim(source, other)) == ["a"]
    # Late: its key is another's now.
    await world.settle(source, one, held.tickets)
    assert (await world.store.transact(lambda tx: idempotency.find(tx, SCOPE, "a"))).deadline


async def test_a_message_takes_over_the_key_that_it_held_when_its_node_died(world: World) -> None:
    queue, source = await world.queue(), world.source()
    targets = Targets()
    targets.sources["sqs"] = world.plain
    await world.send(queue, "a", "a")
    arn = Arn.parse(queue.arn)

    async def claim(tx: Transaction) -> None:
        batch = await source.claim(tx, arn, 10, LEASE)
        await in_flight.note(tx, "node", arn, batch.tickets)

    await world.store.transact(claim)
    assert keys(await world.claim(source, queue)) == []
    await world.store.transact(lambda tx: in_flight.give_back(tx, targets, "node"))
    batch = await world.claim(source, queue)
    assert keys(batch) == ["a"] and len(batch.tickets[0].followers) == 1
    await world.settle(source, queue, batch.tickets)
    assert await world.items(queue) == []


async def test_what_is_filtered_out_or_has_no_key_leaves_no_trace(world: World) -> None:
    queue, source = await world.queue(), world.source()
    await world.send(queue, "a", unwanted=True)
    await world.send(queue, "", "")
    batch = await world.claim(source, queue)
    assert len(batch.records) == 3 and batch.suppressed == 0
    await world.settle(source, queue, batch.tickets)
    assert await world.store.transact(lambda tx: tx.count(idempotency.COLLECTION)) == 0


async def test_another_payload_under_a_done_key_fails_with_the_reason(world: World) -> None:
    queue = await world.queue()
    source = world.source({"Key": "body.key", "Payload": "body.amount"})
    await world.send(queue, "a", amount=1)
    await world.settle(source, queue, (await world.claim(source, queue)).tickets)
    await world.send(queue, "a", amount=2)
    assert (await world.claim(source, queue)).records == []
    [item] = await world.items(queue)
    assert item.leased and item.attempts == 1
    history = decode_message(item.payload).history
    assert history is not None and history.failures[0].type == "IdempotencyMismatch"


async def test_another_payload_in_the_same_claim_is_an_error_too_once_the_first_is_done(
    world: World,
) -> None:
    queue = await world.queue()
    source = world.source({"Key": "body.key", "Payload": "body.amount"})
    await world.send(queue, "a", amount=1)
    await world.send(queue, "a", amount=2)
    batch = await world.claim(source, queue)
    assert (len(batch.records), batch.suppressed) == (1, 0)
    await world.settle(source, queue, batch.tickets)
    await world.clock.advance(once.LOOK_AGAIN)
    assert (await world.claim(source, queue)).records == []
    (item,) = await world.items(queue)
    history = decode_message(item.payload).history
    assert history is not None and history.failures[0].type == "IdempotencyMismatch"


async def test_a_backlog_of_duplicates_is_gone_through_in_one_claim(world: World) -> None:
    queue, source = await world.queue(), world.source()
    await world.send(queue, "a")
    await world.settle(source, queue, (await world.claim(source, queue)).tickets)
    await world.send(queue, *["a"] * 25, "b")
    batch = await world.claim(source, queue, 5)
    assert (keys(batch), batch.suppressed) == (["b"], 25)


async def test_order_within_a_group_is_kept_around_what_is_held_back(world: World) -> None:
    fifo, other, source = await world.queue("q.fifo"), await world.queue("other"), world.source()
    await world.send(other, "x")
    held = await world.claim(source, other)
    await world.send(fifo, "a1", "x", "a2", group="a")
    await world.send(fifo, "b1", group="b")
    batch = await world.claim(source, fifo)
    assert keys(batch) == ["a1", "b1"]
    await world.settle(source, fifo, batch.tickets)
    assert keys(await world.claim(source, fifo)) == []
    await world.settle(source, other, held.tickets)
    await world.clock.advance(once.LOOK_AGAIN)
    batch = await world.claim(source, fifo)
    assert (keys(batch), batch.suppressed) == (["a2"], 1)


async def test_another_payload_under_a_done_key_holds_its_group_back(world: World) -> None:
    fifo = await world.queue("q.fifo")
    source = world.source({"Key": "body.key", "Payload": "body.amount"})
    await world.send(fifo, "x", group="a", amount=1)
    await world.settle(source, fifo, (await world.claim(source, fifo)).tickets)
    await world.send(fifo, "x", group="a", amount=2)
    await world.send(fifo, "a2", group="a", amount=2)
    await world.send(fifo, "b1", group="b", amount=2)
    assert keys(await world.claim(source, fifo)) == ["b1"]


async def test_a_follower_in_another_group_holds_its_group_back(world: World) -> None:
    fifo, source = await world.queue("q.fifo"), world.source()
    await world.send(fifo, "x", group="a")
    await world.send(fifo, "x", "b2", group="b")
    batch = await world.claim(source, fifo)
    assert keys(batch) == ["x"]
    await world.settle(source, fifo, batch.tickets)
    assert keys(await world.claim(source, fifo)) == ["b2"]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"Key": ""},
        {"Key": 1},
        {"Key": "$..x"},
        {"Key": "a["},
        {"Key": "a", "Expires": 0},
        {"Key": "a", "Expires": True},
        {"Key": "a", "Expires": "soon"},
        {"Key": "a", "Expires": 1e9},
        {"Key": "a", "Payload": "$["},
        {"Key": "a", "Other": 1},
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused(document: dict[str, Any]) -> None:
    with pytest.raises(once.InvalidIdempotency):
        once.parse(document)


class Worker:
    """A policy whose function fails now and then, and notices what runs twice."""

    batch_size = 4
    window = 0.0
    max_bytes = 10_000
    rule = Rule(start=5, per_minute=300, maximum=10)

    def __init__(self, world: World, seed: int, done: Counter[str], running: set[str]) -> None:
        self.world, self.done, self.running = world, done, running
        self.random = random.Random(seed)

    def lease(self, source: Mapping[str, Any]) -> float:
        return LEASE

    def wants(self, record: Mapping[str, Any]) -> bool:
        return True

    def encode(self, record: Mapping[str, Any]) -> bytes:
        return b""

    async def call(self, batch: Batch, parts: Sequence[bytes]) -> Outcome:
        found = keys(batch)
        assert not self.running & set(found), "one key ran twice at once"
        self.running |= set(found)
        await self.world.clock.sleep(self.random.choice([0.1, 5.0, 70.0]))
        self.running -= set(found)
        if self.random.random() < 0.4:
            return Outcome(b"", "Unhandled")
        self.done.update(found)
        return Outcome(b"")

    def judge(self, attempt: Attempt) -> Verdict:
        if attempt.outcome.error is None:
            return Verdict(done=attempt.batch.tickets)
        return Verdict(again=[(ticket, 2.0) for ticket in attempt.batch.tickets], healthy=False)


@pytest.mark.parametrize("seed", range(5))
async def test_with_two_queues_and_failures_each_key_is_done_once(world: World, seed: int) -> None:
    done: Counter[str] = Counter()
    running: set[str] = set()
    chance = random.Random(seed)
    wanted = [f"k{chance.randrange(20)}" for _ in range(80)]
    heard = Heard()
    lanes = []
    for number, name in enumerate(("one", "other")):
        queue = await world.queue(name)
        await world.send(queue, *wanted[number::2])
        lane = Lane(
            clock=world.clock,
            store=world.store,
            targets=Targets(),
            source=world.source({"Key": "body.key", "Expires": 86_400}),
            arn=Arn.parse(queue.arn),
            policy=Worker(world, seed * 10 + number, done, running),
            observer=heard,
        )
        lane.start()
        lanes.append((lane, queue))
    for _ in range(40):
        await world.clock.advance(60)
    for lane, queue in lanes:
        await lane.stop()
        assert await world.items(queue) == []
    assert done == Counter(set(wanted))
    assert heard.count >= len(wanted) - len(set(wanted))
