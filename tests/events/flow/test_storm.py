"""Storm detection."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lambent.events.flow import storm
from lambent.events.flow.settings import Storm


def minutes(*counts: int) -> storm.Arrivals:
    arrivals = storm.begin(0.0)
    for number, count in enumerate(counts):
        arrivals = storm.arrived(arrivals, count, number * 60.0)
    return arrivals


def test_only_a_minute_over_the_bound_is_a_storm() -> None:
    rule = Storm(per_minute=1000)
    assert not storm.is_storm(minutes(1000), rule)
    assert storm.is_storm(minutes(1001), rule)
    assert not storm.is_storm(minutes(1001, 10), rule)


def test_a_busy_queue_is_no_storm_when_it_is_always_busy() -> None:
    rule = Storm(per_minute=1000, factor=5)
    assert not storm.is_storm(minutes(*[2000] * 10, 9000), rule)
    assert storm.is_storm(minutes(*[2000] * 10, 10_001), rule)


def test_quiet_minutes_lower_the_usual() -> None:
    arrivals = storm.arrived(minutes(600), 0, 60 * 60.0)
    assert arrivals.usual is not None
    assert 200 < arrivals.usual < 250


@given(st.lists(st.tuples(st.floats(0, 300), st.integers(0, 5000)), max_size=100))
def test_the_usual_lies_among_what_was(steps: list[tuple[float, int]]) -> None:
    arrivals, now, total = storm.begin(0.0), 0.0, 0
    for wait, count in steps:
        now += wait
        arrivals = storm.arrived(arrivals, count, now)
        total += count
        assert 0 <= arrivals.count <= total
        assert arrivals.usual is None or 0 <= arrivals.usual <= total
