"""How many invocations are admitted at once and each second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from tests.services.lambda_.conftest import ROLE, archive

from lambent.core.clock import VirtualClock
from lambent.core.errors import AwsError
from lambent.host import scaling
from lambent.services.lambda_.admission import Admission, Allowance, has_room, spend
from lambent.services.lambda_.names import Reference

ONE = Reference("111122223333", "eu-west-1", "one")


@pytest.mark.parametrize(
    ("running", "reserved", "room"),
    [(0, 0, True), (999, 0, True), (1000, 0, False), (99, 900, True), (100, 900, False)],
)
def test_functions_without_a_reservation_share_what_is_left(
    running: int, reserved: int, room: bool
) -> None:
    assert has_room(running, reserved) is room


@pytest.mark.parametrize(
    ("before", "units", "now", "after"),
    [
        (None, 1, 5.0, Allowance(9.0, 5.0)),
        (Allowance(0.0, 5.0), 1, 5.0, None),
        (Allowance(0.0, 5.0), 1, 5.05, None),
        (Allowance(0.0, 5.0), 1, 5.1, Allowance(0.0, 5.1)),
        (Allowance(3.0, 5.0), 2, 100.0, Allowance(19.0, 100.0)),
        (None, 0, 5.0, None),
    ],
    ids=range(6),
)
def test_requests_refill_ten_times_a_second_for_each_unit(
    before: Allowance | None, units: int, now: float, after: Allowance | None
) -> None:
    left = spend(before, units, now)
    assert (left is None) == (after is None)
    if left is not None and after is not None:
        assert left.left == pytest.approx(after.left, abs=1e-6)
        assert left.at == after.at


@given(st.integers(1, 50), st.lists(st.floats(0, 2), max_size=400))
def test_no_second_has_more_than_two_seconds_worth(units: int, gaps: list[float]) -> None:
    allowance, now, admitted = None, 0.0, []
    for gap in gaps:
        now += gap
        left = spend(allowance, units, now)
        if left is not None:
            allowance = left
            admitted.append(now)
    for moment in admitted:
        within = sum(moment <= each < moment + 1 for each in admitted)
        assert within <= 2 * units * 10


async def test_the_account_s_concurrency_is_refused_by_its_reason_and_given_back() -> None:
    async def reserved(_: Reference) -> int:
        return 898

    admission = Admission(VirtualClock(), reserved)
    for _ in range(102):
        await admission.enter(ONE, None, synchronous=False)
    with pytest.raises(AwsError) as refused:
        await admission.enter(ONE, None, synchronous=False)
    assert (refused.value.code, refused.value.status) == ("TooManyRequestsException", 429)
    assert refused.value.members["Reason"] == "ConcurrentInvocationLimitExceeded"
    await admission.enter(ONE, 898, synchronous=False)  # a reservation is its own
    admission.leave(ONE, None)
    await admission.enter(ONE, None, synchronous=False)


async def test_a_reservation_of_one_takes_ten_synchronous_requests_a_second() -> None:
    async def reserved(_: Reference) -> int:
        return 1

    clock = VirtualClock()
    admission = Admission(clock, reserved)
    for _ in range(10):
        await admission.enter(ONE, 1, synchronous=True)
        admission.leave(ONE, 1)
    with pytest.raises(AwsError) as refused:
        await admission.enter(ONE, 1, synchronous=True)
    assert refused.value.members["Reason"] == "ReservedFunctionInvocationRateLimitExceeded"
    await admission.enter(ONE, 1, synchronous=False)
    await clock.advance(0.1)
    await admission.enter(ONE, 1, synchronous=True)


def test_a_caller_sees_the_reason_of_each_limit(
    fresh_node: Callable[..., Any], connect: Callable[..., Any]
) -> None:
    node = fresh_node(clock=VirtualClock())
    functions = connect(node.endpoint, "lambda")
    functions.create_function(
        FunctionName="f",
        Runtime="python3.11",
        Role=ROLE,
        Handler="index.handler",
        Timeout=30,
        Code={"ZipFile": archive("def handler(event, context):\n    return 1\n")},
    )
    functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
    for _ in range(10):
        functions.invoke(FunctionName="f")
    assert _refusal(functions) == "ReservedFunctionInvocationRateLimitExceeded"
    functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    assert _refusal(functions) == "ReservedFunctionConcurrentInvocationLimitExceeded"
    limit = functions.get_account_settings()["AccountLimit"]
    assert limit["ConcurrentExecutions"] == limit["UnreservedConcurrentExecutions"] == 1000


def test_a_function_that_gains_environments_too_fast_is_throttled_by_itself(
    fresh_node: Callable[..., Any], connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scaling, "GROWTH", 2)
    clock = VirtualClock()
    node = fresh_node(clock=clock)
    functions = connect(node.endpoint, "lambda")
    source = "import os\ndef handler(event, context):\n    os._exit(1)\n"
    for name, code in (("f", source), ("g", source.replace("os._exit(1)", "return 1"))):
        functions.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Role=ROLE,
            Handler="index.handler",
            Timeout=30,
            Code={"ZipFile": archive(code)},
        )
    functions.publish_version(FunctionName="f")
    for qualifier in ("$LATEST", "1"):  # they count as one
        failed = functions.invoke(FunctionName="f", Qualifier=qualifier)
        assert failed["FunctionError"] == "Unhandled"
    assert _refusal(functions) == "ConcurrentInvocationLimitExceeded"
    assert "FunctionError" not in functions.invoke(FunctionName="g")
    node.run(clock.advance(5))
    assert functions.invoke(FunctionName="f")["FunctionError"] == "Unhandled"
    assert _refusal(functions) == "ConcurrentInvocationLimitExceeded"


def _refusal(functions: Any) -> str:
    with pytest.raises(ClientError) as refused:
        functions.invoke(FunctionName="f")
    answer = refused.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert answer["Error"]["Code"] == "TooManyRequestsException"
    assert answer["Error"]["Message"] == "Rate Exceeded."
    assert answer["Type"] == "User"
    return str(answer["Reason"])
