"""When and how often failed items come again: backoff, budget, deadline."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.events.flow import backoff, budget, deadline
from lambent.events.flow.settings import Budget, Deadline, Retry

RETRY = Retry(base=1.0, maximum=60.0)


@pytest.mark.parametrize(
    ("failures", "bound"), [(1, 1.0), (2, 2.0), (3, 4.0), (6, 32.0), (7, 60.0), (10_000, 60.0)]
)
def test_backoff_doubles_up_to_its_most_and_jitters_all_the_way(
    failures: int, bound: float
) -> None:
    assert backoff.delay(RETRY, failures, 0.0) == 0.0
    assert backoff.delay(RETRY, failures, 0.5) == bound / 2
    assert backoff.delay(RETRY, failures, 1.0) == bound


@given(st.integers(0, 100_000), st.floats(0, 1, exclude_max=True))
def test_backoff_stays_within_its_bounds(failures: int, random: float) -> None:
    assert 0 <= backoff.delay(RETRY, failures, random) <= RETRY.maximum


def test_retries_beyond_the_budget_wait_for_time_to_pay() -> None:
    rule = Budget(share=0.5, per_second=2.0, burst=2)
    account = budget.begin(rule, 0.0)
    waits = []
    for _ in range(5):
        account, wait = budget.retry(account, rule, 0.0)
        waits.append(wait)
    assert waits == [0.0, 0.0, 0.5, 1.0, 1.5]


def test_what_first_attempts_and_time_pay_is_saved_up_to_the_burst_only() -> None:
    rule = Budget(share=0.5, per_second=2.0, burst=2)
    account = budget.attempted(budget.begin(rule, 0.0), rule, 1_000, 1_000.0)
    waits = []
    for _ in range(3):
        account, wait = budget.retry(account, rule, 1_000.0)
        waits.append(wait)
    assert waits == [0.0, 0.0, 0.5]


def test_first_attempts_pay_for_retries() -> None:
    rule = Budget(share=0.5, per_second=1.0, burst=10)
    account = budget.Account(0.0, 0.0)
    account = budget.attempted(account, rule, 4, 0.0)
    for expected in (0.0, 0.0, 1.0):
        account, wait = budget.retry(account, rule, 0.0)
        assert wait == expected


@given(
    st.floats(0, 2),
    st.floats(0.1, 10),
    st.integers(1, 20),
    st.lists(st.tuples(st.floats(0, 5), st.integers(0, 5), st.integers(0, 5)), max_size=100),
)
def test_retries_never_exceed_their_budget(
    share: float, per_second: float, burst: int, steps: list[tuple[float, int, int]]
) -> None:
    rule = Budget(share=share, per_second=per_second, burst=burst)
    account = budget.begin(rule, 0.0)
    now, firsts = 0.0, [(0.0, 0)]
    retries: list[float] = []
    for wait, first, retry in steps:
        now += wait
        account = budget.attempted(account, rule, first, now)
        firsts.append((now, firsts[-1][1] + first))
        for _ in range(retry):
            account, pause = budget.retry(account, rule, now)
            retries.append(now + pause)
    for at in retries:
        made = sum(1 for one in retries if one <= at)
        tried = max(count for when, count in firsts if when <= at)
        assert made <= burst + share * tried + per_second * at + 1e-6


@pytest.mark.parametrize(("age", "over"), [(0.0, False), (59.9, False), (60.0, True), (1e9, True)])
def test_a_deadline_counts_from_when_the_event_was_sent(age: float, over: bool) -> None:
    assert deadline.passed(Deadline(seconds=60), 1000.0, 1000.0 + age) is over
