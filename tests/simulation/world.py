"""A queue, its dead-letter queue, a function and its mapping, under virtual time and faults.

Everything between the message and the function is the real thing: the SQLite store, SQS's
source and target, the mapping's policy, the delivery engine and flow control. Simulated are
time, the function, and what goes wrong. One seed repeats one run exactly.
"""

from __future__ import annotations

import asyncio
import functools
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lambent.core.arns import Arn
from lambent.core.clock import VirtualClock
from lambent.core.errors import StoreUnavailable
from lambent.core.ids import SeededIds
from lambent.core.metrics import Metrics
from lambent.events import in_flight, scaling
from lambent.events.contract import Batch, Event, Outcome, Sender, Targets
from lambent.events.delivery import Lane
from lambent.events.flow import parking, settings
from lambent.events.flow.regulator import Regulator
from lambent.events.flow.state import LocalState
from lambent.events.policy import Aside
from lambent.services.lambda_.past import past
from lambent.services.lambda_.polling import QueuePolicy
from lambent.services.sqs.figures import Figures
from lambent.services.sqs.model import Queue, decode_message
from lambent.services.sqs.queues import Queues
from lambent.services.sqs.source import QueueSource
from lambent.services.sqs.target import QueueTarget
from lambent.store.backends.sqlite import open_sqlite
from lambent.store.contract import Store, Transaction

ACCOUNT, REGION = "123456789012", "us-east-1"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
MAPPING = "the-mapping"
_SPINS = 20_000
_POISONED = 8
"""How often a poison message fails; then somebody has mended the function."""
_RESUMES = 20
"""How often a storm may park a mapping anew while a long queue is worked off."""
FORTNIGHT = "1209600"


class SteppingClock(VirtualClock):
    """A virtual clock whose time of day may jump, as a machine's does; durations do not.

    Time goes on only once the store has nothing to do, however long a chain of transactions
    is; one that never ends is a fault: something spins.
    """

    def __init__(self) -> None:
        super().__init__()
        self.offset = 0.0
        self.work: Callable[[], tuple[int, int]] = lambda: (0, 0)

    def now(self) -> float:
        return super().now() + self.offset

    async def _settle(self) -> None:
        quiet, before = 0, self.work()
        for _ in range(_SPINS):
            for _ in range(12):
                await asyncio.sleep(0)  # noqa: TID251 - a turn of the loop, no time
            now = self.work()
            quiet = quiet + 1 if now == before and now[0] == 0 else 0
            before = now
            if quiet == 3:
                return
        raise Fault("it spins: transaction follows transaction, and no time passes")


class Fault(Exception):
    """What a test would call a defect."""


class FaultyStore:
    """The store, which now and then is unavailable, before or after a body ran; what bodies
    staged counts once they are committed. Nothing that is cancelled cuts a transaction off."""

    def __init__(self, store: Store, random: random.Random) -> None:
        self._store = store
        self._random = random
        self.error_rate = 0.0
        self.busy = 0
        self.begun = 0
        self.staged: list[Callable[[], None]] = []

    async def transact(self, body: Callable[[Transaction], Awaitable[Any]]) -> Any:
        return await asyncio.shield(asyncio.ensure_future(self._counted(body)))

    async def _counted(self, body: Callable[[Transaction], Awaitable[Any]]) -> Any:
        self.busy += 1
        self.begun += 1
        try:
            return await self._transact(body)
        finally:
            self.busy -= 1

    async def _transact(self, body: Callable[[Transaction], Awaitable[Any]]) -> Any:
        if self._random.random() < self.error_rate:
            raise StoreUnavailable("simulated, before")
        undone = self._random.random() < self.error_rate
        staged: list[Callable[[], None]] = []

        async def whole(tx: Transaction) -> Any:
            self.staged = []
            result = await body(tx)
            if undone:
                raise StoreUnavailable("simulated, after")
            staged[:] = self.staged
            return result

        result = await self._store.transact(whole)
        for one in staged:
            one()
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@dataclass
class Plan:
    """What one run is like; drawn from its seed."""

    fifo: bool
    visibility: float
    batch_size: int
    window: float
    maximum: int
    reports: bool
    receives: int | None
    flow: dict[str, Any]
    hours: float
    error_rate: float
    mean_gap: float

    @classmethod
    def draw(cls, random: random.Random, hours: float) -> Plan:
        fifo = random.random() < 0.4
        return cls(
            fifo=fifo,
            visibility=random.choice([30.0, 120.0, 600.0]),
            batch_size=random.choice([1, 3, 10]),
            window=0.0 if fifo else random.choice([0.0, 0.0, 2.0]),
            maximum=random.choice([2, 5, 50]),
            reports=random.random() < 0.5,
            receives=random.choice([None, 2, 5]),
            flow=_flow(random) if random.random() < 0.6 else {},
            hours=hours,
            error_rate=random.choice([0.0, 0.02, 0.2]),
            mean_gap=hours * 3600 / random.choice([40, 120]),
        )


def _flow(random: random.Random) -> dict[str, Any]:
    all_: dict[str, Any] = {
        "Concurrency": {"Algorithm": random.choice(["Gradient", "AIMD"]), "Initial": 2},
        "Circuit": {"MinimumCalls": 3, "Open": 60, "MaximumOpen": 900, "Window": 300},
        "Retry": {"Base": 5, "Maximum": 300, "Budget": {"Share": 0.2, "PerSecond": 0.05}},
        "Deadline": {"Seconds": 4 * 3600},
        "Rate": {"PerSecond": 0.5, "Burst": 5},
        "Priority": {"Places": 3, "Level": 1, "Reserve": 1},
        "Storm": {"PerMinute": 25},
        "Loop": {},
    }
    return {name: part for name, part in all_.items() if random.random() < 0.5}


@dataclass
class Story:
    """What was sent, and what the function did with it."""

    sent: dict[str, int] = field(default_factory=dict)
    """By message id, in which order."""
    groups: dict[str, str] = field(default_factory=dict)
    claims: Counter[str] = field(default_factory=Counter)
    done: set[str] = field(default_factory=set)
    calls: int = 0
    crashes: int = 0
    steps: int = 0
    resumed: int = 0
    faults: list[str] = field(default_factory=list)
    """What the function saw that must not be; the engine would take it for its error."""


class World:
    """One run. `begin` it, then `live` for the plan's hours, then `recover` and `check`."""

    def __init__(self, seed: int, hours: float) -> None:
        self.random = random.Random(seed)
        self.plan = Plan.draw(self.random, hours)
        self.clock = SteppingClock()
        self.ids = SeededIds(seed)
        self.story = Story()
        self.calm = False
        self.targets = Targets()
        self._mood = "well"
        self._running: Counter[int] = Counter()
        self._life = 0
        self.regulator: Regulator | None = None

    async def begin(self) -> None:
        plan = self.plan
        self._inner = await open_sqlite(None, self.clock, self.ids)
        self.store = FaultyStore(self._inner, self.random)
        self.clock.work = lambda: (self.store.busy, self.store.begun)
        suffix = ".fifo" if plan.fifo else ""
        self.dead = self._queue(f"dead{suffix}", {})
        policy = {"deadLetterTargetArn": self.dead.arn, "maxReceiveCount": plan.receives}
        self.queue = self._queue(
            f"work{suffix}", {} if plan.receives is None else {"RedrivePolicy": json.dumps(policy)}
        )
        self.queues = Queues()
        self.figures = Figures(self._inner, self.clock, self.queues, Metrics())
        self.arn = Arn.parse(self.queue.arn)
        self.source = _Watched(self)
        self.targets.sources["sqs"] = self.source
        self.target = QueueTarget(self.ids, self.queues, self.figures)
        self.targets.targets["sqs"] = self.target

        async def make(tx: Transaction) -> None:
            await self.queues.create(tx, self.dead)
            await self.queues.create(tx, self.queue)

        await self._inner.transact(make)
        self.store.error_rate = plan.error_rate
        self._start_lane()

    def _queue(self, name: str, attributes: dict[str, str]) -> Queue:
        now = self.clock.now()
        return Queue(
            name,
            ACCOUNT,
            REGION,
            f"uid-{name}",
            now,
            now,
            {
                "VisibilityTimeout": str(int(self.plan.visibility)),
                "MessageRetentionPeriod": FORTNIGHT,
                **attributes,
            },
            {},
        )

    # The node ----------------------------------------------------------------------------

    def _start_lane(self) -> None:
        plan = self.plan
        self._life += 1
        regulator = None
        if plan.flow:
            regulator = Regulator(
                clock=self.clock,
                ids=self.ids,
                state=LocalState(),
                mapping=MAPPING,
                function=FUNCTION,
                past=functools.partial(past, function=FUNCTION),
                park=lambda reason: None,
            )
            regulator.configure(settings.parse(plan.flow))
        self.regulator = regulator
        life = self._life
        lane = Lane(
            clock=self.clock,
            store=self.store,  # type: ignore[arg-type]
            targets=self.targets,
            source=self.source,
            arn=self.arn,
            policy=QueuePolicy(
                function=Arn.parse(FUNCTION),
                invocable=_Function(self, life),  # type: ignore[arg-type]
                batch_size=plan.batch_size,
                window=plan.window,
                rule=scaling.Rule(5, 300, plan.maximum),
                reports_failures=plan.reports,
                filters=None,
            ),
            noted_as=lambda: f"node-{life}",
            control=regulator,
            put_aside=self._put_aside,
        )
        lane.start()
        self.lane = lane

    async def _put_aside(self, tx: Transaction, asides: Sequence[Aside]) -> None:
        await parking.put_aside(tx, self.source, self.arn, MAPPING, asides)

    async def _crash(self) -> None:
        """The node is killed and started again: nothing of the lane lives on."""
        self.story.crashes += 1
        loop = self.lane._loop
        tasks = {*self.lane._running, *([loop] if loop else [])}
        for task in list(asyncio.all_tasks()):
            if task is not asyncio.current_task() and "_keep" in repr(task.get_coro()):
                tasks.add(task)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._running.clear()
        await self._give_back(f"node-{self._life}")
        self._start_lane()

    async def _give_back(self, node: str) -> None:
        await self._inner.transact(lambda tx: in_flight.give_back(tx, self.targets, node))

    # What happens ------------------------------------------------------------------------

    async def live(self) -> None:
        """Messages come, and things go wrong, for the plan's hours."""
        plan, random_ = self.plan, self.random
        ends = self.clock.monotonic() + plan.hours * 3600
        while self.clock.monotonic() < ends:
            await self.clock.advance(random_.expovariate(1 / plan.mean_gap))
            match random_.randrange(20):
                case 0:
                    await self._crash()
                case 1:
                    self.clock.offset += random_.choice([-600.0, -5.0, 5.0, 600.0])
                    self.story.steps += 1
                case 2 | 3 | 4:
                    self._mood = random_.choice(["well", "well", "slow", "ill", "dead", "full"])
                case 5:
                    await self._send(random_.randint(10, 40))
                case 6:
                    await self._resume()
                case _:
                    await self._send(random_.randint(1, 3))
            await self.check()

    async def _send(self, count: int) -> None:
        for _ in range(count):
            number = len(self.story.sent)
            group = f"g{self.random.randrange(4)}"
            poison = self.random.random() < 0.05
            event = Event(
                json.dumps({"number": number, "poison": poison}).encode(),
                Sender("sns.amazonaws.com", "arn:aws:sns:us-east-1:1:t", self.arn.account),
                attributes={"MessageGroupId": group, "MessageDeduplicationId": str(number)}
                if self.plan.fifo
                else {},
            )
            before = await self._inner.transact(lambda tx: _all(tx, self.queue.work))

            async def accept(tx: Transaction, event: Event = event) -> None:
                await self.target.accept(tx, self.arn, event)

            await self._inner.transact(accept)
            after = await self._inner.transact(lambda tx: _all(tx, self.queue.work))
            (id,) = set(after) - set(before)
            self.story.sent[id] = number
            self.story.groups[id] = group

    async def _resume(self) -> None:
        if self.regulator is not None:
            self.regulator.resume()

        async def body(tx: Transaction) -> int:
            return await parking.resume(tx, self.source, self.arn, MAPPING)

        before = await self.parked()
        self.story.resumed += await self._inner.transact(body)
        for id in before:
            # As a message that was moved, it begins anew.
            self.story.claims[id] = 0

    async def recover(self) -> None:
        """Nothing goes wrong any more: whatever can be done gets done."""
        self._mood, self.calm = "well", True
        self.store.error_rate = 0.0
        for _ in range(_RESUMES):
            await self._resume()
            await self.clock.advance(12 * 3600)
            await self.check()
            if not await self.waiting() and not await self.parked():
                return

    # What must hold ----------------------------------------------------------------------

    async def waiting(self) -> dict[str, int]:
        """Ids in the queue (waiting, in flight, or delayed), with their attempts."""
        return await self._inner.transact(lambda tx: _all(tx, self.queue.work))

    async def dead_ones(self) -> dict[str, int]:
        return await self._inner.transact(lambda tx: _all(tx, self.dead.work))

    async def parked(self) -> list[str]:
        items = await self._inner.transact(lambda tx: parking.listed(tx, MAPPING, 100_000))
        return [one.id for one in items]

    async def check(self) -> None:
        """Every message is in exactly one place, or done; receive counts are right."""
        await self.clock.advance(0)
        if self.story.faults:
            raise Fault(f"the function saw: {self.story.faults[:3]}")
        waiting, dead, parked = await self.waiting(), await self.dead_ones(), await self.parked()
        places = Counter([*waiting, *dead, *parked])
        doubled = [id for id, count in places.items() if count > 1]
        if doubled:
            raise Fault(f"in two places: {doubled}")
        for id, number in self.story.sent.items():
            if id not in places and id not in self.story.done:
                raise Fault(f"lost: message {number} ({id})")
        strange = set(places) - set(self.story.sent)
        if strange:
            raise Fault(f"from nowhere: {strange}")
        claims = self.story.claims
        wrong = [
            f"message {self.story.sent[id]} was received {claims[id]} times and counts {attempts}"
            for id, attempts in waiting.items()
            if attempts != claims[id]
        ]
        if wrong:
            raise Fault("; ".join(wrong[:3]))

    def state(self) -> Any:
        """What lane and regulator say of themselves."""
        if self.regulator is None:
            return self.lane.problem, self.lane.in_flight
        shown = self.regulator.shown(self.lane.places, self.lane.in_flight)
        return self.lane.problem, shown, self.regulator.decisions.after()[-5:]

    async def end(self) -> None:
        await self.lane.stop()
        await self._inner.close()

    # The function ------------------------------------------------------------------------

    async def called(self, life: int, payload: bytes) -> Outcome:
        records = json.loads(payload)["Records"]
        self.story.calls += 1
        self._running[life] += 1
        try:
            if self._running[life] > self.plan.maximum:
                self._saw(f"{self._running[life]} calls at once, of {self.plan.maximum}")
            await self._in_order(records)
            return await self._work(records)
        finally:
            self._running[life] -= 1

    def _saw(self, fault: str) -> None:
        self.story.faults.append(fault)

    async def _in_order(self, records: list[dict[str, Any]]) -> None:
        """No message of a FIFO group is run while an earlier one of it is unfinished, unless
        that is before it in the same batch."""
        for record in records:
            count = int(record["attributes"]["ApproximateReceiveCount"])
            claims = self.story.claims[record["messageId"]]
            # When the time of day jumps, a lease may end that its holder could not extend.
            if count > claims or (count < claims and not self.story.steps):
                self._saw(
                    f"{record['messageId']} says {count} receives, "
                    f"not {self.story.claims[record['messageId']]}"
                )
        if not self.plan.fifo:
            return
        waiting = await self.waiting()
        before: set[str] = set()
        for record in records:
            id = record["messageId"]
            group = self.story.groups[id]
            if id in waiting:
                earlier = set(list(waiting)[: list(waiting).index(id)])
                open_ = {one for one in earlier if self.story.groups[one] == group} - before
                if open_:
                    self._saw(f"{id} overtook {open_} of {group}")
            before.add(id)

    async def _work(self, records: list[dict[str, Any]]) -> Outcome:
        mood = "well" if self.calm else self._mood
        random_ = self.random
        seconds = random_.expovariate(1 / 0.5)
        if mood == "slow" or random_.random() < 0.02:
            seconds += random_.uniform(0, 2 * self.plan.visibility)
        await self.clock.sleep(seconds)
        if mood == "dead" or (mood == "ill" and random_.random() < 0.5):
            if random_.random() < 0.3:
                raise RuntimeError("simulated: the call could not be made")
            error = random_.choice(["Unhandled", "Unhandled", "Failed"])
            return Outcome(b'{"errorMessage": "simulated"}', error)
        if mood == "full":
            return Outcome(b"", "Throttled")
        return self._handled(records)

    def _handled(self, records: list[dict[str, Any]]) -> Outcome:
        """As a well-written handler does: with FIFO it stops at the first failure."""
        failed: list[str] = []
        for record in records:
            received = int(record["attributes"]["ApproximateReceiveCount"])
            mended = self.calm or received > _POISONED
            poison = json.loads(record["body"])["poison"] and not mended
            if poison or (failed and self.plan.fifo):
                failed.append(record["messageId"])
            else:
                self.story.done.add(record["messageId"])
        if not self.plan.reports and failed:
            return Outcome(b'{"errorMessage": "poison"}', "Unhandled")
        failures = [{"itemIdentifier": id} for id in failed]
        return Outcome(json.dumps({"batchItemFailures": failures}).encode())


class _Function:
    """The function, for one life of the node."""

    def __init__(self, world: World, life: int) -> None:
        self._world = world
        self._life = life

    async def invoke(self, arn: Arn, payload: bytes, *, trace: str | None = None) -> Outcome:
        return await self._world.called(self._life, payload)


class _Watched(QueueSource):
    """SQS's source; claims are counted once they are committed."""

    def __init__(self, world: World) -> None:
        super().__init__(world._inner, world.queues, world.figures)
        self._world = world

    async def claim(self, tx: Transaction, arn: Arn, limit: int, lease: float | None) -> Batch:
        batch = await super().claim(tx, arn, limit, lease)
        ids = list(batch.identifiers)
        self._world.store.staged.append(lambda: self._world.story.claims.update(ids))
        return batch


async def _all(tx: Transaction, queue: str) -> dict[str, int]:
    found: dict[str, int] = {}
    after = 0
    while items := await tx.browse(queue, after=after, limit=1000):
        for item in items:
            found[decode_message(item.payload).id] = item.attempts
        after = items[-1].id
    return found
