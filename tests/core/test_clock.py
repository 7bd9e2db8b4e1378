"""The virtual clock: it moves only when told to, and wakes sleepers in due order."""

import asyncio

from lambent.core.clock import SystemClock, VirtualClock


async def test_sleepers_wake_in_due_order_at_their_own_instant():
    clock = VirtualClock(start=100.0)
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.now()))

    tasks = [asyncio.create_task(sleeper(*item)) for item in [("b", 5), ("a", 1), ("c", 50)]]
    await clock.advance(10)
    assert woken == [("a", 101.0), ("b", 105.0)]
    assert clock.now() == 110.0
    await clock.advance(100)
    assert woken[-1] == ("c", 150.0)
    await asyncio.gather(*tasks)


async def test_a_chain_of_sleeps_is_followed_within_one_advance():
    clock = VirtualClock(start=0.0)

    async def ticks() -> list[float]:
        seen: list[float] = []
        for _ in range(100):
            await clock.sleep(1)
            seen.append(clock.now())
        return seen

    task = asyncio.create_task(ticks())
    await clock.advance(100)
    assert await task == [float(second) for second in range(1, 101)]


async def test_wait_ends_with_the_event_or_with_the_timeout():
    for clock in (VirtualClock(), SystemClock()):
        event = asyncio.Event()
        assert await clock.wait(event, 0) is False
        event.set()
        assert await clock.wait(event, 10) is True
    clock = VirtualClock()
    waiting = asyncio.create_task(clock.wait(asyncio.Event(), 5))
    await clock.advance(4)
    assert not waiting.done()
    await clock.advance(1)
    assert await waiting is False
