"""A burst at a function whose dependency fails above 20 concurrent calls, with and without
flow control, as a table and as a picture.

Usage: python -m benchmarks.flow [--messages N] [--real N] [--svg FILE] [--json]

The dependency answers in 50 ms for as long as at most 20 calls run; while more do, every
call in it takes a second and fails. The function calls it for each message of its batch, one
after another, and reports the failed ones (ReportBatchItemFailures), as is advised; AWS's
poller does not slow down for those.

- In virtual time: the real queue, store, policy, delivery engine and flow control; simulated
  are the clock, the function and the dependency. Both runs get the same burst, the same queue
  (visibility timeout 60 s, five receives, then the dead-letter queue) and the same most
  concurrency. They end when the queue is empty, or after two hours.
- In real time (`--real`): a node in its own process with real functions, and a dependency in
  this process that behaves the same; smaller, because the machine is.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import logging
import sys
from pathlib import Path
from typing import Any

from benchmarks import flow_picture, flow_real
from benchmarks.flow_result import FLOW, RECEIVES, Result
from lambent.core.arns import Arn
from lambent.core.clock import VirtualClock
from lambent.core.ids import SeededIds
from lambent.core.metrics import Metrics
from lambent.events import scaling
from lambent.events.contract import Event, Outcome, Sender, Targets
from lambent.events.delivery import Lane
from lambent.events.flow import settings
from lambent.events.flow.regulator import Regulator
from lambent.events.flow.state import LocalState
from lambent.services.lambda_.past import past
from lambent.services.lambda_.polling import QueuePolicy
from lambent.services.sqs.figures import Figures
from lambent.services.sqs.model import Queue
from lambent.services.sqs.queues import Queues
from lambent.services.sqs.source import QueueSource
from lambent.services.sqs.target import QueueTarget
from lambent.store.backends.sqlite import open_sqlite
from lambent.store.contract import Transaction

ACCOUNT, REGION = "123456789012", "us-east-1"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:consumer"
CAPACITY = 20
QUICK, STUCK = 0.05, 1.0
"""Seconds that a call of the dependency takes, and that a failing one does."""
MAXIMUM = 200
"""The mapping's MaximumConcurrency."""
LONGEST = 7200.0
IDEAL = CAPACITY / QUICK
"""Messages a second that the dependency can take."""


class Dependency:
    """Something slow that breaks down when too many use it at once."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._running = 0
        self._overload = asyncio.Event()

    async def call(self) -> bool:
        """Whether it answered."""
        self._running += 1
        try:
            if self._running > CAPACITY:
                # All who are in it are hit, not only the one too many.
                self._overload.set()
                self._overload = asyncio.Event()
                await self._clock.sleep(STUCK)
                return False
            if await self._clock.wait(self._overload, QUICK):
                await self._clock.sleep(STUCK)
                return False
            return True
        finally:
            self._running -= 1


class Consumer:
    """The function: an `Invocable` that calls the dependency for each message."""

    def __init__(self, clock: VirtualClock, dependency: Dependency, result: Result) -> None:
        self._clock = clock
        self._dependency = dependency
        self._result = result
        self._began = clock.monotonic()

    async def invoke(self, arn: Arn, payload: bytes, *, trace: str | None = None) -> Outcome:
        """Do the batch; failures by item."""
        failed = []
        began = self._clock.monotonic()
        for record in json.loads(payload)["Records"]:
            well = await self._dependency.call()
            second = int(self._clock.monotonic() - self._began)
            counts = self._result.done if well else self._result.failed
            counts[second] = counts.get(second, 0) + 1
            if not well:
                failed.append({"itemIdentifier": record["messageId"]})
        answer = json.dumps({"batchItemFailures": failed}).encode()
        return Outcome(answer, seconds=self._clock.monotonic() - began)


async def virtual(
    messages: int, flow: dict[str, Any], name: str, longest: float = LONGEST
) -> Result:
    """One run in virtual time, of at most `longest` seconds."""
    clock, ids = VirtualClock(), SeededIds(1)
    store = await open_sqlite(None, clock, ids)
    queues = Queues()
    figures = Figures(store, clock, queues, Metrics())
    now = clock.now()
    dead = _queue("dead", now, {})
    redrive = {"deadLetterTargetArn": dead.arn, "maxReceiveCount": RECEIVES}
    work = _queue("work", now, {"RedrivePolicy": json.dumps(redrive)})
    arn = Arn.parse(work.arn)
    source, target = QueueSource(store, queues, figures), QueueTarget(ids, queues, figures)
    targets = Targets()
    targets.sources["sqs"], targets.targets["sqs"] = source, target

    async def make(tx: Transaction) -> None:
        await queues.create(tx, dead)
        await queues.create(tx, work)

    await store.transact(make)
    event = Event(
        b"{}", Sender("sns.amazonaws.com", f"arn:aws:sns:us-east-1:{work.account}:t", work.account)
    )
    for begin in range(0, messages, 1000):

        async def fill(tx: Transaction, count: int = min(1000, messages - begin)) -> None:
            for _ in range(count):
                await target.accept(tx, arn, event)

        await store.transact(fill)
    result = Result(name, messages)
    regulator = None
    if flow:
        regulator = Regulator(
            clock=clock,
            ids=ids,
            state=LocalState(),
            mapping="m",
            function=FUNCTION,
            past=functools.partial(past, function=FUNCTION),
            park=lambda reason: None,
        )
        regulator.configure(settings.parse(flow))
    consumer = Consumer(clock, Dependency(clock), result)
    lane = Lane(
        clock=clock,
        store=store,
        targets=targets,
        source=source,
        arn=arn,
        policy=QueuePolicy(
            function=Arn.parse(FUNCTION),
            invocable=consumer,  # type: ignore[arg-type]
            batch_size=10,
            window=0.0,
            rule=scaling.Rule(5, 300, MAXIMUM),
            reports_failures=True,
            filters=None,
        ),
        control=regulator,
    )
    lane.start()
    second = 0
    while clock.monotonic() < longest:
        shown = regulator.shown(lane.places, 0)["limit"] if regulator else lane.places
        result.limit[second] = min(shown, max(lane.in_flight, 1))
        await clock.advance(1.0)
        second += 1
        counts = await store.transact(lambda tx: tx.work_counts(work.work))
        if counts.ready + counts.leased + counts.delayed == 0 and lane.in_flight == 0:
            break
    result.seconds = clock.monotonic()
    result.dead = (await store.transact(lambda tx: tx.work_counts(dead.work))).ready
    stopping = asyncio.create_task(lane.stop())
    while not stopping.done():
        await clock.advance(1.0)
    await store.close()
    return result


def _queue(name: str, now: float, attributes: dict[str, str]) -> Queue:
    attributes = {"VisibilityTimeout": "60", "MessageRetentionPeriod": "1209600", **attributes}
    return Queue(name, ACCOUNT, REGION, f"uid-{name}", now, now, attributes, {})


def table(results: list[Result]) -> str:
    """The figures as Markdown."""
    lines = [
        "| run | messages | done | dead-lettered | calls that failed | took | per second |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in results:
        found = one.summary
        lines.append(
            f"| {one.name} | {found['messages']:,} | {found['done']:,} | {found['dead']:,} | "
            f"{found['calls_failed']:,} ({found['failed_share']:.1%}) | "
            f"{found['seconds']:,.0f} s | {found['per_second']:,.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run it as it is asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks.flow")
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--real", type=int, default=0, metavar="N", help="also N real messages")
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    logging.disable(logging.ERROR)
    results = []
    for flow, name in ((FLOW, "with flow control"), ({}, "without")):
        print(f"virtual time, {name} …", file=sys.stderr, flush=True)
        results.append(asyncio.run(virtual(options.messages, flow, name)))
    real = flow_real.run(options.real) if options.real else []
    if options.json:
        print(json.dumps([{"run": one.name, **one.summary} for one in [*results, *real]]))
    else:
        print(table([*results, *real]))
    if options.svg:
        options.svg.write_text(flow_picture.picture(results, real, IDEAL, flow_real.IDEAL))
        print(f"Written to {options.svg}.", file=sys.stderr)


if __name__ == "__main__":
    main()
