"""The circuit breaker: its states by table, its promises by property."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lambent.events.flow import circuit
from lambent.events.flow.circuit import CLOSED, Circuit
from lambent.events.flow.settings import Circuit as Rule

RULE = Rule(failure_share=0.5, minimum_calls=4, window=10, open=30, maximum_open=100, probes=2)


def calls(state: Circuit, *failed: bool, at: float = 0.0) -> Circuit:
    for one in failed:
        state = circuit.ended(state, RULE, one, at, at)
    return state


def test_it_opens_when_enough_of_enough_calls_failed() -> None:
    assert calls(CLOSED, True, True, True).state == "closed"
    assert calls(CLOSED, True, True, False, True).state == "open"
    assert calls(CLOSED, True, False, False, False, True).state == "closed"


def test_failures_that_left_the_window_do_not_count() -> None:
    state = calls(CLOSED, True, True, True, at=0.0)
    assert calls(state, True, at=9.0).state == "open"
    assert calls(state, True, at=11.0).state == "closed"


def test_open_refuses_until_its_time_is_over_then_lets_one_probe_at_a_time() -> None:
    state = calls(CLOSED, True, True, True, True)
    state, allowed = circuit.ask(state, 29.9)
    assert not allowed
    assert circuit.opens_in(state, 29.0) == 1.0
    state, allowed = circuit.ask(state, 30.0)
    assert allowed and state.state == "half-open"
    state, allowed = circuit.ask(state, 30.0)
    assert not allowed
    assert circuit.opens_in(state, 30.0) is None


def test_probes_in_a_row_close_it() -> None:
    state = calls(CLOSED, True, True, True, True)
    for at in (30.0, 31.0):
        state, allowed = circuit.ask(state, at)
        assert allowed
        state = circuit.ended(state, RULE, False, at, at + 0.5)
    assert state.state == "closed"
    assert state.calls == 0


def test_a_failed_probe_opens_it_for_twice_as_long_up_to_the_most() -> None:
    state = calls(CLOSED, True, True, True, True)
    at, waited = 0.0, []
    for _ in range(4):
        wait = circuit.opens_in(state, at)
        assert wait is not None
        waited.append(wait)
        at += wait
        state, _ = circuit.ask(state, at)
        state = circuit.ended(state, RULE, True, at, at)
    assert waited == [30, 60, 100, 100]


def test_a_probe_given_back_leaves_room_for_another() -> None:
    state, _ = circuit.ask(calls(CLOSED, True, True, True, True), 30.0)
    state = circuit.give_back(state)
    state, allowed = circuit.ask(state, 30.0)
    assert allowed


def test_what_began_before_it_opened_says_nothing_of_the_time_after() -> None:
    state, _ = circuit.ask(calls(CLOSED, True, True, True, True), 30.0)
    assert circuit.ended(state, RULE, False, 5.0, 31.0) == state
    state = circuit.ended(state, RULE, False, 30.0, 31.0)
    state, _ = circuit.ask(state, 31.0)
    closed = circuit.ended(state, RULE, False, 31.0, 32.0)
    assert closed.state == "closed"
    late = closed
    for _ in range(10):
        late = circuit.ended(late, RULE, True, 1.0, 33.0)
    assert late == closed


@given(st.lists(st.tuples(st.floats(0, 20), st.booleans()), max_size=200))
def test_calls_are_made_only_while_it_is_closed_or_probes(steps: list[tuple[float, bool]]) -> None:
    state, now = CLOSED, 0.0
    for wait, failed in steps:
        now += wait
        before = state
        state, allowed = circuit.ask(state, now)
        if before.state == "open":
            assert allowed == (now >= before.until)
        if before.state == "half-open":
            assert allowed
        if allowed:
            state = circuit.ended(state, RULE, failed, now, now)
        assert state.state != "open" or 0 < state.until - now <= RULE.maximum_open + 1e-6
        assert len(state.slices) <= circuit.SLICES
