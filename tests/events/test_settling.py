"""What a verdict does to a batch, and who is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from tests.events.test_delivery import QUEUE, FakePolicy, FakeSource, World, fails

from lambent.core.arns import Arn
from lambent.core.clock import VirtualClock
from lambent.events import settling
from lambent.events.contract import Event, Targets
from lambent.events.history import Failure
from lambent.events.observer import Observer
from lambent.events.policy import Aside, Verdict
from lambent.store.contract import Transaction

FAILURE = Failure(1.0, "f", "1", "r", "Error", "no", (), "")


class Remembering(FakeSource):
    """As its base, for items that carry their past."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.past: list[tuple[Any, Failure]] = []

    async def remember(
        self, tx: Transaction, arn: Arn, tickets: Sequence[Any], failure: Failure
    ) -> None:
        self.past += [(ticket, failure) for ticket in tickets]


async def test_what_comes_again_and_what_is_put_aside_remember_why() -> None:
    source = Remembering(VirtualClock())
    source.add("again", "aside")
    tx = cast(Transaction, None)
    batch = await source.claim(tx, QUEUE, 10, None)
    again, aside = batch.tickets
    verdict = Verdict(
        again=[(again, 5.0)], aside=[Aside(aside, "deadline", "too late")], failure=FAILURE
    )
    put: list[Any] = []

    async def put_aside(tx: Transaction, asides: Sequence[Aside]) -> None:
        # It takes its past along, so that must be written before.
        assert len(source.past) == 2
        put.extend(one.ticket for one in asides)

    await settling.settle(tx, source, QUEUE, Targets(), verdict, [], put_aside, "lane")
    assert source.past == [(again, FAILURE), (aside, FAILURE)]
    assert put == [aside]


async def test_an_event_that_its_destination_cannot_take_is_told() -> None:
    told: list[Event] = []

    class Heard(Observer):
        def refused(self, event: Event) -> None:
            told.append(event)

    world = World()
    world.dead.refuse = True
    world.source.add("a")
    lane = world.lane(FakePolicy(fails, dead_letter=True), Heard())
    await world.clock.advance(1)
    assert [event.body for event in told] == [b"dead"]
    await lane.stop()
