"""What templates may say: functions, rules, includes, references to other services, limits."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.conftest import ClientFactory
from tests.services.cloudformation.test_stacks import describe, refusal

EXTENDED = {"Transform": "AWS::LanguageExtensions"}
EXPAND = {"Capabilities": ["CAPABILITY_AUTO_EXPAND"]}


def parameter(value: Any, **more: Any) -> dict[str, Any]:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value, **more}}


@pytest.fixture
def cfn(client: ClientFactory) -> Any:
    return client("cloudformation")


def outputs(cfn: Any, values: dict[str, Any], **sections: Any) -> dict[str, str]:
    """What the values become as outputs of a stack."""
    body = {
        "Resources": {"P": parameter("x")},
        "Outputs": {name: {"Value": value} for name, value in values.items()},
        **sections,
    }
    cfn.create_stack(StackName="s", TemplateBody=json.dumps(body), **EXPAND)
    stack = describe(cfn, "s")
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack
    return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}


def refused(cfn: Any, resources: dict[str, Any] | None = None, **sections: Any) -> str:
    body = {"Resources": {"P": parameter("x"), **(resources or {})}, **sections}
    arguments = {"StackName": "s", "TemplateBody": json.dumps(body), **EXPAND}
    code, message = refusal(cfn.create_stack, **arguments)
    assert code == "ValidationError"
    return message


def test_functions_give_what_aws_says(cfn: Any) -> None:
    found = outputs(
        cfn,
        {
            "Sub": {"Fn::Sub": ["${A}-${!Lit}-${AWS::Region}-${P.Value}", {"A": 7}]},
            "Cidr": {"Fn::Join": [",", {"Fn::Cidr": ["10.0.0.0/16", "2", "8"]}]},
            "Even": {"Fn::Select": [1, {"Fn::Cidr": ["10.0.0.0/16", 4]}]},
            "Length": {"Fn::Length": {"Ref": "List"}},
            "Json": {"Fn::ToJsonString": {"a": [1, {"Ref": "AWS::Region"}], "b": True}},
            "Default": {"Fn::FindInMap": ["M", "z", "b", {"DefaultValue": "d"}]},
            "Split": {"Fn::Select": ["1", {"Fn::Split": ["-", "a-b-c"]}]},
            "Later": {"Fn::Select": [0, {"Fn::Split": ["-", {"Ref": "P"}]}]},
        },
        Parameters={"List": {"Type": "CommaDelimitedList", "Default": "a,b,c"}},
        Mappings={"M": {"a": {"b": "v"}}},
        **EXTENDED,
    )
    assert found == {
        "Sub": "7-${Lit}-us-east-1-x",
        "Cidr": "10.0.0.0/24,10.0.1.0/24",
        "Even": "10.0.64.0/18",
        "Length": "3",
        "Json": '{"a":[1,"us-east-1"],"b":true}',
        "Default": "d",
        "Split": "b",
        "Later": "s",
    }


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"Fn::FindInMap": ["M", "z", "b"]}, "Unable to get mapping for M::z::b"),
        ({"Fn::Select": [5, ["a"]]}, "Fn::Select  cannot select nonexistent value at index 5"),
        ({"Fn::Length": [1]}, "Encountered unsupported function: Fn::Length"),
        (["a"], "The Value field of every Outputs member must evaluate to a String."),
    ],
    ids=["map", "index", "extension", "list"],
)
def test_what_cannot_be_carried_out_is_refused_before_anything_is_made(
    cfn: Any, value: Any, message: str
) -> None:
    said = refused(cfn, Outputs={"O": {"Value": value}}, Mappings={"M": {"a": {"b": "v"}}})
    assert message in said


def test_deletion_policies_must_be_known_and_fit_the_type(cfn: Any) -> None:
    assert refused(cfn, {"Q": {**parameter("x"), "DeletionPolicy": "Keep"}}) == (
        "Template error: Unrecognized DeletionPolicy Keep for resource Q"
    )
    assert refused(cfn, {"Q": {**parameter("x"), "DeletionPolicy": "Snapshot"}}) == (
        "Template error: resource type AWS::SSM::Parameter does not support deletion policy "
        "Snapshot"
    )


def test_sections_have_limits(cfn: Any) -> None:
    many = {f"O{number}": {"Value": "x"} for number in range(201)}
    assert refused(cfn, Outputs=many) == (
        "Template format error: Number of outputs, 201, is greater than maximum allowed, 200"
    )


def test_rules_check_parameters_against_each_other(cfn: Any) -> None:
    rule = {
        "RuleCondition": {"Fn::Equals": [{"Ref": "Stage"}, "live"]},
        "Assertions": [
            {
                "Assert": {"Fn::Contains": [["big", "huge"], {"Ref": "Size"}]},
                "AssertDescription": "live needs a big size",
            }
        ],
    }
    body = {
        "Parameters": {"Stage": {"Type": "String"}, "Size": {"Type": "String", "Default": "small"}},
        "Rules": {"Sizes": rule},
        "Resources": {"P": parameter("x")},
    }

    def arguments(stage: str) -> dict[str, Any]:
        given = [{"ParameterKey": "Stage", "ParameterValue": stage}]
        return {"StackName": "s", "TemplateBody": json.dumps(body), "Parameters": given}

    assert "live needs a big size" in refusal(cfn.create_stack, **arguments("live"))[1]
    cfn.create_stack(**arguments("test"))
    assert describe(cfn, "s")["StackStatus"] == "CREATE_COMPLETE"


def test_pieces_in_s3_are_included(cfn: Any, client: ClientFactory) -> None:
    s3 = client("s3")
    bucket = "pieces-" + client("sts").get_caller_identity()["Account"]
    s3.create_bucket(Bucket=bucket)
    piece = "Extra:\n  Type: AWS::SSM::Parameter\n  Properties: {Type: String, Value: !Ref Word}\n"
    s3.put_object(Bucket=bucket, Key="piece.yaml", Body=piece.encode())
    include = {
        "Name": "AWS::Include",
        "Parameters": {"Location": {"Fn::Sub": "s3://${Bucket}/piece.yaml"}},
    }
    body = {
        "Parameters": {"Bucket": {"Type": "String"}, "Word": {"Type": "String", "Default": "w"}},
        "Resources": {"Fn::Transform": include},
        "Outputs": {"Word": {"Value": {"Fn::GetAtt": ["Extra", "Value"]}}},
    }

    def arguments(bucket: str) -> dict[str, Any]:
        given = [{"ParameterKey": "Bucket", "ParameterValue": bucket}]
        return {"StackName": "s", "TemplateBody": json.dumps(body), "Parameters": given}

    assert refusal(cfn.create_stack, **arguments(bucket))[1] == (
        "Requires capabilities : [CAPABILITY_AUTO_EXPAND]"
    )
    said = refusal(cfn.create_stack, **arguments("no-" + bucket), **EXPAND)[1]
    assert said.startswith("Transform AWS::Include failed with: ")
    cfn.create_stack(**arguments(bucket), **EXPAND)
    [output] = describe(cfn, "s")["Outputs"]
    assert output["OutputValue"] == "w"


def test_dynamic_references_give_values_and_do_not_show_them(
    cfn: Any, client: ClientFactory
) -> None:
    client("ssm").put_parameter(Name="/word", Type="String", Value="one")
    secret = {"user": "admin", "port": 5432}
    client("secretsmanager").create_secret(Name="db", SecretString=json.dumps(secret))
    words = "{{resolve:ssm:/word}} {{resolve:secretsmanager:db:SecretString:user}}"
    port = {"Fn::Sub": "${AWS::Region} {{resolve:secretsmanager:db:SecretString:port}}"}
    body = {"Resources": {"P": parameter(words), "Q": parameter(port)}}
    body["Outputs"] = {
        "P": {"Value": {"Fn::GetAtt": ["P", "Value"]}},
        "Q": {"Value": {"Fn::GetAtt": ["Q", "Value"]}},
    }
    cfn.create_stack(StackName="s", TemplateBody=json.dumps(body))
    made = {one["OutputKey"]: one["OutputValue"] for one in describe(cfn, "s")["Outputs"]}
    assert made == {"P": "one admin", "Q": "us-east-1 5432"}
    events = cfn.describe_stack_events(StackName="s")["StackEvents"]
    assert {
        json.loads(one["ResourceProperties"])["Value"]
        for one in events
        if one["LogicalResourceId"] == "P"
    } == {words}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{{resolve:ssm:/nope:3}}", "Parameters: [ssm:/nope:3] cannot be found."),
        (
            "{{resolve:ssm-secure:/nope}}",
            "SSM Secure reference is not supported in: [AWS::SSM::Parameter/Properties/Value]",
        ),
    ],
    ids=["absent", "secure"],
)
def test_references_that_cannot_be_are_refused(cfn: Any, value: str, message: str) -> None:
    assert refused(cfn, {"Q": parameter(value)}) == message


def test_a_key_that_a_secret_lacks_fails_the_resource(cfn: Any, client: ClientFactory) -> None:
    client("secretsmanager").create_secret(Name="db", SecretString="{}")
    body = {"Resources": {"P": parameter("{{resolve:secretsmanager:db:SecretString:user}}")}}
    cfn.create_stack(StackName="s", TemplateBody=json.dumps(body))
    events = cfn.describe_stack_events(StackName="s")["StackEvents"]
    [failed] = [one for one in events if one["ResourceStatus"] == "CREATE_FAILED"]
    assert failed["ResourceStatusReason"] == (
        "Could not find a value associated with JSONKey in SecretString"
    )


def test_secret_parameters_are_not_shown_in_the_history(cfn: Any) -> None:
    body = {
        "Parameters": {"Word": {"Type": "String", "NoEcho": True}},
        "Resources": {"P": parameter({"Fn::Sub": "<${Word}>"})},
    }
    given = [{"ParameterKey": "Word", "ParameterValue": "hush"}]
    cfn.create_stack(StackName="s", TemplateBody=json.dumps(body), Parameters=given)
    events = cfn.describe_stack_events(StackName="s")["StackEvents"]
    shown = [one["ResourceProperties"] for one in events if one["LogicalResourceId"] == "P"]
    assert {json.loads(one)["Value"] for one in shown} == {"<****>"}


def test_an_import_that_nobody_exports_turns_the_stack_back(cfn: Any) -> None:
    body = {"Resources": {"P": parameter({"Fn::ImportValue": "nobody-exports"})}}
    cfn.create_stack(StackName="s", TemplateBody=json.dumps(body))
    events = cfn.describe_stack_events(StackName="s")["StackEvents"]
    [turned] = [one for one in events if one["ResourceStatus"] == "ROLLBACK_IN_PROGRESS"]
    assert turned["ResourceStatusReason"] == (
        "No export named nobody-exports found. Rollback requested by user."
    )
    cfn.create_change_set(
        StackName="t", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=json.dumps(body)
    )
    proposed = cfn.describe_change_set(StackName="t", ChangeSetName="c")
    assert (proposed["Status"], proposed["StatusReason"]) == (
        "FAILED",
        "No export named nobody-exports found.",
    )
