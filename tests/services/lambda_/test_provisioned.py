"""Provisioned concurrency, recursion and runtime management, through boto3."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.lambda_.conftest import Make, Queue, payload, until

from lambent.services.lambda_ import lineage

KIND = (
    "import os, time\nBORN = time.time()\n"
    "def handler(event, context):\n"
    "    return [os.environ['AWS_LAMBDA_INITIALIZATION_TYPE'], BORN]\n"
)
LOOP = (
    "import boto3, os\n"
    "def handler(event, context):\n"
    "    n = event['n']\n"
    "    boto3.client('lambda').invoke(FunctionName='loop', InvocationType='Event',\n"
    "                                  Payload='{\"n\": %d}' % (n + 1))\n"
)


def _error(call: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as raised:
        call()
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


def test_provisioned_environments_are_ready_before_the_first_invocation(
    functions: Any, make: Make
) -> None:
    make("f", KIND)
    version = functions.publish_version(FunctionName="f")["Version"]
    put = functions.put_provisioned_concurrency_config(
        FunctionName="f", Qualifier=version, ProvisionedConcurrentExecutions=2
    )
    assert (put["Status"], put["RequestedProvisionedConcurrentExecutions"]) == ("IN_PROGRESS", 2)

    def ready() -> bool:
        got = functions.get_provisioned_concurrency_config(FunctionName="f", Qualifier=version)
        return bool(got["Status"] == "READY")

    until(ready)
    answer = payload(functions.invoke(FunctionName="f", Qualifier=version))
    assert answer[0] == "provisioned-concurrency"
    assert payload(functions.invoke(FunctionName="f"))[0] == "on-demand"
    listed = functions.list_provisioned_concurrency_configs(FunctionName="f")
    (one,) = listed["ProvisionedConcurrencyConfigs"]
    assert one["FunctionArn"].endswith(f":f:{version}")
    assert one["AvailableProvisionedConcurrentExecutions"] == 2
    functions.delete_provisioned_concurrency_config(FunctionName="f", Qualifier=version)
    code, message = _error(
        lambda: functions.get_provisioned_concurrency_config(FunctionName="f", Qualifier=version)
    )
    assert code == "ProvisionedConcurrencyConfigNotFoundException"
    assert message == "No Provisioned Concurrency Config found for this function"


def test_what_an_alias_has_moves_with_it(functions: Any, make: Make) -> None:
    make("f", KIND)
    first = functions.publish_version(FunctionName="f")["Version"]
    functions.create_alias(FunctionName="f", Name="live", FunctionVersion=first)
    functions.put_provisioned_concurrency_config(
        FunctionName="f", Qualifier="live", ProvisionedConcurrentExecutions=1
    )
    functions.update_function_configuration(FunctionName="f", Description="second")
    second = functions.publish_version(FunctionName="f")["Version"]
    functions.update_alias(FunctionName="f", Name="live", FunctionVersion=second)

    def ready() -> bool:
        got = functions.get_provisioned_concurrency_config(FunctionName="f", Qualifier="live")
        return bool(got["Status"] == "READY")

    until(ready)
    answer = payload(functions.invoke(FunctionName="f", Qualifier="live"))
    assert answer[0] == "provisioned-concurrency"


def test_an_initialisation_that_fails_is_told(functions: Any, make: Make) -> None:
    make("f", "raise ValueError('no')\n")
    version = functions.publish_version(FunctionName="f")["Version"]
    functions.put_provisioned_concurrency_config(
        FunctionName="f", Qualifier=version, ProvisionedConcurrentExecutions=1
    )

    def failed() -> Any:
        got = functions.get_provisioned_concurrency_config(FunctionName="f", Qualifier=version)
        return got if got["Status"] == "FAILED" else None

    assert "FUNCTION_ERROR_INIT_FAILURE" in until(failed)["StatusReason"]


def test_what_is_not_published_cannot_be_provisioned(functions: Any, make: Make) -> None:
    make("f")
    code, message = _error(
        lambda: functions.put_provisioned_concurrency_config(
            FunctionName="f", Qualifier="$LATEST", ProvisionedConcurrentExecutions=1
        )
    )
    assert code == "InvalidParameterValueException"
    assert "cannot be applied to unpublished function versions" in message


def test_a_function_that_invokes_itself_over_and_over_is_stopped(
    functions: Any, make: Make, queue: Callable[..., Queue]
) -> None:
    dead = queue("dead")
    make("loop", LOOP, DeadLetterConfig={"TargetArn": dead.arn}, Timeout=20)
    functions.invoke(FunctionName="loop", InvocationType="Event", Payload=b'{"n": 1}')
    message = dead.receive(20)
    assert json.loads(message["Body"]) == {"n": lineage.MOST + 1}
    assert "recursive loop" in message["MessageAttributes"]["ErrorMessage"]["StringValue"]


def test_recursion_can_be_allowed(functions: Any, make: Make) -> None:
    make("f")
    assert functions.get_function_recursion_config(FunctionName="f")["RecursiveLoop"] == "Terminate"
    functions.put_function_recursion_config(FunctionName="f", RecursiveLoop="Allow")
    assert functions.get_function_recursion_config(FunctionName="f")["RecursiveLoop"] == "Allow"


def test_a_header_counts_each_function_on_its_own() -> None:
    trace = "Root=1-2-3;Parent=4;Sampled=0"
    for expected in range(3):
        trace, before = lineage.follow(trace, "arn:one")
        assert before == expected
    trace, before = lineage.follow(trace, "arn:two")
    assert before == 0
    assert trace.startswith("Root=1-2-3;Parent=4;Sampled=0;Lineage=1:")
    assert lineage.follow(trace, "arn:one")[1] == 3


def test_runtime_updates_are_kept_by_qualifier(functions: Any, make: Make) -> None:
    make("f")
    assert functions.get_runtime_management_config(FunctionName="f")["UpdateRuntimeOn"] == "Auto"
    functions.put_runtime_management_config(FunctionName="f", UpdateRuntimeOn="FunctionUpdate")
    got = functions.get_runtime_management_config(FunctionName="f")
    assert got["UpdateRuntimeOn"] == "FunctionUpdate"
    code, _ = _error(
        lambda: functions.put_runtime_management_config(FunctionName="f", UpdateRuntimeOn="Manual")
    )
    assert code == "InvalidParameterValueException"


def test_a_function_without_code_signing_says_so(functions: Any, make: Make) -> None:
    make("f")
    shown = functions.get_function_code_signing_config(FunctionName="f")
    assert shown["FunctionName"] == "f" and "CodeSigningConfigArn" not in shown
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.get_function_code_signing_config(FunctionName="none")
