"""Tiers and SnapStart, through boto3 and Lambent's own API."""

from __future__ import annotations

import io
import json
import resource
import socket
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.lambda_.conftest import ECHO, ROLE, Make, archive, payload, until
from tests.support.http import Raw

ONCE = """
import os, uuid
MADE = str(uuid.uuid4())
def handler(event, context):
    return [MADE, os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], os.getpid()]
"""
SNAP = {"ApplyOn": "PublishedVersions"}


def _error(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as raised:
        call()
    return str(raised.value.response["Error"]["Code"])


@pytest.fixture
def lambent(raw: Callable[..., Any]) -> Callable[..., Any]:
    """`lambent(method, path, body)`: an answer of Lambent's own API."""

    def call(method: str, path: str, body: Any = None) -> Any:
        data = b"" if body is None else json.dumps(body).encode()
        return json.loads(raw(method, f"/_lambent/{path}", body=data, sign="lambent").body)

    return call


def _figures(lambent: Callable[..., Any], arn: str) -> Any:
    return lambent("GET", "functions")[arn]


def test_a_template_sets_the_tier_of_a_sam_function(
    client: Callable[..., Any], functions: Any
) -> None:
    stacks = client("cloudformation")
    template = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {
            "Warm": {
                "Type": "AWS::Serverless::Function",
                "Metadata": {"Lambent": {"Tier": "warm"}},
                "Properties": {
                    "FunctionName": "warm",
                    "Runtime": "python3.11",
                    "Handler": "index.handler",
                    "InlineCode": ONCE,
                    "Role": ROLE,
                },
            }
        },
    }
    stacks.create_stack(
        StackName="s",
        TemplateBody=json.dumps(template),
        Capabilities=["CAPABILITY_AUTO_EXPAND", "CAPABILITY_IAM"],
    )
    stacks.get_waiter("stack_create_complete").wait(
        StackName="s", WaiterConfig={"Delay": 0.05, "MaxAttempts": 400}
    )
    assert "Lambent" not in functions.get_function_configuration(FunctionName="warm")
    assert payload(functions.invoke(FunctionName="warm"))[1] == "on-demand"


def test_the_tier_is_set_by_lambents_own_api_and_shown(
    functions: Any, make: Make, lambent: Callable[..., Any]
) -> None:
    arn = make("f", ONCE)["FunctionArn"]
    assert lambent("GET", "tiers/f") == {"function": "f", "tier": "cold"}
    assert lambent("PUT", "tiers/f", {"tier": "warm"})["tier"] == "warm"
    until(lambda: arn in lambent("GET", "functions") and _figures(lambent, arn)["zygotes"] == 1)
    functions.invoke(FunctionName="f")
    shown = _figures(lambent, arn)
    assert (shown["tier"], shown["zygotes"]) == ("warm", 1)
    detail = lambent("GET", "functions/f/invocations")
    assert [each["tier"] for each in detail["invocations"]] == ["warm"]


@pytest.fixture
def few_files() -> Iterator[None]:
    """The limit that most machines set for a process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("few_files")
def test_the_warm_tier_is_there_where_a_process_may_have_1024_files(
    fresh_node: Any, connect: Callable[..., Any], account: str
) -> None:
    node = fresh_node()
    functions = connect(node.endpoint, "lambda")
    made = functions.create_function(
        FunctionName="f",
        Runtime="python3.11",
        Role=ROLE,
        Handler="index.handler",
        Code={"ZipFile": archive(ONCE)},
    )
    raw = Raw(node.endpoint, account)
    raw("PUT", "/_lambent/tiers/f", b'{"tier": "warm"}', sign="lambent")
    functions.invoke(FunctionName="f")

    def zygotes() -> int:
        shown = json.loads(raw("GET", "/_lambent/functions", sign="lambent").body)
        return int(shown[made["FunctionArn"]]["zygotes"])

    until(lambda: zygotes() == 1)


def test_a_hot_function_is_initialised_before_it_is_invoked(
    functions: Any, make: Make, lambent: Callable[..., Any]
) -> None:
    arn = make("f", ONCE)["FunctionArn"]
    lambent("PUT", "tiers/f", {"tier": "hot"})
    until(lambda: lambent("GET", "functions").get(arn, {}).get("idle") == 1)
    assert payload(functions.invoke(FunctionName="f"))[1] == "on-demand"
    detail = lambent("GET", "functions/f/invocations")
    assert [each["tier"] for each in detail["invocations"]] == ["hot"]


def test_publishing_with_snapstart_initialises_the_version(
    functions: Any, make: Make, lambent: Callable[..., Any]
) -> None:
    make("f", ONCE, SnapStart=SNAP)
    latest = functions.get_function_configuration(FunctionName="f")
    assert latest["SnapStart"] == {**SNAP, "OptimizationStatus": "Off"}
    published = functions.publish_version(FunctionName="f")
    assert (published["State"], published["StateReasonCode"]) == ("Pending", "Creating")
    functions.get_waiter("published_version_active").wait(
        FunctionName="f", Qualifier="1", WaiterConfig={"Delay": 0.05, "MaxAttempts": 400}
    )
    active = functions.get_function_configuration(FunctionName="f", Qualifier="1")
    assert active["SnapStart"] == {**SNAP, "OptimizationStatus": "On"}
    assert payload(functions.invoke(FunctionName="f", Qualifier="1"))[1] == "snap-start"
    assert payload(functions.invoke(FunctionName="f"))[1] == "on-demand"
    detail = lambent("GET", "functions/f:1/invocations")
    assert [each["tier"] for each in detail["invocations"]] == ["snap-start"]


def test_a_version_whose_initialisation_fails_is_failed(functions: Any, make: Make) -> None:
    make("f", "raise ValueError('not today')", SnapStart=SNAP)
    functions.publish_version(FunctionName="f")

    def failed() -> Any:
        shown = functions.get_function_configuration(FunctionName="f", Qualifier="1")
        return shown if shown["State"] == "Failed" else None

    shown = until(failed)
    assert shown["StateReasonCode"] == "FunctionError.RuntimeInitError"
    assert "not today" in shown["StateReason"]
    assert shown["SnapStart"]["OptimizationStatus"] == "Off"


def test_snapstart_is_not_combined_with_what_it_cannot_be(functions: Any, make: Make) -> None:
    big = {"Size": 1024}
    assert (
        _error(lambda: make("big", ONCE, SnapStart=SNAP, EphemeralStorage=big))
        == "InvalidParameterValueException"
    )
    make("f", ONCE, SnapStart=SNAP)
    assert (
        _error(
            lambda: functions.update_function_configuration(FunctionName="f", EphemeralStorage=big)
        )
        == "InvalidParameterValueException"
    )
    functions.publish_version(FunctionName="f")
    assert (
        _error(
            lambda: functions.put_provisioned_concurrency_config(
                FunctionName="f", Qualifier="1", ProvisionedConcurrentExecutions=1
            )
        )
        == "InvalidParameterValueException"
    )


def test_an_update_replaces_the_zygote(
    functions: Any, make: Make, lambent: Callable[..., Any]
) -> None:
    arn = make("f", ONCE)["FunctionArn"]
    lambent("PUT", "tiers/f", {"tier": "warm"})
    until(lambda: lambent("GET", "functions").get(arn, {}).get("zygotes") == 1)
    before = payload(functions.invoke(FunctionName="f"))[0]
    functions.update_function_configuration(FunctionName="f", Description="changed")
    assert payload(functions.invoke(FunctionName="f"))[0] != before
    until(lambda: _figures(lambent, arn)["zygotes"] == 1)


SNAPPED = """
import os, random, secrets, ssl, uuid
import numpy.random
from snapshot_restore_py import register_after_restore, register_before_snapshot
MADE = str(uuid.uuid4())
said = []
register_before_snapshot(said.append, "before")
register_after_restore(said.append, "after")
def handler(event, context):
    if event == "die":
        os._exit(1)
    return {"made": MADE, "said": said, "seeded": numpy.random.seeded, "chosen": [
        random.random(), str(uuid.uuid4()), str(uuid.uuid1()), ssl.RAND_bytes(8).hex(),
        secrets.token_hex(8)]}
"""
NUMPY = "seeded = 0\ndef seed():\n    global seeded\n    seeded += 1\n"


def _published(functions: Any, code: bytes) -> None:
    functions.create_function(
        FunctionName="f",
        Runtime="python3.12",
        Role=ROLE,
        Handler="index.handler",
        Code={"ZipFile": code},
        SnapStart=SNAP,
        Publish=True,
        Timeout=30,
    )


def _version(functions: Any) -> Any:
    return functions.get_function_configuration(FunctionName="f", Qualifier="1")


def test_a_snapshot_comes_back_with_the_node_and_each_restore_is_different(
    fresh_node: Callable[..., Any], connect: Callable[..., Any]
) -> None:
    node = fresh_node()
    functions = connect(node.endpoint, "lambda")
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as file:
        file.writestr("index.py", SNAPPED)
        file.writestr("numpy/__init__.py", "")
        file.writestr("numpy/random.py", NUMPY)
    _published(functions, code.getvalue())
    until(lambda: _version(functions)["State"] == "Active")
    node.stop()
    node.start()
    shown = _version(functions)
    assert (shown["State"], shown["SnapStart"]) == ("Active", {**SNAP, "OptimizationStatus": "On"})
    answers = []
    for event in (b"1", b'"die"', b"1"):
        answer = functions.invoke(FunctionName="f", Qualifier="1", Payload=event)
        answers.append(payload(answer))
    one, _, two = answers
    assert one["made"] == two["made"]  # of one snapshot
    assert one["said"] == two["said"] == ["before", "after"]
    assert one["seeded"] == two["seeded"] == 1
    assert not set(one["chosen"]) & set(two["chosen"])


def test_a_version_whose_snapshot_was_interrupted_becomes_active_later(
    fresh_node: Callable[..., Any], connect: Callable[..., Any]
) -> None:
    node = fresh_node()
    functions = connect(node.endpoint, "lambda")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        waits = (
            f"import socket\ntry:\n    socket.create_connection(('127.0.0.1', {port})).recv(1)\n"
            "except OSError:\n    pass\n"
        )
        _published(functions, archive(waits + ECHO))
        assert _version(functions)["State"] == "Pending"
        node.stop()
    node.start()
    until(lambda: _version(functions)["State"] == "Active")


def test_a_failed_version_stays_failed(
    fresh_node: Callable[..., Any], connect: Callable[..., Any]
) -> None:
    node = fresh_node()
    functions = connect(node.endpoint, "lambda")
    _published(functions, archive("raise ValueError('not today')"))
    until(lambda: _version(functions)["State"] == "Failed")
    node.stop()
    node.start()
    shown = _version(functions)
    assert shown["State"] == "Failed" and "not today" in shown["StateReason"]
