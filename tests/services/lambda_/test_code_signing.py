"""Code signing configurations, and what they let be deployed, through boto3."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.lambda_.conftest import ECHO, ROLE, Make, archive, until

PROFILE = "arn:aws:signer:us-east-1:123456789012:/signing-profiles/ours/Ab12Cd34Ef"
GONE = "arn:aws:lambda:us-east-1:{account}:code-signing-config:csc-0123456789abcdefg"


def _error(call: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as raised:
        call()
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


Config = Callable[..., dict[str, Any]]


@pytest.fixture
def config(functions: Any) -> Config:
    """`config("Enforce", ...)`: a new configuration."""

    def create(policy: str | None = None, **more: Any) -> dict[str, Any]:
        if policy is not None:
            more["CodeSigningPolicies"] = {"UntrustedArtifactOnDeployment": policy}
        made: dict[str, Any] = functions.create_code_signing_config(
            AllowedPublishers={"SigningProfileVersionArns": [PROFILE]}, **more
        )["CodeSigningConfig"]
        return made

    return create


def test_a_configuration_is_created_changed_listed_and_deleted(
    functions: Any, config: Config
) -> None:
    made = config(Description="ours")
    arn = made["CodeSigningConfigArn"]
    assert arn.rpartition(":")[2] == made["CodeSigningConfigId"]
    assert made["CodeSigningPolicies"] == {"UntrustedArtifactOnDeployment": "Warn"}
    assert made["AllowedPublishers"] == {"SigningProfileVersionArns": [PROFILE]}
    changed = functions.update_code_signing_config(
        CodeSigningConfigArn=arn, CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"}
    )["CodeSigningConfig"]
    assert changed["CodeSigningPolicies"] == {"UntrustedArtifactOnDeployment": "Enforce"}
    assert changed["Description"] == "ours"
    got = functions.get_code_signing_config(CodeSigningConfigArn=arn)["CodeSigningConfig"]
    assert got == changed
    second = config()["CodeSigningConfigArn"]
    pages = functions.get_paginator("list_code_signing_configs").paginate(
        PaginationConfig={"PageSize": 1}
    )
    listed = [one["CodeSigningConfigArn"] for page in pages for one in page["CodeSigningConfigs"]]
    assert listed == sorted([arn, second])
    functions.delete_code_signing_config(CodeSigningConfigArn=arn)
    code, message = _error(lambda: functions.get_code_signing_config(CodeSigningConfigArn=arn))
    assert code == "ResourceNotFoundException"
    assert message == f"The Lambda code signing configuration {arn} can not be found."


def test_what_is_no_configuration_is_refused(functions: Any, config: Config) -> None:
    assert (
        _error(
            lambda: functions.create_code_signing_config(
                AllowedPublishers={"SigningProfileVersionArns": ["ours"]}
            )
        )[0]
        == "ValidationException"
    )
    assert _error(lambda: config("Ask"))[0] == "ValidationException"
    assert (
        _error(lambda: functions.get_code_signing_config(CodeSigningConfigArn="csc"))[0]
        == "ValidationException"
    )


def test_unsigned_code_is_refused_where_signing_is_enforced(
    functions: Any, make: Make, config: Config
) -> None:
    arn = config("Enforce")["CodeSigningConfigArn"]
    code, message = _error(lambda: make("f", CodeSigningConfigArn=arn))
    assert code == "CodeVerificationFailedException"
    assert message == (
        "Lambda cannot deploy the function. The function or layer might be signed using a "
        "signature that the client is not configured to accept. Check the provided signature "
        "for f."
    )
    assert not functions.list_functions()["Functions"]


def test_what_a_function_has_already_stays_and_new_code_and_layers_are_refused(
    functions: Any, make: Make, config: Config
) -> None:
    arn = config("Enforce")["CodeSigningConfigArn"]
    content = {"ZipFile": archive("X = 1", "python/x.py")}
    old, new = (
        functions.publish_layer_version(LayerName=name, Content=content)["LayerVersionArn"]
        for name in ("old", "new")
    )
    make("f", Layers=[old])
    put = functions.put_function_code_signing_config(FunctionName="f", CodeSigningConfigArn=arn)
    assert (put["FunctionName"], put["CodeSigningConfigArn"]) == ("f", arn)
    got = functions.get_function_code_signing_config(FunctionName="f")
    assert got["CodeSigningConfigArn"] == arn
    assert json.loads(functions.invoke(FunctionName="f", Payload="1")["Payload"].read()) == 1
    update = {"FunctionName": "f", "ZipFile": archive(ECHO + "#")}
    assert _error(lambda: functions.update_function_code(**update))[0] == (
        "CodeVerificationFailedException"
    )
    functions.update_function_configuration(FunctionName="f", Layers=[old], Timeout=5)
    code, message = _error(
        lambda: functions.update_function_configuration(FunctionName="f", Layers=[old, new])
    )
    assert code == "CodeVerificationFailedException" and message.endswith(f" for {new}.")
    functions.delete_function_code_signing_config(FunctionName="f")
    functions.update_function_code(**update)


def test_a_warning_lets_code_pass_and_is_counted(
    functions: Any, make: Make, config: Config, client: Callable[..., Any]
) -> None:
    arn = config("Warn")["CodeSigningConfigArn"]
    make("f", CodeSigningConfigArn=arn)
    functions.update_function_code(FunctionName="f", ZipFile=archive(ECHO + "#"))
    metrics = client("cloudwatch")

    def counted() -> Any:
        found = metrics.list_metrics(
            Namespace="AWS/Lambda",
            MetricName="SignatureValidationErrors",
            Dimensions=[{"Name": "FunctionName", "Value": "f"}],
        )
        return found["Metrics"]

    until(counted)


def test_functions_are_found_by_their_configuration_which_they_keep_from_being_deleted(
    functions: Any, make: Make, config: Config
) -> None:
    arn = config()["CodeSigningConfigArn"]
    one = make("one", CodeSigningConfigArn=arn)["FunctionArn"]
    two = make("two", CodeSigningConfigArn=arn)["FunctionArn"]
    make("other")
    listed = functions.list_functions_by_code_signing_config(CodeSigningConfigArn=arn)
    assert listed["FunctionArns"] == [one, two]
    assert (
        _error(lambda: functions.delete_code_signing_config(CodeSigningConfigArn=arn))[0]
        == "ResourceConflictException"
    )
    for name in ("one", "two"):
        functions.delete_function(FunctionName=name)
    functions.delete_code_signing_config(CodeSigningConfigArn=arn)


def test_a_configuration_that_is_not_there_is_told(functions: Any, make: Make) -> None:
    account = make("f")["FunctionArn"].split(":")[4]
    gone = GONE.format(account=account)
    for call in (
        lambda: make("g", CodeSigningConfigArn=gone),
        lambda: functions.put_function_code_signing_config(
            FunctionName="f", CodeSigningConfigArn=gone
        ),
    ):
        code, message = _error(call)
        assert code == "CodeSigningConfigNotFoundException" and gone in message
    for call in (
        lambda: functions.update_code_signing_config(CodeSigningConfigArn=gone),
        lambda: functions.delete_code_signing_config(CodeSigningConfigArn=gone),
        lambda: functions.list_functions_by_code_signing_config(CodeSigningConfigArn=gone),
    ):
        assert _error(call)[0] == "ResourceNotFoundException"


def test_another_account_does_not_reach_it(
    functions: Any, config: Config, client: Callable[..., Any]
) -> None:
    arn = config()["CodeSigningConfigArn"]
    other = client("lambda", access_key="999999999999")
    assert (
        _error(lambda: other.get_code_signing_config(CodeSigningConfigArn=arn))[0]
        == "ResourceNotFoundException"
    )


def test_its_tags_are_kept(functions: Any, config: Config) -> None:
    arn = config(Tags={"a": "1", "b": "2"})["CodeSigningConfigArn"]
    functions.tag_resource(Resource=arn, Tags={"c": "3"})
    functions.untag_resource(Resource=arn, TagKeys=["a"])
    assert functions.list_tags(Resource=arn)["Tags"] == {"b": "2", "c": "3"}


def test_a_template_signs_its_function(functions: Any, client: Callable[..., Any]) -> None:
    stacks = client("cloudformation")
    resources: dict[str, Any] = {
        "Signing": {
            "Type": "AWS::Lambda::CodeSigningConfig",
            "Properties": {
                "AllowedPublishers": {"SigningProfileVersionArns": [PROFILE]},
                "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": "Warn"},
            },
        },
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": "f",
                "Runtime": "python3.11",
                "Handler": "index.handler",
                "Role": ROLE,
                "Code": {"ZipFile": ECHO},
                "CodeSigningConfigArn": {"Ref": "Signing"},
            },
        },
    }

    def deploy(call: Any) -> None:
        call(StackName="s", TemplateBody=json.dumps({"Resources": resources}))

    deploy(stacks.create_stack)
    stacks.get_waiter("stack_create_complete").wait(
        StackName="s", WaiterConfig={"Delay": 0.05, "MaxAttempts": 400}
    )
    (made,) = functions.list_code_signing_configs()["CodeSigningConfigs"]
    got = functions.get_function_code_signing_config(FunctionName="f")
    assert got["CodeSigningConfigArn"] == made["CodeSigningConfigArn"]
    policies = resources["Signing"]["Properties"]["CodeSigningPolicies"]
    policies["UntrustedArtifactOnDeployment"] = "Enforce"
    del resources["Function"]["Properties"]["CodeSigningConfigArn"]
    deploy(stacks.update_stack)
    stacks.get_waiter("stack_update_complete").wait(
        StackName="s", WaiterConfig={"Delay": 0.05, "MaxAttempts": 400}
    )
    (made,) = functions.list_code_signing_configs()["CodeSigningConfigs"]
    assert made["CodeSigningPolicies"] == {"UntrustedArtifactOnDeployment": "Enforce"}
    assert "CodeSigningConfigArn" not in functions.get_function_code_signing_config(
        FunctionName="f"
    )
