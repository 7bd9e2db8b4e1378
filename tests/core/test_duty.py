"""When a duty takes its steps, in virtual time."""

import asyncio

import pytest

from lambent.core.clock import VirtualClock
from lambent.core.duty import Duty
from lambent.core.errors import StoreUnavailable


class Steps:
    """A step that does as it is told, and notes when it was taken."""

    def __init__(self, clock: VirtualClock, *answers: float | Exception | None) -> None:
        self.clock = clock
        self.answers = list(answers)
        self.taken: list[float] = []

    async def __call__(self) -> float | None:
        self.taken.append(self.clock.monotonic())
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_each_step_says_when_the_next_is_due():
    clock = VirtualClock()
    step = Steps(clock, 5.0, 0.0, 7.0)
    duty = Duty(clock, "testing", step, retry=1.0, first=2.0)
    duty.start()
    await clock.advance(100)
    await duty.stop()
    assert step.taken == [2.0, 7.0, 7.0, 14.0]


async def test_what_wakes_it_brings_the_next_step_forward():
    clock = VirtualClock()
    asked: list[asyncio.Event] = []

    def woken_by() -> asyncio.Event:
        asked.append(asyncio.Event())
        return asked[-1]

    step = Steps(clock, 60.0, None)
    duty = Duty(clock, "testing", step, retry=1.0, woken_by=woken_by)
    duty.start()
    await clock.advance(10)
    asked[-1].set()
    await clock.advance(1_000)
    await duty.stop()
    assert step.taken == [0.0, 10.0]


async def test_what_wakes_it_during_a_step_is_not_missed():
    clock = VirtualClock()
    first = asyncio.Event()
    events = [first, asyncio.Event()]
    taken: list[float] = []

    async def step() -> None:
        taken.append(clock.monotonic())
        if len(taken) == 1:
            await clock.sleep(5)
            first.set()
            await clock.sleep(5)

    duty = Duty(clock, "testing", step, retry=1.0, woken_by=lambda: events.pop(0))
    duty.start()
    await clock.advance(100)
    await duty.stop()
    assert taken == [0.0, 10.0]


@pytest.mark.parametrize("failure", [StoreUnavailable("full"), ValueError("a bug")])
async def test_a_step_that_fails_is_said_and_taken_again(failure, caplog):
    clock = VirtualClock()
    step = Steps(clock, failure, 5.0)
    duty = Duty(clock, "testing", step, retry=3.0)
    duty.start()
    await clock.advance(10)
    await duty.stop()
    assert step.taken == [0.0, 3.0, 8.0]
    assert [record.getMessage().split()[0] for record in caplog.records] == ["testing"]


async def test_a_stopped_duty_takes_no_more_steps():
    clock = VirtualClock()
    step = Steps(clock, *[1.0] * 10)
    duty = Duty(clock, "testing", step, retry=1.0)
    await duty.stop()
    duty.start()
    await clock.advance(1.5)
    await duty.stop()
    await clock.advance(10)
    assert step.taken == [0.0, 1.0]
