"""Durable functions to test with: written with AWS's own SDK, which comes with the archive."""

from __future__ import annotations

import importlib.util
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from tests.services.lambda_.conftest import ROLE, until
from tests.support.nodes import ThreadNode

from lambent.core.ids import SystemIds

FLOWS = """
import json, os, time
import boto3
from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import (
    CallbackConfig, Duration, MapConfig, StepConfig, StepSemantics)
from aws_durable_execution_sdk_python.retries import RetryDecision
from aws_durable_execution_sdk_python.waits import WaitForConditionConfig, WaitForConditionDecision


def once_more(error, attempt):
    return RetryDecision(attempt < 3, Duration.from_seconds(1))


def steps(event, context):
    first = context.step(lambda _: context.lambda_context.aws_request_id, name="first")
    context.wait(Duration.from_seconds(event.get("seconds", 1)), name="pause")
    second = context.step(lambda _: context.lambda_context.aws_request_id, name="second")
    return [first, second]


def retried(event, context):
    def work(step):
        if step.attempt < event["succeeds"]:
            raise ValueError(f"attempt {step.attempt}")
        return step.attempt
    return context.step(work, name="work", config=StepConfig(retry_strategy=once_more))


def callback(event, context):
    config = CallbackConfig(
        timeout=Duration.from_seconds(event.get("timeout", 0)),
        heartbeat_timeout=Duration.from_seconds(event.get("heartbeat", 0)),
    )
    return context.create_callback(name="approval", config=config).result()


def children(event, context):
    def child(inner):
        return inner.step(lambda _: 1, name="one") + inner.step(lambda _: 2, name="two")
    total = context.run_in_child_context(child, name="sum")
    squares = context.map(
        event["numbers"], lambda inner, n, i, all: inner.step(lambda _: n * n), name="squares")
    both = context.parallel(
        [lambda inner: inner.step(lambda _: "a"), waits], name="both")
    return [total, squares.get_results(), both.get_results()]


def waits(inner):
    inner.wait(Duration.from_seconds(1))
    return "b"


def condition(event, context):
    def decide(state, attempt):
        if state >= 3:
            return WaitForConditionDecision.stop_polling()
        return WaitForConditionDecision.continue_waiting(Duration.from_seconds(1))
    return context.wait_for_condition(
        lambda state, check: state + 1,
        WaitForConditionConfig(wait_strategy=decide, initial_state=0), name="grows")


def chained(event, context):
    return context.invoke(event["function"], event["payload"], name="other")


def fails(event, context):
    raise ValueError("it broke")


def large(event, context):
    return "x" * event["size"]


def many(event, context):
    return sum(context.step(lambda _: "y" * 700_000).count("y") for _ in range(event["steps"]))


def crashes(event, context):
    context.step(lambda _: 1, name="kept")
    os._exit(3)


def gated(event, context):
    import urllib.request
    def work(_):
        urllib.request.urlopen(event["gate"]).read()
        return context.lambda_context.aws_request_id
    first = context.step(work, name="gated")
    return [first, context.step(lambda _: 5, name="after")]


def counted(event, context):
    def count(_):
        boto3.client("sqs").send_message(QueueUrl=event["queue"], MessageBody=event["flow"])
        return context.lambda_context.aws_request_id
    first = context.step(count, name="count")
    context.wait(Duration.from_seconds(event["seconds"]), name="pause")
    def slow(_):
        boto3.client("sqs").send_message(QueueUrl=event["queue"], MessageBody="slow")
        time.sleep(event["lingers"])
        return context.lambda_context.aws_request_id
    return [first, context.step(slow, name="slow")]


@durable_execution
def handler(event, context):
    return globals()[event["flow"]](event, context)


def plain(event, context):
    if event == "fail":
        raise KeyError("gone")
    return {"got": event}


def undurable(event, context):
    return {"Status": event}
"""
_ids = SystemIds()


@pytest.fixture(scope="session")
def package() -> bytes:
    """The archive of the flows, with the SDK beside them."""
    found = importlib.util.find_spec("aws_durable_execution_sdk_python")
    assert found is not None and found.origin is not None, "see requirements/dev.in"
    folder = Path(found.origin).parent
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("index.py", FLOWS)
        for path in sorted(folder.rglob("*.py")):
            archive.write(path, path.relative_to(folder.parent))
    return buffer.getvalue()


class Flows:
    """The durable function "f", version 1, in an account of its own; and what it is asked."""

    def __init__(self, client: Any, package: bytes) -> None:
        self.client = client
        self.package = package

    def make(self, name: str = "f", handler: str = "index.handler", **more: Any) -> None:
        arguments: dict[str, Any] = {
            "FunctionName": name,
            "Runtime": "python3.11",
            "Role": ROLE,
            "Handler": handler,
            "Code": {"ZipFile": self.package},
            "Timeout": 30,
            "MemorySize": 512,
            "Publish": True,
            **more,
        }
        self.client.create_function(**arguments)

    def run(self, flow: str, **event: Any) -> dict[str, Any]:
        """Invoke and wait; the answer with its payload read."""
        answer: dict[str, Any] = self.client.invoke(
            FunctionName="f:1", Payload=json.dumps({"flow": flow, **event})
        )
        answer["Payload"] = json.loads(answer["Payload"].read())
        return answer

    def start(
        self, flow: str, *, function: str = "f:1", execution: str | None = None, **event: Any
    ) -> str:
        """Invoke without waiting; the execution's ARN."""
        named = {} if execution is None else {"DurableExecutionName": execution}
        answer = self.client.invoke(
            FunctionName=function,
            InvocationType="Event",
            Payload=json.dumps({"flow": flow, **event}),
            **named,
        )
        arn: str = answer["DurableExecutionArn"]
        return arn

    def show(self, arn: str, **more: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get_durable_execution(DurableExecutionArn=arn, **more)
        return found

    def events(self, arn: str, type: str | None = None) -> list[dict[str, Any]]:
        """The history, or its events of one type."""
        pages = self.client.get_paginator("get_durable_execution_history")
        found = pages.paginate(DurableExecutionArn=arn, IncludeExecutionData=True)
        every = [event for page in found for event in page["Events"]]
        return [event for event in every if type is None or event["EventType"] == type]

    def first(self, arn: str, type: str) -> dict[str, Any]:
        """The first event of a type, once there is one."""
        event: dict[str, Any] = until(lambda: self.events(arn, type))[0]
        return event

    def ended(self, arn: str, seconds: float = 30.0) -> dict[str, Any]:
        """The execution, once it has ended."""
        going = ("RUNNING", "PAUSING", "PAUSED")
        until(lambda: self.show(arn)["Status"] not in going, seconds)
        return self.show(arn)

    def asleep(self, arn: str, invocations: int = 1) -> None:
        """Return once so many invocations are over."""
        until(lambda: len(self.events(arn, "InvocationCompleted")) >= invocations)


def connected(endpoint: str, sdk: Any, service: str, account: str) -> Any:
    return sdk.create_client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=account,
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=60),
    )


@pytest.fixture(scope="module")
def flows(node: ThreadNode, sdk: Any, package: bytes) -> Iterator[Flows]:
    """One for all tests of a module, so that its environments are warm."""
    client = connected(node.endpoint, sdk, "lambda", "9" + _ids.token(11, "0123456789"))
    made = Flows(client, package)
    made.make(DurableConfig={"ExecutionTimeout": 600})
    yield made
    client.close()


@pytest.fixture
def flows_of(sdk: Any, package: bytes, account: str) -> Iterator[Callable[[str], Flows]]:
    """`flows_of(endpoint)`: on a node of the test's own."""
    clients: list[Any] = []

    def make(endpoint: str) -> Flows:
        clients.append(connected(endpoint, sdk, "lambda", account))
        return Flows(clients[-1], package)

    yield make
    for client in clients:
        client.close()
