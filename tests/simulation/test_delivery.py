"""The delivery engine under virtual time and faults: nothing lost, nothing in two places.

A run that fails names its seed; it is run again alone by

    SIMULATION_SEED=… ./dev test tests/simulation
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
from tests.simulation.world import Story, World

SHORT_HOURS, SHORT_RUNS = 8.0, 10
LONG_HOURS, LONG_RUNS = 20.0, 150


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What is made to go wrong need not be told."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


async def run(seed: int, hours: float) -> Story:
    world = World(seed, hours)
    try:
        await world.begin()
        await world.live()
        await world.recover()
        left = await world.waiting()
        assert not left, f"{len(left)} still wait after days of good health: {world.state()}"
        assert not await world.parked()
        await world.end()
    except BaseException as error:
        error.add_note(f"plan: {world.plan}")
        error.add_note(
            f"to repeat it: SIMULATION_SEED={seed} SIMULATION_HOURS={hours:g} "
            "./dev test tests/simulation"
        )
        raise
    return world.story


SEEDS = (
    [int(os.environ["SIMULATION_SEED"])]
    if "SIMULATION_SEED" in os.environ
    else list(range(1, SHORT_RUNS + 1))
)


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_message_is_in_exactly_one_place(seed: int) -> None:
    story = await run(seed, float(os.environ.get("SIMULATION_HOURS", SHORT_HOURS)))
    assert story.calls > 0


async def test_a_seed_repeats_its_run_exactly() -> None:
    first, second = await run(7, 1.0), await run(7, 1.0)
    assert first.calls > 0
    assert first == second


@pytest.mark.slow
@pytest.mark.timeout(3600)
async def test_thousands_of_hours() -> None:
    """Four minutes of one core."""
    total = Story()
    seeds = range(1000, 1000 + LONG_RUNS)
    for seed in seeds:
        story = await run(seed, LONG_HOURS)
        total.calls += story.calls
        total.crashes += story.crashes
        total.steps += story.steps
        total.resumed += story.resumed
        total.sent.update({f"{seed}/{id}": number for id, number in story.sent.items()})
    print(
        f"seeds {seeds[0]} to {seeds[-1]}, {LONG_HOURS:g} hours each: "
        f"{LONG_RUNS * LONG_HOURS:,.0f} hours, {len(total.sent):,} messages, "
        f"{total.calls:,} calls, {total.crashes:,} crashes, {total.steps:,} clock steps, "
        f"{total.resumed:,} resumed"
    )
