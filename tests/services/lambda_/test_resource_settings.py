"""What the properties of Lambda's resource types set, from templates as people write them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.lambda_.conftest import ROLE, Make, archive

SOURCE = "def handler(event, context):\n    return 'done'\n"
FUNCTION: dict[str, Any] = {
    "FunctionName": "f",
    "Runtime": "python3.11",
    "Handler": "index.handler",
    "Role": ROLE,
    "Code": {"ZipFile": SOURCE},
    "Architectures": ["arm64"],
    "EphemeralStorage": {"Size": "1024"},
    "LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "LogGroup": "mine"},
    "MemorySize": "256",
    "RecursiveLoop": "Allow",
    "ReservedConcurrentExecutions": "10",
    "RuntimeManagementConfig": {"UpdateRuntimeOn": "FunctionUpdate"},
    "TracingConfig": {"Mode": "Active"},
}
BARE = {key: FUNCTION[key] for key in ("Runtime", "Handler", "Role", "Code")}
# SnapStart allows no more than 512 MB of ephemeral storage: a function of its own has it.
SNAP = {**BARE, "FunctionName": "snap", "Runtime": "python3.12"}
VERSION = {
    "Type": "AWS::Lambda::Version",
    "Properties": {
        "FunctionName": {"Ref": "Function"},
        "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": "1"},
    },
}

Deploy = Callable[..., Any]


@pytest.fixture
def deploy(client: Callable[..., Any]) -> Deploy:
    """`deploy({...resources}, Transform=…)` makes or updates the stack `s`; its status."""
    formation = client("cloudformation")
    made: list[str] = []

    def run(resources: dict[str, Any], **sections: Any) -> str:
        kind = "update" if made else "create"
        getattr(formation, f"{kind}_stack")(
            StackName="s",
            TemplateBody=json.dumps({"Resources": resources, **sections}),
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        made.append("s")
        formation.get_waiter(f"stack_{kind}_complete").wait(
            StackName="s", WaiterConfig={"Delay": 0.05, "MaxAttempts": 400}
        )
        return str(formation.describe_stacks(StackName="s")["Stacks"][0]["StackStatus"])

    return run


def test_every_property_of_a_function_arrives_and_goes_back_when_it_is_taken_out(
    deploy: Deploy, functions: Any
) -> None:
    def functions_of(*properties: dict[str, Any]) -> dict[str, Any]:
        kind = "AWS::Lambda::Function"
        return {each["FunctionName"]: {"Type": kind, "Properties": each} for each in properties}

    deploy(functions_of(FUNCTION, {**SNAP, "SnapStart": {"ApplyOn": "PublishedVersions"}}))
    shown = functions.get_function(FunctionName="f")
    configuration = shown["Configuration"]
    assert configuration["Architectures"] == ["arm64"]
    assert configuration["EphemeralStorage"] == {"Size": 1024}
    assert configuration["LoggingConfig"]["LogFormat"] == "JSON"
    assert configuration["LoggingConfig"]["LogGroup"] == "mine"
    assert configuration["TracingConfig"] == {"Mode": "Active"}
    assert shown["Concurrency"] == {"ReservedConcurrentExecutions": 10}
    recursion = functions.get_function_recursion_config(FunctionName="f")
    assert recursion["RecursiveLoop"] == "Allow"
    management = functions.get_runtime_management_config(FunctionName="f")
    assert management["UpdateRuntimeOn"] == "FunctionUpdate"
    snap = functions.get_function_configuration(FunctionName="snap")
    assert snap["SnapStart"]["ApplyOn"] == "PublishedVersions"

    deploy(functions_of({**BARE, "FunctionName": "f"}, SNAP))
    shown = functions.get_function(FunctionName="f")
    assert "Concurrency" not in shown
    assert shown["Configuration"]["EphemeralStorage"] == {"Size": 512}
    snap = functions.get_function_configuration(FunctionName="snap")
    assert snap["SnapStart"]["ApplyOn"] == "None"
    recursion = functions.get_function_recursion_config(FunctionName="f")
    assert recursion["RecursiveLoop"] == "Terminate"
    management = functions.get_runtime_management_config(FunctionName="f")
    assert management["UpdateRuntimeOn"] == "Auto"


def test_versions_and_aliases_have_environments_ready(deploy: Deploy, functions: Any) -> None:
    function = {"Type": "AWS::Lambda::Function", "Properties": {**BARE, "FunctionName": "f"}}
    deploy({"Function": function, "Version": VERSION})
    (one,) = _provisioned(functions)
    assert one["RequestedProvisionedConcurrentExecutions"] == 1
    assert one["FunctionArn"].endswith(":f:1")

    bare = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Function"}}}
    alias = {
        "Type": "AWS::Lambda::Alias",
        "Properties": {
            "FunctionName": {"Ref": "Function"},
            "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]},
            "Name": "live",
            "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 2},
        },
    }
    deploy({"Function": function, "Version": bare, "Alias": alias})
    (one,) = _provisioned(functions)
    assert one["RequestedProvisionedConcurrentExecutions"] == 2
    assert one["FunctionArn"].endswith(":f:live")
    del alias["Properties"]["ProvisionedConcurrencyConfig"]
    deploy({"Function": function, "Version": bare, "Alias": alias})
    assert _provisioned(functions) == []


def test_sam_provisions_the_alias_that_it_publishes(deploy: Deploy, functions: Any) -> None:
    properties = {
        "FunctionName": "f",
        "Runtime": "python3.11",
        "Handler": "index.handler",
        "InlineCode": SOURCE,
        "AutoPublishAlias": "live",
        "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 1},
        "ReservedConcurrentExecutions": 5,
        "EventInvokeConfig": {"MaximumRetryAttempts": 1},
        "FunctionUrlConfig": {"AuthType": "NONE"},
        "RecursiveLoop": "Allow",
        "RuntimeManagementConfig": {"UpdateRuntimeOn": "Auto"},
    }
    deploy(
        {"Function": {"Type": "AWS::Serverless::Function", "Properties": properties}},
        Transform="AWS::Serverless-2016-10-31",
    )
    (one,) = _provisioned(functions)
    assert one["FunctionArn"].endswith(":f:live")
    retries = functions.get_function_event_invoke_config(FunctionName="f", Qualifier="live")
    assert retries["MaximumRetryAttempts"] == 1


def test_what_is_refused_leaves_no_function_behind(
    client: Callable[..., Any], functions: Any
) -> None:
    formation = client("cloudformation")
    properties = {**FUNCTION, "ReservedConcurrentExecutions": 5000}
    body = {"Resources": {"F": {"Type": "AWS::Lambda::Function", "Properties": properties}}}
    formation.create_stack(StackName="s", TemplateBody=json.dumps(body), OnFailure="DO_NOTHING")
    with pytest.raises(Exception, match="CREATE_FAILED"):
        formation.get_waiter("stack_create_complete").wait(
            StackName="s", WaiterConfig={"Delay": 0.05, "MaxAttempts": 400}
        )
    assert functions.list_functions()["Functions"] == []


def test_a_layer_is_shared_by_a_template_and_by_the_api(
    deploy: Deploy, functions: Any, client: Callable[..., Any]
) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="layer-code")
    s3.put_object(Bucket="layer-code", Key="l.zip", Body=archive("x = 1\n", "python/shared.py"))
    layer = {
        "Type": "AWS::Lambda::LayerVersion",
        "Properties": {
            "LayerName": "shared",
            "Content": {"S3Bucket": "layer-code", "S3Key": "l.zip"},
            "CompatibleRuntimes": ["python3.11"],
        },
    }
    permission = {
        "Type": "AWS::Lambda::LayerVersionPermission",
        "Properties": {
            "LayerVersionArn": {"Ref": "Layer"},
            "Action": "lambda:GetLayerVersion",
            "Principal": "123456789012",
        },
    }
    deploy({"Layer": layer, "Permission": permission})
    given = functions.get_layer_version_policy(LayerName="shared", VersionNumber=1)
    (statement,) = json.loads(given["Policy"])["Statement"]
    assert statement["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}
    assert statement["Action"] == "lambda:GetLayerVersion"
    assert statement["Resource"].endswith(":layer:shared:1")
    added = functions.add_layer_version_permission(
        LayerName="shared",
        VersionNumber=1,
        StatementId="org",
        Action="lambda:GetLayerVersion",
        Principal="*",
        OrganizationId="o-abcdefghij",
    )
    condition = json.loads(added["Statement"])["Condition"]
    assert condition == {"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}}
    with pytest.raises(ClientError, match=r"The statement id \(org\) provided already exists"):
        functions.add_layer_version_permission(
            LayerName="shared",
            VersionNumber=1,
            StatementId="org",
            Action="lambda:GetLayerVersion",
            Principal="*",
        )
    deploy({"Layer": layer})
    functions.remove_layer_version_permission(
        LayerName="shared", VersionNumber=1, StatementId="org"
    )
    with pytest.raises(ClientError, match="No policy is associated with the given resource"):
        functions.get_layer_version_policy(LayerName="shared", VersionNumber=1)
    with pytest.raises(ClientError, match="does not exist"):
        functions.get_layer_version_policy(LayerName="shared", VersionNumber=9)


def test_a_permission_may_be_for_calls_through_the_url_alone(
    deploy: Deploy, functions: Any, make: Make
) -> None:
    make("f")
    properties = {
        "FunctionName": "f",
        "Action": "lambda:InvokeFunction",
        "Principal": "*",
        "InvokedViaFunctionUrl": "true",
    }
    deploy({"Permission": {"Type": "AWS::Lambda::Permission", "Properties": properties}})
    (statement,) = json.loads(functions.get_policy(FunctionName="f")["Policy"])["Statement"]
    assert statement["Condition"] == {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}


def _provisioned(functions: Any) -> list[dict[str, Any]]:
    answer = functions.list_provisioned_concurrency_configs(FunctionName="f")
    found: list[dict[str, Any]] = answer["ProvisionedConcurrencyConfigs"]
    return found
