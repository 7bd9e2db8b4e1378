"""`lambent executions`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.cli.conftest import Command
from tests.services.lambda_.conftest import ROLE, archive

WAITS = """
import boto3
def handler(event, context):
    boto3.client("lambda").checkpoint_durable_execution(
        DurableExecutionArn=event["DurableExecutionArn"],
        CheckpointToken=event["CheckpointToken"],
        Updates=[{"Id": "w", "Name": "pause", "Type": "WAIT", "Action": "START",
                  "WaitOptions": {"WaitSeconds": 100}}])
    return {"Status": "PENDING"}
"""


@pytest.fixture
def order(client: Callable[..., Any], command: Command) -> None:
    """A function with an execution "order-1" that waits."""
    functions = client("lambda")
    functions.create_function(
        FunctionName="order",
        Runtime="python3.11",
        Role=ROLE,
        Handler="index.handler",
        Timeout=20,
        Code={"ZipFile": archive(WAITS)},
        DurableConfig={"ExecutionTimeout": 600},
    )
    functions.invoke(
        FunctionName="order:$LATEST", InvocationType="Event", DurableExecutionName="order-1"
    )
    for _ in range(600):
        shown = command("executions", "show", "order", "order-1", "--json").json
        if shown["Events"][-1]["EventType"] == "InvocationCompleted":
            return
    raise AssertionError("it did not wait")


def test_executions_are_listed_and_shown(command: Command, order: None) -> None:
    (line,) = command("executions", "list", "order").out.splitlines()
    assert line.startswith("executions\torder-1\tRUNNING\t$LATEST\t")
    assert command("executions", "list", "order", "--status", "FAILED").out == ""
    (one,) = json.loads(command("executions", "list", "order", "--json").out)
    assert one["DurableExecutionName"] == "order-1"
    shown = command("executions", "show", "order", "order-1").out.splitlines()
    steps = [line.split("\t")[1:3] for line in shown[:-1]]
    assert ["WaitStarted", "pause"] in steps
    assert shown[-1] == "order-1 is RUNNING"


def test_an_execution_is_paused_resumed_and_stopped(command: Command, order: None) -> None:
    def status() -> str:
        (one,) = json.loads(command("executions", "list", "order", "--json").out)
        found: str = one["Status"]
        return found

    assert command("executions", "pause", "order", "order-1").out == "order-1 pauses.\n"
    assert status() == "PAUSED"
    assert command("executions", "resume", "order", "order-1").out == "order-1 goes on.\n"
    assert status() == "RUNNING"
    ran = command("executions", "stop", "order", "order-1", "--reason", "ordered twice")
    assert ran.out == "order-1 is STOPPED.\n"
    assert command("executions", "show", "order", "order-1").out.splitlines()[-1] == (
        "order-1 is STOPPED: ordered twice"
    )
    refused = command("executions", "resume", "order", "order-1")
    assert refused.status == 1 and "is STOPPED and cannot be resumed" in refused.err
    assert "has no execution nobody" in command("executions", "stop", "order", "nobody").err


def test_stopping_what_has_ended_says_how_it_ended(
    client: Callable[..., Any], command: Command
) -> None:
    functions = client("lambda")
    functions.create_function(
        FunctionName="quick",
        Runtime="python3.11",
        Role=ROLE,
        Handler="index.handler",
        Code={"ZipFile": archive('def handler(e, c):\n    return {"Status": "SUCCEEDED"}\n')},
        DurableConfig={"ExecutionTimeout": 600},
    )
    assert command("executions", "list", "quick").err == "quick has no executions.\n"
    functions.invoke(FunctionName="quick:$LATEST", DurableExecutionName="one")
    assert command("executions", "stop", "quick", "one").out == "one is SUCCEEDED.\n"
