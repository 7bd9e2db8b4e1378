"""How many invocations are admitted at once and each second."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from tests.cluster.conftest import Cluster, Peer, on_one_store, until_told
from tests.services.lambda_.conftest import ROLE, archive

from lambent.cluster.members import LEASE
from lambent.core.clock import VirtualClock
from lambent.core.errors import AwsError
from lambent.host import scaling
from lambent.services.lambda_.admission import Admission, Allowance, spend
from lambent.services.lambda_.concurrency import Reservations
from lambent.services.lambda_.names import Reference

ONE = Reference("111122223333", "eu-west-1", "one")


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


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def cluster(clock: VirtualClock) -> AsyncIterator[Cluster]:
    async with on_one_store(clock) as cluster:
        yield cluster


def _admission(peer: Peer, clock: VirtualClock, reserved: int) -> tuple[Admission, Reservations]:
    async def reserved_by_all(_: Reference) -> int:
        return reserved

    reservations = Reservations(peer.places)
    return Admission(clock, peer.places, reservations, reserved_by_all), reservations


async def _admitted(admission: Admission) -> bool:
    try:
        await admission.enter(ONE, None, synchronous=False)
    except AwsError as error:
        refused = error
    else:
        return True
    assert (refused.code, refused.status) == ("TooManyRequestsException", 429)
    assert refused.members["Reason"] == "ConcurrentInvocationLimitExceeded"
    return False


async def test_functions_without_a_reservation_share_what_is_left(
    cluster: Cluster, clock: VirtualClock
) -> None:
    admission, reservations = _admission(await cluster.join(), clock, reserved=898)
    assert all([await _admitted(admission) for _ in range(102)])
    assert not await until_told(clock, _admitted(admission))
    await reservations.enter(ONE.arn, 898)
    await admission.enter(ONE, 898, synchronous=False)  # a reservation is its own
    admission.leave(ONE, None)
    assert await _admitted(admission)


async def test_the_account_s_concurrency_holds_for_all_nodes_together(
    cluster: Cluster, clock: VirtualClock
) -> None:
    peers = [await cluster.join() for _ in range(3)]
    await clock.advance(LEASE)
    nodes = [_admission(peer, clock, reserved=880)[0] for peer in peers]
    # Each is served at once, also while another holds more than it uses.
    assert [await _admitted(node) for node in nodes] == [True] * 3
    running = 3
    while await until_told(clock, _admitted(nodes[0])):
        running += 1
    for node in nodes[1:]:
        while await until_told(clock, _admitted(node)):
            running += 1
    assert running == 120
    nodes[0].leave(ONE, None)
    await clock.advance(2)
    assert await until_told(clock, _admitted(nodes[2]))
    assert not await until_told(clock, _admitted(nodes[1]))


async def test_a_newcomer_waits_for_places_that_the_first_does_not_use(
    cluster: Cluster, clock: VirtualClock
) -> None:
    first, _ = _admission(await cluster.join(), clock, reserved=0)
    assert await _admitted(first)  # alone, it holds all
    second, _ = _admission(await cluster.join(), clock, reserved=0)
    await clock.advance(LEASE)
    assert await until_told(clock, _admitted(second))


async def test_a_reservation_takes_ten_synchronous_requests_a_second_for_each_place_held(
    cluster: Cluster, clock: VirtualClock
) -> None:
    one, other = await cluster.join(), await cluster.join()
    await clock.advance(LEASE)
    admission, reservations = _admission(one, clock, reserved=1)
    await reservations.enter(ONE.arn, 1)
    for _ in range(10):
        await admission.enter(ONE, 1, synchronous=True)
    with pytest.raises(AwsError) as refused:
        await admission.enter(ONE, 1, synchronous=True)
    assert refused.value.members["Reason"] == "ReservedFunctionInvocationRateLimitExceeded"
    await admission.enter(ONE, 1, synchronous=False)
    await clock.advance(0.1)
    await admission.enter(ONE, 1, synchronous=True)
    # Another node has none of it, and so no requests.
    with pytest.raises(AwsError):
        await Reservations(other.places).enter(ONE.arn, 1)


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
