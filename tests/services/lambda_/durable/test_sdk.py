"""Handlers written with AWS's durable execution SDK run unchanged."""

from __future__ import annotations

from typing import Any

import pytest
from tests.services.lambda_.conftest import until
from tests.services.lambda_.durable.conftest import Flows


def test_a_step_that_is_done_is_not_done_again_after_a_wait(flows: Flows) -> None:
    answer = flows.run("steps")
    first, second = answer["Payload"]
    assert first != second  # the invocations that did them
    arn = answer["DurableExecutionArn"]
    told = flows.events(arn)
    assert [event["EventType"] for event in told] == [
        *("ExecutionStarted", "StepStarted", "StepSucceeded", "WaitStarted"),
        *("InvocationCompleted", "WaitSucceeded", "StepStarted", "StepSucceeded"),
        *("InvocationCompleted", "ExecutionSucceeded"),
    ]
    assert [event["EventId"] for event in told] == list(range(1, 11))
    ids = [event["InvocationCompletedDetails"]["RequestId"] for event in (told[4], told[8])]
    assert ids == [first, second]
    shown = flows.show(arn)
    assert shown["Status"] == "SUCCEEDED" and shown["Result"] == f'["{first}", "{second}"]'
    assert shown["FunctionArn"].endswith(":function:f:1") and shown["Version"] == "1"


def test_a_step_is_retried_after_the_delay_that_its_strategy_says(flows: Flows) -> None:
    answer = flows.run("retried", succeeds=3)
    assert answer["Payload"] == 3
    failed = flows.events(answer["DurableExecutionArn"], "StepFailed")
    details = [event["StepFailedDetails"] for event in failed]
    assert [one["RetryDetails"] for one in details] == [
        {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 1},
        {"CurrentAttempt": 2, "NextAttemptDelaySeconds": 1},
    ]
    assert details[0]["Error"]["Payload"]["ErrorMessage"] == "attempt 1"


def test_a_step_that_keeps_failing_fails_the_execution(flows: Flows) -> None:
    answer = flows.run("retried", succeeds=9)
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"]["errorMessage"] == "attempt 3"
    assert flows.show(answer["DurableExecutionArn"])["Status"] == "FAILED"


def test_a_callback_brings_its_result(flows: Flows) -> None:
    arn = flows.start("callback")
    details = flows.first(arn, "CallbackStarted")["CallbackStartedDetails"]
    flows.client.send_durable_execution_callback_heartbeat(CallbackId=details["CallbackId"])
    flows.client.send_durable_execution_callback_success(
        CallbackId=details["CallbackId"], Result=b'"yes"'
    )
    assert flows.ended(arn)["Result"] == '"\\"yes\\""'
    with pytest.raises(flows.client.exceptions.CallbackTimeoutException):
        flows.client.send_durable_execution_callback_success(CallbackId=details["CallbackId"])


def test_a_callback_brings_its_failure(flows: Flows) -> None:
    arn = flows.start("callback")
    id = flows.first(arn, "CallbackStarted")["CallbackStartedDetails"]["CallbackId"]
    flows.client.send_durable_execution_callback_failure(
        CallbackId=id, Error={"ErrorType": "Refused", "ErrorMessage": "not today"}
    )
    ended = flows.ended(arn)
    assert ended["Status"] == "FAILED" and ended["Error"]["ErrorMessage"] == "not today"


def test_child_contexts_maps_and_parallel_branches_run(flows: Flows) -> None:
    answer = flows.run("children", numbers=[1, 2, 3])
    assert answer["Payload"] == [3, [1, 4, 9], ["a", "b"]]


def test_a_condition_is_looked_at_again_until_it_holds(flows: Flows) -> None:
    assert flows.run("condition")["Payload"] == 3


def test_results_larger_than_an_answer_are_kept(flows: Flows) -> None:
    arn = flows.start("many", steps=7)  # more state than an invocation's payload has
    assert flows.ended(arn)["Result"] == str(7 * 700_000)
    answer = flows.run("large", size=6_291_430)  # its JSON is checkpointed, and then answered
    assert answer["Payload"] == "x" * 6_291_430


@pytest.mark.parametrize("durable", [False, True], ids=["plain", "durable"])
def test_other_functions_are_invoked_in_a_chain(flows: Flows, durable: bool) -> None:
    name = f"other-{durable}".lower()
    if durable:
        flows.make(name, DurableConfig={"ExecutionTimeout": 60})
        payload: Any = {"flow": "retried", "succeeds": 2}
    else:
        flows.make(name, "index.plain")
        payload = {"n": 1}
    answer = flows.run("chained", function=f"{name}:1", payload=payload)
    assert answer["Payload"] == (2 if durable else {"got": {"n": 1}})
    started = flows.events(answer["DurableExecutionArn"], "ChainedInvokeStarted")
    details = started[0]["ChainedInvokeStartedDetails"]
    assert details["ExecutedVersion"] == "1"
    assert ("DurableExecutionArn" in details) is durable
    if durable:
        assert flows.show(details["DurableExecutionArn"])["Status"] == "SUCCEEDED"
    else:
        failed = flows.run("chained", function=f"{name}:1", payload="fail")
        assert failed["Payload"]["errorMessage"] == "'gone'"


def test_a_function_that_is_not_there_fails_the_chained_invocation(flows: Flows) -> None:
    answer = flows.run("chained", function="nobody", payload=None)
    assert answer["FunctionError"] == "Unhandled"
    assert "Function not found" in answer["Payload"]["errorMessage"]


def test_an_invocation_that_dies_goes_on_from_its_last_checkpoint(flows: Flows) -> None:
    arn = flows.start("crashes")
    until(lambda: len(flows.events(arn, "InvocationCompleted")) >= 2)
    completed = flows.events(arn, "InvocationCompleted")[0]["InvocationCompletedDetails"]
    assert completed["Error"]["Payload"]["ErrorType"] == "Runtime.ExitError"
    flows.client.stop_durable_execution(DurableExecutionArn=arn)
    assert flows.ended(arn)["Status"] == "STOPPED"
