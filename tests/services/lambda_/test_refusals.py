"""How Lambda refuses what concerns functions that are not there, or not so: code, message."""

from __future__ import annotations

from typing import Any

import pytest
from tests.services.lambda_.conftest import Make
from tests.services.lambda_.test_functions import refused

GONE = "ResourceNotFoundException"
INVALID = "InvalidParameterValueException"
CONFLICT = "ResourceConflictException"
ONLY_LATEST = "Current operation does not support versions other than $LATEST"
PERMISSION = {
    "StatementId": "s",
    "Action": "lambda:InvokeFunction",
    "Principal": "s3.amazonaws.com",
}
NO_ALIAS = "Cannot find alias arn: {arn}:zz"
NO_VERSION = "Function not found: {arn}:7"
OTHER = "arn:aws:{}:us-east-1:123456789012:{}"

CASES: list[tuple[str, dict[str, Any], str, str]] = [
    # Only $LATEST can be changed.
    ("update_function_code", {"FunctionName": "f:1", "ZipFile": b"x"}, INVALID, ONLY_LATEST),
    ("update_function_configuration", {"FunctionName": "f:1"}, INVALID, ONLY_LATEST),
    ("publish_version", {"FunctionName": "f:1"}, INVALID, ONLY_LATEST),
    # Permissions tell of aliases as such.
    ("add_permission", {**PERMISSION, "Qualifier": "zz"}, GONE, NO_ALIAS),
    ("add_permission", {**PERMISSION, "Qualifier": "7"}, GONE, NO_VERSION),
    ("get_policy", {"Qualifier": "zz"}, GONE, NO_ALIAS),
    ("get_policy", {"Qualifier": "7"}, GONE, NO_VERSION),
    (
        "add_permission",
        {**PERMISSION, "FunctionUrlAuthType": "NONE"},
        INVALID,
        "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action",
    ),
    # Provisioned concurrency is for what is published.
    (
        "put_provisioned_concurrency_config",
        {"Qualifier": "zz", "ProvisionedConcurrentExecutions": 1},
        GONE,
        NO_ALIAS,
    ),
    ("get_provisioned_concurrency_config", {"Qualifier": "zz"}, GONE, NO_ALIAS),
    ("delete_provisioned_concurrency_config", {"Qualifier": "7"}, GONE, NO_VERSION),
    (
        "get_provisioned_concurrency_config",
        {"Qualifier": "$LATEST"},
        INVALID,
        "The function resource provided must be an alias or a published version.",
    ),
    # Event invoke configurations.
    (
        "put_function_event_invoke_config",
        {"FunctionName": "g", "MaximumRetryAttempts": 1},
        GONE,
        "The function doesn't exist.",
    ),
    (
        "put_function_event_invoke_config",
        {"Qualifier": "zz", "MaximumRetryAttempts": 1},
        GONE,
        "The function doesn't exist.",
    ),
    (
        "get_function_event_invoke_config",
        {"FunctionName": "g"},
        GONE,
        "The function {region}:function:g:$LATEST doesn't have an EventInvokeConfig",
    ),
    *(
        (
            "put_function_event_invoke_config",
            {"DestinationConfig": {member: {"Destination": destination}}},
            INVALID,
            f"The destination ARN {destination} is invalid.",
        )
        for member, destination in (
            ("OnFailure", OTHER.format("iam", "role/r")),
            ("OnFailure", OTHER.format("sqs", "q.fifo")),
            ("OnFailure", OTHER.format("sqs", "not-there")),
            ("OnSuccess", OTHER.format("lambda", "function:not-there")),
            ("OnSuccess", "arn:aws:s3:::bucket"),
        )
    ),
    # Function URLs.
    (
        "create_function_url_config",
        {"FunctionName": "g", "AuthType": "NONE"},
        GONE,
        "Function does not exist",
    ),
    (
        "create_function_url_config",
        {"Qualifier": "zz", "AuthType": "NONE"},
        GONE,
        "Function does not exist",
    ),
    ("list_function_url_configs", {"FunctionName": "g"}, GONE, "Function does not exist"),
    (
        "get_function_url_config",
        {"FunctionName": "g"},
        GONE,
        "The resource you requested does not exist.",
    ),
    # Event source mappings.
    (
        "create_event_source_mapping",
        {"FunctionName": "g", "EventSourceArn": OTHER.format("sqs", "q")},
        INVALID,
        "Function does not exist",
    ),
]


@pytest.mark.parametrize(
    ("operation", "arguments", "code", "message"),
    CASES,
    ids=[f"{number}-{case[0]}" for number, case in enumerate(CASES)],
)
def test_refusals_are_lambdas(
    make: Make,
    functions: Any,
    operation: str,
    arguments: dict[str, Any],
    code: str,
    message: str,
) -> None:
    arn = make("f", Publish=True)["FunctionArn"].removesuffix(":1")
    call = getattr(functions, operation)
    found = refused(lambda: call(**{"FunctionName": "f", **arguments}))
    region = arn.removesuffix(":function:f")
    expected = message.replace("{arn}", arn).replace("{region}", region)
    assert (found[0], found[2]) == (code, expected)


def test_what_a_mapping_cannot_be_is_told_before_that_it_is_there(
    make: Make, functions: Any, queue: Any
) -> None:
    make("f")
    arguments = {"FunctionName": "f", "EventSourceArn": queue().arn}
    functions.create_event_source_mapping(**arguments)
    wrong = {**arguments, "StartingPosition": "LATEST"}
    assert refused(lambda: functions.create_event_source_mapping(**wrong))[0] == INVALID
    assert refused(lambda: functions.create_event_source_mapping(**arguments))[0] == CONFLICT


def test_a_reservation_is_at_least_what_is_provisioned(make: Make, functions: Any) -> None:
    make("f", Publish=True)
    functions.put_provisioned_concurrency_config(
        FunctionName="f", Qualifier="1", ProvisionedConcurrentExecutions=2
    )
    code, _, message = refused(
        lambda: functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
    )
    assert (code, message) == (
        INVALID,
        "ReservedConcurrentExecutions  1 should not be lower than function's total provisioned "
        "concurrency [2].",
    )
    functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=2)


def test_a_permission_makes_a_new_revision_of_what_it_is_for(make: Make, functions: Any) -> None:
    make("f", Publish=True)
    functions.create_alias(FunctionName="f", Name="live", FunctionVersion="1")

    def revisions() -> list[str]:
        return [
            functions.get_function_configuration(FunctionName="f")["RevisionId"],
            functions.get_function_configuration(FunctionName="f", Qualifier="1")["RevisionId"],
            functions.get_alias(FunctionName="f", Name="live")["RevisionId"],
        ]

    for index, qualifier in enumerate((None, "1", "live")):
        whose = {"FunctionName": "f", **({"Qualifier": qualifier} if qualifier else {})}
        before = revisions()
        functions.add_permission(**PERMISSION, **whose, RevisionId=before[index])
        after = revisions()
        assert [one != other for one, other in zip(before, after, strict=True)] == [
            number == index for number in range(3)
        ]
        assert functions.get_policy(**whose)["RevisionId"] == after[index]
        stale = refused(
            lambda whose=whose, old=before[index]: functions.remove_permission(
                StatementId="s", **whose, RevisionId=old
            )
        )
        assert stale[2].endswith("Call the GetPolicy API to retrieve the latest Revision Id")
