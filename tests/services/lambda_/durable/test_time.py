"""What executions do in time, with real handlers on a node whose clock is moved by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.services.lambda_.conftest import until
from tests.services.lambda_.durable.conftest import Flows, connected
from tests.support.nodes import ThreadNode

from lambent.core.clock import VirtualClock
from lambent.core.ids import SystemIds
from lambent.core.settings import Settings
from lambent.services.lambda_.durable.model import TIMERS
from lambent.store.contract import NewWork

DAY = 86_400
_ids = SystemIds()


class Timed:
    """A node, its clock, and flows on it."""

    def __init__(self, node: ThreadNode, clock: VirtualClock, flows: Flows) -> None:
        self.node = node
        self.clock = clock
        self.flows = flows

    def advance(self, seconds: float) -> None:
        """Not far beyond what makes a function run: its timeout is by this clock, too."""
        self.node.run(self.clock.advance(seconds))

    def jump(self, seconds: float) -> None:
        """For long times, in which the node's duties have nothing to do."""
        self.node.run(self.clock.jump(seconds))


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory, sdk: Any, package: bytes) -> Iterator[Timed]:
    clock = VirtualClock()
    node = ThreadNode(Settings(tmp_path_factory.mktemp("timed"), port=0), clock).start()
    account = "9" + _ids.token(11, "0123456789")
    client = connected(node.endpoint, sdk, "lambda", account)
    flows = Flows(client, package)
    flows.make(DurableConfig={"ExecutionTimeout": 366 * DAY, "RetentionPeriodInDays": 2})
    flows.make("short", DurableConfig={"ExecutionTimeout": 600, "RetentionPeriodInDays": 90})
    yield Timed(node, clock, flows)
    client.close()
    node.close()


def test_a_wait_of_a_year_ends_when_the_year_does(timed: Timed) -> None:
    flows = timed.flows
    arn = flows.start("steps", seconds=365 * DAY)
    flows.asleep(arn)
    timed.jump(365 * DAY - 60)
    assert not flows.events(arn, "WaitSucceeded")
    timed.advance(61)
    ended = flows.ended(arn)
    assert ended["Status"] == "SUCCEEDED"
    assert (ended["EndTimestamp"] - ended["StartTimestamp"]).days == 365


def test_an_execution_times_out_though_it_waits(timed: Timed) -> None:
    flows = timed.flows
    arn = flows.start("steps", function="short:1", seconds=1000)
    flows.asleep(arn)
    timed.jump(599)
    assert flows.show(arn)["Status"] == "RUNNING"
    timed.advance(2)
    ended = flows.ended(arn)
    assert ended["Status"] == "TIMED_OUT"
    assert (ended["EndTimestamp"] - ended["StartTimestamp"]).seconds == 600
    assert flows.events(arn)[-1]["EventType"] == "ExecutionTimedOut"
    timed.jump(1000)
    assert len(flows.events(arn, "InvocationCompleted")) == 1


@pytest.mark.parametrize("kind", ["timeout", "heartbeat"])
def test_a_callback_that_does_not_come_times_out(timed: Timed, kind: str) -> None:
    flows = timed.flows
    arn = flows.start("callback", **{kind: 100})
    id = flows.first(arn, "CallbackStarted")["CallbackStartedDetails"]["CallbackId"]
    flows.asleep(arn)
    timed.advance(90)
    flows.client.send_durable_execution_callback_heartbeat(CallbackId=id)
    if kind == "heartbeat":
        timed.advance(90)
        assert not flows.events(arn, "CallbackTimedOut")
    timed.advance(11)
    ended = flows.ended(arn)
    assert ended["Status"] == "FAILED"
    assert ended["Error"]["ErrorMessage"] == f"Callback timed out: Callback.{kind.capitalize()}"
    with pytest.raises(flows.client.exceptions.CallbackTimeoutException):
        flows.client.send_durable_execution_callback_heartbeat(CallbackId=id)


def test_an_ended_execution_is_kept_as_long_as_configured(timed: Timed) -> None:
    flows = timed.flows
    arn = flows.start("fails", execution="kept")
    assert flows.ended(arn)["Status"] == "FAILED"
    timed.jump(2 * DAY - 10)
    assert flows.start("fails", execution="kept") == arn
    timed.advance(20)
    with pytest.raises(flows.client.exceptions.ResourceNotFoundException):
        flows.show(arn)
    assert flows.start("steps", execution="kept", seconds=1) != arn


def test_invocations_that_fail_come_again_ever_later_and_then_fail_the_execution(
    timed: Timed,
) -> None:
    flows = timed.flows
    arn = flows.start("crashes")
    for tries in range(1, 9):
        flows.asleep(arn, tries)
        timed.advance(2.0 ** (tries - 1) - 0.5)
        assert len(flows.events(arn, "InvocationCompleted")) == tries
        timed.advance(1.0)
    ended = flows.ended(arn)
    assert ended["Status"] == "FAILED" and ended["Error"]["ErrorType"] == "Runtime.ExitError"
    assert len(flows.events(arn, "InvocationCompleted")) == 9
    assert len(flows.events(arn, "StepSucceeded")) == 1


def test_a_paused_execution_is_not_invoked_and_its_timeout_holds(timed: Timed) -> None:
    flows, client = timed.flows, timed.flows.client
    arn = flows.start("steps", function="short:1", seconds=100)
    flows.asleep(arn)
    client.pause_durable_execution(DurableExecutionArn=arn, Reason="downstream", ClientToken="t")
    client.pause_durable_execution(DurableExecutionArn=arn, Reason="downstream", ClientToken="t")
    with pytest.raises(client.exceptions.ResourceConflictException):
        client.pause_durable_execution(DurableExecutionArn=arn)
    shown = flows.show(arn)
    assert shown["Status"] == "PAUSED" and shown["PauseDetails"]["Reason"] == "downstream"
    timed.jump(2000)
    assert flows.events(arn, "WaitSucceeded")  # what is pending completes all the same
    assert flows.show(arn)["Status"] == "PAUSED"
    client.resume_durable_execution(DurableExecutionArn=arn)
    ended = flows.ended(arn)
    assert ended["Status"] == "SUCCEEDED"
    types = [event["EventType"] for event in flows.events(arn)]
    assert types.index("ExecutionPaused") < types.index("ExecutionResumed")
    with pytest.raises(client.exceptions.ResourceConflictException):
        client.resume_durable_execution(DurableExecutionArn=arn)


def test_a_pause_waits_for_the_next_checkpoint_of_what_runs(timed: Timed, gate: Any) -> None:
    flows, client = timed.flows, timed.flows.client
    host, port = gate.address
    arn = flows.start("gated", gate=f"http://{host}:{port}/")
    flows.first(arn, "StepStarted")
    client.pause_durable_execution(DurableExecutionArn=arn)
    assert flows.show(arn)["Status"] == "PAUSING"
    gate.open()
    until(lambda: flows.show(arn)["Status"] == "PAUSED")
    flows.asleep(arn)
    client.resume_durable_execution(DurableExecutionArn=arn)
    ended = flows.ended(arn)
    assert ended["Status"] == "SUCCEEDED"
    assert len(flows.events(arn, "InvocationCompleted")) == 2
    assert len(flows.events(arn, "StepSucceeded")) == 2


def test_a_timer_that_cannot_go_off_holds_up_no_other(timed: Timed) -> None:
    store = timed.node.node._store
    assert store is not None
    bad = [NewWork(b"no timer")]
    timed.node.run(store.transact(lambda tx: tx.enqueue(TIMERS, bad)))
    arn = timed.flows.start("steps", seconds=10)
    timed.flows.asleep(arn)
    timed.advance(16)
    assert timed.flows.ended(arn)["Status"] == "SUCCEEDED"
    timed.node.run(store.transact(lambda tx: tx.drop(TIMERS)))


def test_a_restarted_node_lets_timers_go_off_that_became_due_meanwhile(
    fresh_node: Callable[..., ThreadNode],
    flows_of: Callable[[str], Flows],
    tmp_path: Path,
) -> None:
    clock = VirtualClock()
    node = fresh_node(clock=clock, data_dir=tmp_path / "data")
    flows = flows_of(node.endpoint)
    flows.make(DurableConfig={"ExecutionTimeout": 10 * DAY})
    arn = flows.start("steps", seconds=DAY)
    flows.asleep(arn)
    node.stop()
    node.run(clock.jump(2 * DAY))
    node.start()
    assert flows.ended(arn)["Status"] == "SUCCEEDED"
