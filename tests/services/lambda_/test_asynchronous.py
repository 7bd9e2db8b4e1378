"""Asynchronous invocations under virtual time: when they are tried, and how they end.

The service and SQS are real, on a store in memory; the host is one that does as it is told.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.services.lambda_.conftest import ECHO, ROLE, archive

from lambent.cluster.cluster import Cluster
from lambent.core.clock import VirtualClock
from lambent.core.context import RequestContext
from lambent.core.ids import SeededIds
from lambent.core.registry import Registry
from lambent.core.settings import Settings
from lambent.events.contract import Targets
from lambent.host.contract import FunctionSpec, Invocation, InvocationResult, Throttled
from lambent.services.contract import Platform, Service
from lambent.services.lambda_ import service as lambda_service
from lambent.services.sqs import service as sqs_service
from lambent.store.backends.sqlite import open_sqlite

ACCOUNT = "123456789012"
ERROR = b'{"errorType":"ValueError","errorMessage":"broken"}'
MINUTE = 60.0
HOUR = 3600.0


@dataclass
class ObedientHost:
    """Does what `answers` says, the last answer for good: "ok", "error", "throttle", or
    seconds to run for."""

    clock: VirtualClock
    answers: list[str | float] = field(default_factory=lambda: ["ok"])
    calls: list[tuple[float, Invocation]] = field(default_factory=list)

    async def invoke(self, spec: FunctionSpec, invocation: Invocation) -> InvocationResult:
        self.calls.append((self.clock.now(), invocation))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer == "throttle":
            raise Throttled
        if isinstance(answer, float):
            await self.clock.sleep(answer)
        payload, error = (ERROR, "Unhandled") if answer == "error" else (b'"done"', None)
        return InvocationResult(payload, error, b"", 0.0, 0.0, None, 0)

    async def prepare(self, runtime: str) -> None: ...

    async def retire(self, arn: str, keep_revision: str | None = None) -> None: ...

    def environments(self) -> Mapping[str, tuple[int, int]]:
        return {}

    async def close(self) -> None: ...


class World:
    """One account with a function "f" and a dead-letter queue."""

    def __init__(self, clock: VirtualClock, platform: Platform, host: ObedientHost) -> None:
        self.clock = clock
        self.host = host
        self.platform = platform
        self.started = clock.now()
        self.sqs = sqs_service.create(platform)
        self.lambda_ = lambda_service.create(platform)
        for service in (self.sqs, self.lambda_):
            platform.registry.add(service.name, service.operations)
            platform.targets.targets.update(service.targets)
            platform.targets.sources.update(service.sources)
            platform.targets.invocables.update(service.invocables)

    async def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        context = RequestContext(
            ACCOUNT, "us-east-1", self.platform.ids.uuid(), self.clock.now(), "http://localhost"
        )
        return dict(await self.platform.registry.call(context, service, operation, params))

    async def make(self, **more: Any) -> None:
        await self.call(
            "lambda",
            "CreateFunction",
            FunctionName="f",
            Runtime="python3.11",
            Role=ROLE,
            Handler="index.handler",
            Code={"ZipFile": archive(ECHO)},
            **more,
        )

    async def queue(self, name: str = "dead") -> str:
        await self.call("sqs", "CreateQueue", QueueName=name)
        return f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"

    async def event(self, payload: bytes = b"{}") -> None:
        await self.call(
            "lambda", "Invoke", FunctionName="f", InvocationType="Event", Payload=payload
        )

    async def received(self, name: str = "dead") -> list[dict[str, Any]]:
        answer = await self.call(
            "sqs",
            "ReceiveMessage",
            QueueUrl=f"http://localhost/{ACCOUNT}/{name}",
            MaxNumberOfMessages=10,
            WaitTimeSeconds=0,
            MessageAttributeNames=["All"],
        )
        messages: list[dict[str, Any]] = answer.get("Messages") or []
        return messages

    def tried(self) -> list[float]:
        """When the function was called, in seconds since the start."""
        return [round(at - self.started, 3) for at, _ in self.host.calls]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    clock = VirtualClock()
    ids = SeededIds(7)
    store = await open_sqlite(None, clock, ids)
    host = ObedientHost(clock)
    cluster = Cluster(store, clock, ids, name="one", version="1", endpoint=lambda: "")
    platform = Platform(
        Settings(None), clock, ids, store, host, Registry(), cluster, Targets(), {}, tmp_path
    )
    made = World(clock, platform, host)
    await made.lambda_.start()
    yield made
    await made.lambda_.stop()
    await store.close()


async def test_function_errors_are_retried_after_one_and_then_two_minutes(world: World) -> None:
    await world.make(DeadLetterConfig={"TargetArn": await world.queue()})
    world.host.answers = ["error"]
    await world.event(b'{"a":1}')
    await world.clock.advance(10 * MINUTE)
    assert world.tried() == [0.0, 60.0, 180.0]
    (message,) = await world.received()
    assert json.loads(message["Body"]) == {"a": 1}
    assert message["MessageAttributes"]["ErrorMessage"]["StringValue"] == "broken"


async def test_a_retry_that_goes_well_ends_it(world: World) -> None:
    await world.make(DeadLetterConfig={"TargetArn": await world.queue()})
    world.host.answers = ["error", "ok"]
    await world.event()
    await world.clock.advance(HOUR)
    assert world.tried() == [0.0, 60.0]
    assert await world.received() == []


async def test_throttles_back_off_and_do_not_count_as_retries(world: World) -> None:
    await world.make()
    world.host.answers = ["throttle"] * 10 + ["error"]
    await world.event()
    await world.clock.advance(3 * HOUR)
    tried = world.tried()
    gaps = [later - earlier for earlier, later in itertools.pairwise(tried)]
    assert gaps[:10] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
    assert gaps[10:] == [60.0, 120.0]


async def test_an_event_that_is_throttled_for_six_hours_is_given_up(world: World) -> None:
    await world.make(DeadLetterConfig={"TargetArn": await world.queue()})
    world.host.answers = ["throttle"]
    await world.event()
    await world.clock.advance(6 * HOUR - 1)
    assert await world.received() == []
    await world.clock.advance(2)
    assert len(await world.received()) == 1
    calls = len(world.host.calls)
    await world.clock.advance(HOUR)
    assert len(world.host.calls) == calls


async def test_the_functions_own_limits_hold(world: World) -> None:
    await world.make()
    failed = await world.queue("failed")
    await world.call(
        "lambda",
        "PutFunctionEventInvokeConfig",
        FunctionName="f",
        MaximumRetryAttempts=2,
        MaximumEventAgeInSeconds=100,
        DestinationConfig={"OnFailure": {"Destination": failed}},
    )
    world.host.answers = ["error"]
    await world.event()
    await world.clock.advance(HOUR)
    assert world.tried() == [0.0, 60.0], "the second retry would begin past the maximum age"
    (message,) = await world.received("failed")
    record = json.loads(message["Body"])
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == 2


async def test_a_long_run_is_not_run_twice(world: World) -> None:
    await world.make(Timeout=900)
    world.host.answers = [800.0]
    await world.event()
    await world.clock.advance(HOUR)
    assert world.tried() == [0.0]


async def test_an_event_that_its_node_lost_is_run_again_after_a_short_lease(
    world: World,
) -> None:
    await world.make()
    await world.lambda_.stop()
    await world.event()
    queue = f"lambda.async/{ACCOUNT}/us-east-1/f"
    await world.platform.store.transact(lambda tx: tx.claim(queue, 1, 10.0))
    again: Service = lambda_service.create(world.platform)
    await again.start()
    await world.clock.advance(9)
    assert world.tried() == []
    await world.clock.advance(1)
    assert world.tried() == [10.0]
    await again.stop()


async def test_an_event_for_a_deleted_function_is_dropped(world: World) -> None:
    await world.make()
    world.host.answers = ["error"]
    await world.event()
    await world.clock.advance(1)
    await world.call("lambda", "DeleteFunction", FunctionName="f")
    await world.make()
    await world.clock.advance(HOUR)
    assert world.tried() == [0.0]


async def test_a_throttled_queue_delivery_keeps_its_claim_and_then_goes_on(world: World) -> None:
    source = await world.queue("q")
    await world.make()
    await world.call("lambda", "CreateEventSourceMapping", FunctionName="f", EventSourceArn=source)
    world.host.answers = ["throttle", "throttle", "ok"]
    url = f"http://localhost/{ACCOUNT}/q"
    await world.call("sqs", "SendMessage", QueueUrl=url, MessageBody="x")
    await world.clock.advance(5)
    assert world.tried() == [0.0, 1.0, 3.0]
    (record,) = json.loads(world.host.calls[-1][1].payload)["Records"]
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    await world.clock.advance(HOUR)
    assert len(world.host.calls) == 3
