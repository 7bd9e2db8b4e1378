"""The leaky bucket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.events.flow import rate
from lambent.events.flow.settings import Rate


def test_a_burst_goes_through_at_once_and_then_drop_by_drop() -> None:
    rule = Rate(per_second=2.0, burst=3)
    empty_at = 0.0
    assert rate.allowed(empty_at, rule, 100.0) == 3
    empty_at = rate.took(empty_at, rule, 3, 100.0)
    assert rate.allowed(empty_at, rule, 100.0) == 0
    assert rate.wait(empty_at, rule, 100.0) == pytest.approx(0.5)
    assert rate.allowed(empty_at, rule, 100.5) == 1
    assert rate.allowed(empty_at, rule, 101.0) == 2
    assert rate.wait(empty_at, rule, 101.5) == 0.0


@given(
    st.floats(0.1, 1000),
    st.integers(1, 50),
    st.lists(st.tuples(st.floats(0, 10), st.integers(1, 100)), min_size=1, max_size=60),
)
def test_no_interval_sees_more_than_the_burst_and_its_share(
    per_second: float, burst: int, steps: list[tuple[float, int]]
) -> None:
    rule = Rate(per_second=per_second, burst=burst)
    now, empty_at = 0.0, 0.0
    taken: list[tuple[float, int]] = []
    for wait, wanted in steps:
        now += wait
        count = min(wanted, rate.allowed(empty_at, rule, now))
        if count == 0:
            pause = rate.wait(empty_at, rule, now)
            assert pause > 0
            assert rate.allowed(empty_at, rule, now + pause) >= 1
            continue
        empty_at = rate.took(empty_at, rule, count, now)
        taken.append((now, count))
    for index, (begin, _) in enumerate(taken):
        total = 0
        for at, count in taken[index:]:
            total += count
            assert total <= burst + per_second * (at - begin) + 1e-3


def test_more_than_a_burst_waits_until_the_bucket_is_empty_and_no_longer() -> None:
    rule = Rate(per_second=2.0, burst=3)
    empty_at = rate.took(0.0, rule, 3, 100.0)
    assert rate.wait(empty_at, rule, 100.0, items=50) == pytest.approx(1.5)
    assert rate.wait(empty_at, rule, 101.5, items=50) == 0.0
