"""Adaptive concurrency: what the limit does, by table and by property."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.events.flow import limit
from lambent.events.flow.limit import Limit, Sample
from lambent.events.flow.settings import Concurrency

GRADIENT = Concurrency(initial=10)
AIMD = Concurrency(algorithm="AIMD", initial=10)


def a_round(
    state: Limit, rule: Concurrency, at: float, *, seconds: float = 1.0, failing: float = 0.0
) -> tuple[Limit, str]:
    """As many calls as one round takes, all places busy."""
    why = ""
    calls = max(state.places, limit.FEWEST)
    for number in range(calls):
        failed = 10 if number < failing * calls else 0
        sample = Sample(at, seconds, 10, failed, state.places)
        state, why = limit.ended(state, rule, sample, at + seconds)
    return state, why


@pytest.mark.parametrize("rule", [GRADIENT, AIMD])
def test_a_limit_in_full_use_grows_while_all_goes_well(rule: Concurrency) -> None:
    state = limit.begin(rule)
    for number in range(50):
        before = state.value
        state, why = a_round(state, rule, float(number))
        assert state.value > before
        assert why == "grows"
    assert state.places >= 20


@pytest.mark.parametrize("rule", [GRADIENT, AIMD])
def test_too_many_failures_cut_the_limit_to_its_backoff(rule: Concurrency) -> None:
    state, why = a_round(limit.begin(rule), rule, 0.0, failing=0.5)
    assert (state.value, why) == (pytest.approx(8.0), "errors")


def test_a_few_failures_are_no_overload() -> None:
    _, why = a_round(limit.begin(GRADIENT), GRADIENT, 0.0, failing=0.1)
    assert why == "grows"


def test_one_overload_cuts_once() -> None:
    state = limit.begin(AIMD)
    state, _ = a_round(state, AIMD, 0.0, failing=1.0)
    # The calls that ran when the limit was cut end after it, and failed for the same reason.
    for _ in range(20):
        state, why = limit.ended(state, AIMD, Sample(0.5, 2.0, 10, 10, 10), 2.5)
        assert why == ""
    assert state.places == 8


def test_slower_than_tolerated_lowers_the_gradient_limit_by_degrees() -> None:
    state = limit.begin(GRADIENT)
    for number in range(5):
        state, _ = a_round(state, GRADIENT, float(number), seconds=1.0)
    before = state.value
    state, why = a_round(state, GRADIENT, 10.0, seconds=10.0)
    assert why == "latency"
    assert 0.85 * before < state.value < before


def test_aimd_is_cut_by_latency_only_against_a_bound() -> None:
    state, why = a_round(limit.begin(AIMD), AIMD, 0.0, seconds=100.0)
    assert why == "grows"
    bound = Concurrency(algorithm="AIMD", initial=10, latency=0.5)
    state, why = a_round(limit.begin(bound), bound, 0.0, seconds=10.0)
    assert (state.value, why) == (pytest.approx(8.0), "latency")


def test_an_unused_limit_does_not_grow() -> None:
    state = limit.begin(AIMD)
    for number in range(40):
        state, _ = limit.ended(state, AIMD, Sample(float(number), 1.0, 10, 0, 1), number + 1.0)
    assert state.value == 10.0


def test_growth_stops_below_the_limit_that_failed_and_tries_it_again_later() -> None:
    state = Limit(20.0)
    state, _ = a_round(state, AIMD, 0.0, failing=1.0)
    assert (state.places, state.ceiling) == (16, 20.0)
    at = 1.0
    reasons = []
    while at < limit.HOLD:
        state, why = a_round(state, AIMD, at, seconds=1.0)
        reasons.append(why)
        assert state.places <= 19
        at += 1.0
    assert state.places == 19
    assert set(reasons) == {"grows", "ceiling"}
    state, why = a_round(state, AIMD, at, seconds=1.0)
    assert (state.places, why) == (20, "probe")
    state, _ = a_round(state, AIMD, at + 2.0, failing=1.0)
    assert state.hold == 2 * limit.HOLD, "the same ceiling is tried less and less often"


def test_a_ceiling_that_holds_no_longer_is_forgotten() -> None:
    state = Limit(20.0, ceiling=20.0, hold=60.0, held_until=0.0)
    for number in range(3):
        state, _ = a_round(state, AIMD, 100.0 + number)
    assert state.ceiling is None


@given(
    st.sampled_from(["Gradient", "AIMD"]),
    st.integers(1, 5),
    st.integers(5, 30),
    st.lists(
        st.tuples(
            st.floats(0.001, 100), st.integers(1, 100), st.floats(0, 1), st.integers(1, 2000)
        ),
        max_size=200,
    ),
)
def test_the_limit_stays_within_its_bounds_whatever_happens(
    algorithm: str, minimum: int, maximum: int, calls: list[tuple[float, int, float, int]]
) -> None:
    rule = Concurrency(algorithm=algorithm, minimum=minimum, initial=5, maximum=maximum)  # type: ignore[arg-type]
    state = limit.begin(rule)
    now = 0.0
    for seconds, items, share, running in calls:
        now += seconds
        sample = Sample(now - seconds, seconds, items, int(items * share), running)
        state, why = limit.ended(state, rule, sample, now)
        assert minimum <= state.value <= maximum
        assert state.places >= 1
        assert why or state.calls > 0 or sample.began < state.since


@pytest.mark.parametrize("bound", [2, 5, 20, 60])
def test_a_dependency_that_fails_above_a_bound_is_used_nearly_up_to_it(bound: int) -> None:
    state = limit.begin(Concurrency(initial=1))
    rule = Concurrency(initial=1)
    now, failures, used = 0.0, 0, []
    for number in range(400):
        over = state.places > bound
        failures += over
        state, _ = a_round(state, rule, now, failing=1.0 if over else 0.0)
        now += 1.0
        if number >= 200:
            used.append(state.places)
    assert sum(used) / len(used) >= 0.75 * bound - 1
    assert failures <= 20
