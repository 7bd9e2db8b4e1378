"""The pure rules of durable executions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from lambent.core.context import RequestContext
from lambent.core.errors import AwsError
from lambent.core.ids import SeededIds
from lambent.events.contract import Outcome
from lambent.host.contract import Invocation
from lambent.services.lambda_.durable import checks, machine, naming, output, runs, shown
from lambent.services.lambda_.durable.model import Execution, Key, Operation, Run, Timer
from lambent.services.lambda_.names import Reference

KEY = Key("123456789012", "us-east-1", "f", "id")
CONTEXT = RequestContext(KEY.account, KEY.region, "request", 0.0, "http://localhost")
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT", "STOPPED")
UPDATES: list[dict[str, Any]] = [
    {"Type": "STEP", "Action": "START"},
    {"Type": "STEP", "Action": "RETRY", "StepOptions": {"NextAttemptDelaySeconds": 5}},
    {"Type": "STEP", "Action": "SUCCEED", "Payload": "1"},
    {"Type": "STEP", "Action": "FAIL", "Error": {"ErrorType": "E"}},
    {"Type": "WAIT", "Action": "START", "WaitOptions": {"WaitSeconds": 5}},
    {"Type": "WAIT", "Action": "CANCEL"},
    {"Type": "CONTEXT", "Action": "START"},
    {"Type": "CONTEXT", "Action": "SUCCEED"},
    {
        "Type": "CALLBACK",
        "Action": "START",
        "CallbackOptions": {"TimeoutSeconds": 5, "HeartbeatTimeoutSeconds": 3},
    },
]


def execution() -> Execution:
    return Execution(
        id="id",
        name="name",
        version="1",
        qualifier="live",
        started=0.0,
        deadline=60.0,
        timeout=60,
        retention=1,
        input_digest="",
        asynchronous=True,
        request_id="request",
    )


@given(st.lists(st.tuples(st.sampled_from(UPDATES), st.floats(0.0, 10.0))))
def test_an_operation_that_has_ended_never_changes_and_what_is_outstanding_has_a_way_on(
    program: list[tuple[dict[str, Any], float]],
) -> None:
    """One operation, any updates at any times, and timers that go off when they are due."""
    present: Operation | None = None
    timers: list[tuple[float, Timer]] = []
    now = 0.0
    for update, pause in program:
        now += pause
        for due, timer in sorted(timers, key=lambda one: one[0]):
            if due <= now and present is not None:
                timers.remove((due, timer))
                fired = machine.fired(present, timer, due)
                if isinstance(fired, float):
                    timers.append((due + fired, timer))
                elif fired is not None:
                    assert present.status not in ENDED
                    present = fired.operation
        wanted = {**update, "Id": "a"}
        try:
            checks.update(execution(), present, wanted)
        except AwsError:
            continue
        assert present is None or present.status not in ENDED
        change = machine.apply(present, wanted, now)
        present = change.operation
        timers += [
            (now + delay, Timer(KEY, kind, "a", present.attempt)) for kind, delay in change.timers
        ]
        if machine.outstanding(present) and present.status != "READY":
            assert timers  # something will wake it
        json.dumps(shown.for_function(shown.operation(present)))


@pytest.mark.parametrize(
    ("outcome", "errors", "delay", "ends"),
    [
        (Outcome(b"{}"), 0, None, True),
        (Outcome(b"{}", "Unhandled"), 0, 1.0, False),
        (Outcome(b"{}", "Unhandled"), 7, 128.0, False),
        (Outcome(b"{}", "Unhandled"), 8, None, True),
        (Outcome(b"", "Throttled"), 8, 1.0, False),
        (Outcome(b"", "Failed", retryable=False), 0, None, True),
    ],
    ids=["done", "first error", "eighth", "ninth", "no place", "gone"],
)
def test_what_becomes_of_a_run(
    outcome: Outcome, errors: int, delay: float | None, ends: bool
) -> None:
    ticket = runs.Ticket(
        *(1, 1, KEY, Run("id", errors=errors), 1),
        *(Invocation("request", b"{}"), Reference("1", "r", "f", "1"), 0),
    )
    verdict = runs.judge(ticket, outcome)
    assert bool(verdict.done) is ends
    assert [each for _, each in verdict.again] == ([] if delay is None else [delay])
    chained = runs.judge(
        runs.Ticket(*(1, 1, KEY, Run("id", "a"), 1), ticket.invocation, ticket.target, 0), outcome
    )
    if outcome.error == "Unhandled":
        assert chained.done


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b'{"Status":"PENDING"}', "PENDING"),
        (b'{"Status":"SUCCEEDED","Result":"1"}', "SUCCEEDED"),
        (b'{"Status":"SUCCEEDED"}', "SUCCEEDED"),
        (b'{"Status":"SUCCEEDED","Result":1}', "FAILED"),
        (b'{"Status":"FAILED","Error":{"ErrorMessage":"m","StackTrace":[1]}}', "FAILED"),
        (b'{"Status":"FAILED","Error":"m"}', "FAILED"),
        (b"null", "FAILED"),
        (b"\xff", "FAILED"),
    ],
)
def test_what_an_invocation_says(said: bytes, status: str) -> None:
    assert output.read(Outcome(said)).status == status


def test_names_go_there_and_back() -> None:
    one = execution()
    arn = naming.arn(KEY, one)
    assert arn == "arn:aws:lambda:us-east-1:123456789012:function:f:1/durable-execution/name/id"
    assert naming.parse(CONTEXT, arn) == KEY
    assert naming.callback(CONTEXT, naming.callback_id(KEY, "a")) == (KEY, "a")
    before = naming.checkpoint_token(one)
    one.checkpoint += 1
    assert naming.checkpoint_token(one) != before


@given(st.floats(0, 1e10), st.floats(0.002, 1e6))
def test_ids_grow_with_time(now: float, later: float) -> None:
    ids = SeededIds(1)
    first, second = naming.new_id(now, ids), naming.new_id(now + later, ids)
    assert len(first) == 36 and first < second
    assert naming.bound(now) <= first.encode() and first.encode() < naming.bound(now + later)


def test_a_heartbeat_puts_the_timeout_off_and_only_its_own() -> None:
    started = machine.apply(None, {**UPDATES[-1], "Id": "a"}, 0.0).operation
    beaten = machine.heartbeat(started, 2.0)
    assert machine.fired(beaten, Timer(KEY, "heartbeat", "a"), 3.0) == 2.0
    late = machine.fired(beaten, Timer(KEY, "callback", "a"), 5.0)
    assert isinstance(late, machine.Change) and late.operation.status == "TIMED_OUT"
    assert machine.fired(replace(beaten, status="SUCCEEDED"), Timer(KEY, "callback"), 5.0) is None
