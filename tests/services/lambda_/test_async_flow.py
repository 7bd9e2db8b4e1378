"""Flow control of asynchronous invocations: what waits keeps its tries. Under virtual time, and
on a live node."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from tests.services.lambda_.conftest import Make, until
from tests.services.lambda_.test_signals import scraped
from tests.support.http import Raw
from tests.support.nodes import ThreadNode

from lambent.core.arns import Arn
from lambent.core.clock import VirtualClock
from lambent.core.ids import SeededIds
from lambent.events.contract import Targets
from lambent.events.delivery import Lane
from lambent.events.flow.regulator import Regulator
from lambent.events.flow.settings import parse
from lambent.events.flow.state import LocalState
from lambent.services.lambda_ import asynchronous, past, records
from lambent.services.lambda_.asynchronous import AsyncPolicy, AsyncSource, Waiting
from lambent.services.lambda_.invoking import Runner
from lambent.services.lambda_.model import Function, Version
from lambent.services.lambda_.names import Reference
from lambent.store.backends.sqlite import open_sqlite
from lambent.store.contract import Transaction, Work

FUNCTION = Reference("1", "us-east-1", "f")
QUEUE = asynchronous.queue_of(FUNCTION)


class FakeRunner:
    """Runs nothing: each event ends as `well` says, at once."""

    def __init__(self, clock: VirtualClock) -> None:
        self.well = True
        self.calls: list[tuple[float, bytes]] = []
        self._clock = clock

    async def resolve(self, reference: Reference) -> Any:
        return SimpleNamespace(function=SimpleNamespace(reserved=None))

    async def invoke(self, reference: Reference, invocation: Any, resolved: Any) -> Any:
        self.calls.append((self._clock.monotonic(), invocation.payload))
        result = SimpleNamespace(payload=b"{}", error=None if self.well else "Unhandled")
        return SimpleNamespace(result=result, version="$LATEST", log_group="")


class World:
    """A function's events in a real store, its lane, and its regulator."""

    def __init__(self, store: Any, clock: VirtualClock, settings: dict[str, Any]) -> None:
        self.store, self.clock, self.runner = store, clock, FakeRunner(clock)
        self.parked: list[str] = []
        self.regulator = Regulator(
            clock=clock,
            ids=SeededIds(1),
            state=LocalState(),
            mapping=FUNCTION.arn,
            function=FUNCTION.arn,
            past=lambda record: past.of_event(record, FUNCTION.arn),
            park=self.parked.append,
        )
        self.regulator.configure(parse(settings))
        self.lane = Lane(
            clock=clock,
            store=store,
            targets=Targets(),
            source=AsyncSource(store),
            arn=Arn.parse(FUNCTION.arn),
            policy=AsyncPolicy(FUNCTION, cast(Runner, self.runner)),
            control=self.regulator,
        )
        self.lane.start()

    async def send(self, count: int) -> None:
        for number in range(count):
            waiting = Waiting(request_id=str(number), payload=f"{number}".encode())
            await self.store.transact(
                lambda tx, waiting=waiting: asynchronous.enqueue(tx, FUNCTION, waiting)
            )

    async def waiting(self) -> list[Work]:
        found: list[Work] = await self.store.transact(lambda tx: tx.browse(QUEUE, limit=100))
        return found


@pytest.fixture
async def world() -> AsyncIterator[Callable[..., World]]:
    made: list[World] = []
    clock = VirtualClock()
    store = await open_sqlite(None, clock=clock, ids=SeededIds(2))
    latest = Version(
        number="$LATEST", settings={}, sha256="", size=0, modified=0.0, revision="", build=""
    )
    await store.transact(lambda tx: records.create_function(tx, FUNCTION, Function(latest=latest)))

    def make(**settings: Any) -> World:
        made.append(World(store, clock, settings))
        return made[0]

    yield make
    for one in made:
        await one.lane.stop()
    await store.close()


async def test_while_the_circuit_is_open_events_wait_without_a_try(
    world: Callable[..., World],
) -> None:
    it = world(Circuit={"MinimumCalls": 2, "Open": 600, "MaximumOpen": 600, "Probes": 2})
    it.runner.well = False
    await it.send(8)
    await it.clock.advance(0)
    tried = len(it.runner.calls)
    assert 2 <= tried < 8
    assert [work.attempts for work in await it.waiting()] == [1] * tried + [0] * (8 - tried)
    # Those that failed are due after a minute, and wait as well.
    await it.clock.advance(599)
    assert len(it.runner.calls) == tried
    it.runner.well = True
    await it.clock.advance(2)
    assert await it.waiting() == []
    assert len(it.runner.calls) == tried + 8
    assert len({payload for _, payload in it.runner.calls}) == 8


async def test_a_failed_probe_costs_one_event_one_try(world: Callable[..., World]) -> None:
    it = world(Circuit={"MinimumCalls": 1, "Open": 100, "MaximumOpen": 1000})
    it.runner.well = False
    await it.send(6)
    await it.clock.advance(0)
    before = sum(work.attempts for work in await it.waiting())
    await it.clock.advance(101)
    assert sum(work.attempts for work in await it.waiting()) == before + 1
    await it.clock.advance(190)
    assert sum(work.attempts for work in await it.waiting()) == before + 1


async def test_the_rate_is_kept(world: Callable[..., World]) -> None:
    it = world(Rate={"PerSecond": 2, "Burst": 1})
    await it.send(7)
    await it.clock.advance(10)
    times = [time for time, _ in it.runner.calls]
    assert len(times) == 7
    assert all(after - before >= 0.49 for before, after in pairwise(times))


async def test_retries_are_spread_and_end_as_often_as_ever(world: Callable[..., World]) -> None:
    it = world(Retry={"Base": 10, "Maximum": 20})
    it.runner.well = False
    await it.send(4)
    await it.clock.advance(0)
    assert len({work.due for work in await it.waiting()}) == 4
    assert max(work.due for work in await it.waiting()) <= it.clock.now() + 10
    await it.clock.advance(60)
    assert await it.waiting() == []
    assert len(it.runner.calls) == 12


async def test_a_storm_parks_them(world: Callable[..., World]) -> None:
    it = world(Storm={"PerMinute": 3})
    await it.send(9)
    await it.clock.advance(60)
    assert it.parked
    left = len(await it.waiting())
    assert left
    it.regulator.resume()
    await it.clock.advance(0)
    assert len(await it.waiting()) < left


# On a live node ---------------------------------------------------------------------------

FAILS = 'def handler(event, context):\n    raise ConnectionError("down")\n'
Ask = Callable[..., Any]


@pytest.fixture
def ask(raw: Raw) -> Ask:
    def call(method: str, path: str, body: Any = None, status: int = 200) -> Any:
        data = json.dumps(body).encode() if body is not None else b""
        answer = raw(method, f"/_lambent/{path}", data, sign="lambent")
        assert answer.status == status, answer.text
        return json.loads(answer.text)

    return call


def test_a_function_of_which_the_circuit_opens_keeps_its_events(
    functions: Any, make: Make, ask: Ask, node: ThreadNode, account: str
) -> None:
    arn = make("f", FAILS)["FunctionArn"]
    labels = f'{{account="{account}",region="us-east-1",function="f"'
    shown = scraped(node)
    assert shown[f"lambent_function_async_running{labels}}}"] == 0
    assert shown[f"lambent_function_async_limit{labels}}}"] == 50
    assert ask("GET", "flow")["mappings"] == []
    ask(
        "PUT",
        f"flow/{arn}",
        {"Circuit": {"MinimumCalls": 2, "Open": 600}, "Deadline": {"Seconds": 1}},
    )
    (listed,) = ask("GET", "flow")["mappings"]
    assert (listed["uuid"], listed["source"]) == (arn, arn)
    assert set(listed["settings"]) == {"Circuit"}
    for number in range(6):
        functions.invoke(FunctionName="f", InvocationType="Event", Payload=f"{number}".encode())
    until(lambda: ask("GET", f"flow/{arn}")["state"] == "circuit open")
    assert scraped(node)[f'lambent_function_async_state{labels},state="circuit open"}}'] == 1
    make("g", FAILS)
    ask("PUT", "flow/arn:aws:lambda:us-east-1:000000000000:function:g", {}, status=404)
    ask("PUT", f"flow/{arn}", {"Speed": {}}, status=400)


def test_what_is_parked_waits_until_it_is_resumed(
    functions: Any,
    make: Make,
    ask: Ask,
    queue: Callable[..., Any],
    node: ThreadNode,
    account: str,
) -> None:
    out = queue("out")
    arn = make("f")["FunctionArn"]
    destination = {"OnSuccess": {"Destination": out.arn}}
    functions.put_function_event_invoke_config(FunctionName="f", DestinationConfig=destination)
    assert ask("POST", f"flow/{arn}/park", {"reason": "we move"})["parked"] == "we move"
    functions.invoke(FunctionName="f", InvocationType="Event", Payload=b"1")
    functions.update_function_configuration(FunctionName="f", Description="it stays parked")
    assert ask("GET", f"flow/{arn}")["state"] == "parked"
    labels = f'{{account="{account}",region="us-east-1",function="f"'
    assert scraped(node)[f'lambent_function_async_state{labels},state="parked"}}'] == 1
    assert out.left() == (0, 0)
    ask("POST", f"flow/{arn}/resume")
    assert json.loads(out.receive()["Body"])["requestPayload"] == 1
    assert ask("GET", "flow")["mappings"] == []


def test_nothing_runs_once_it_is_parked_elsewhere_though_no_news_came(
    functions: Any, make: Make, ask: Ask, node: ThreadNode, account: str
) -> None:
    arn = make("f")["FunctionArn"]
    reference = Reference(account, "us-east-1", "f")

    async def elsewhere(tx: Transaction) -> None:
        function = await records.get_function(tx, reference)
        function.parked = "somebody said so"
        at = records.place(account, "us-east-1"), b"f"
        await tx.put(records.FUNCTIONS, *at, msgspec.json.encode(function))

    async def waiting(tx: Transaction) -> int:
        return (await tx.work_counts(asynchronous.queue_of(reference))).ready

    store = node.node._store
    assert store is not None
    node.run(store.transact(elsewhere))
    functions.invoke(FunctionName="f", InvocationType="Event", Payload=b"1")
    labels = f'{{account="{account}",region="us-east-1",function="f"'
    parked = f'lambent_function_async_state{labels},state="parked"}}'
    until(lambda: scraped(node).get(parked) == 1)
    assert node.run(store.transact(waiting)) == 1
    ask("POST", f"flow/{arn}/resume")
    until(lambda: node.run(store.transact(waiting)) == 0)


def test_a_template_says_how_a_functions_events_flow(
    client: Callable[..., Any], ask: Ask, account: str
) -> None:
    def template(flow: dict[str, Any]) -> str:
        function = {
            "Type": "AWS::Lambda::Function",
            "Metadata": {"Lambent": {"Flow": flow}} if flow else {},
            "Properties": {
                "FunctionName": "f",
                "Runtime": "python3.11",
                "Handler": "index.handler",
                "Role": f"arn:aws:iam::{account}:role/r",
                "Code": {"ZipFile": FAILS},
            },
        }
        return json.dumps({"Resources": {"F": function}})

    stacks = client("cloudformation")

    def settings() -> Any:
        return [one["settings"] for one in ask("GET", "flow")["mappings"]]

    stacks.create_stack(StackName="s", TemplateBody=template({"Rate": {"PerSecond": 5}}))
    until(lambda: settings() == [{"Rate": {"PerSecond": 5.0, "Burst": 10}}])
    stacks.update_stack(StackName="s", TemplateBody=template({"Rate": {"PerSecond": 6}}))
    until(lambda: settings() == [{"Rate": {"PerSecond": 6.0, "Burst": 10}}])
    stacks.update_stack(StackName="s", TemplateBody=template({}))
    until(lambda: settings() == [])
