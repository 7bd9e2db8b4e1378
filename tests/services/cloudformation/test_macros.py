"""Macros, and the policies that belong to one holder, through boto3 against a live node."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.conftest import ClientFactory
from tests.services.cloudformation.test_custom import provider
from tests.services.cloudformation.test_stacks import describe, queue, refusal, template

EXPAND = {"Capabilities": ["CAPABILITY_AUTO_EXPAND"]}
CODE = """
def handler(event, context):
    fragment, params = event["fragment"], event["params"]
    answer = {"requestId": event["requestId"], "status": "success", "fragment": fragment}
    if params.get("Fail"):
        return {**answer, "status": "failure", "errorMessage": "as you wish"}
    if "Resources" in fragment:
        value = {"Type": "String", "Value": event["templateParameterValues"]["Word"]}
        fragment["Resources"]["Made"] = {"Type": "AWS::SSM::Parameter", "Properties": value}
    else:
        fragment["Value"] = params["Value"].upper() + event["accountId"]
    return answer
"""


@pytest.fixture
def cfn(client: ClientFactory) -> Any:
    cfn = client("cloudformation")
    macro = {
        "Type": "AWS::CloudFormation::Macro",
        "Properties": {"Name": "Loud", "FunctionName": {"Fn::GetAtt": ["Provider", "Arn"]}},
    }
    body = template({"Provider": provider(CODE), "Macro": macro})
    cfn.create_stack(StackName="macros", TemplateBody=body)
    assert describe(cfn, "macros")["StackStatus"] == "CREATE_COMPLETE"
    return cfn


def body(**params: Any) -> str:
    asked = {"Name": "Loud", "Parameters": {"Value": {"Ref": "Word"}, **params}}
    return template(
        {
            "A": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Type": "String", "Fn::Transform": asked},
            }
        },
        Parameters={"Word": {"Type": "String", "Default": "hi"}},
        Transform=["Loud"],
        Outputs={"A": {"Value": {"Fn::GetAtt": ["A", "Value"]}}},
    )


def test_a_macro_changes_what_stands_beside_it_and_the_whole(cfn: Any, account: str) -> None:
    refused = refusal(cfn.create_stack, StackName="s", TemplateBody=body())
    assert refused[0] == "InsufficientCapabilitiesException"
    cfn.create_stack(StackName="s", TemplateBody=body(), **EXPAND)
    assert describe(cfn, "s")["Outputs"][0]["OutputValue"] == "HI" + account
    names = [
        one["LogicalResourceId"]
        for one in cfn.list_stack_resources(StackName="s")["StackResourceSummaries"]
    ]
    assert sorted(names) == ["A", "Made"]
    processed = cfn.get_template(StackName="s", TemplateStage="Processed")["TemplateBody"]
    assert "Made" in json.dumps(processed)


def test_a_macro_that_fails_says_why(cfn: Any, account: str) -> None:
    cfn.create_change_set(
        StackName="s",
        ChangeSetName="c",
        ChangeSetType="CREATE",
        TemplateBody=body(Fail="yes"),
    )
    proposed = cfn.describe_change_set(StackName="s", ChangeSetName="c")
    assert (proposed["Status"], proposed["StatusReason"]) == (
        "FAILED",
        f"Transform {account}::Loud failed with: as you wish.",
    )


def test_policies_of_one_holder_come_and_go(client: ClientFactory) -> None:
    cfn = client("cloudformation")
    document = {"Version": "2012-10-17", "Statement": []}
    statement = {
        **document,
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}],
    }
    resources = {
        "User": {"Type": "AWS::IAM::User", "Properties": {"UserName": "u"}},
        "UserPolicy": {
            "Type": "AWS::IAM::UserPolicy",
            "Properties": {
                "PolicyName": "p",
                "UserName": {"Ref": "User"},
                "PolicyDocument": document,
            },
        },
        "Queue": queue(),
        "QueuePolicy": {
            "Type": "AWS::SQS::QueueInlinePolicy",
            "Properties": {"Queue": {"Ref": "Queue"}, "PolicyDocument": statement},
        },
        "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": "x"}},
        "SecretPolicy": {
            "Type": "AWS::SecretsManager::ResourcePolicy",
            "Properties": {"SecretId": {"Ref": "Secret"}, "ResourcePolicy": statement},
        },
    }
    capable = {"Capabilities": ["CAPABILITY_NAMED_IAM"]}
    cfn.create_stack(StackName="s", TemplateBody=template(resources), **capable)
    assert describe(cfn, "s")["StackStatus"] == "CREATE_COMPLETE"
    assert client("iam").list_user_policies(UserName="u")["PolicyNames"] == ["p"]
    for name in ("UserPolicy", "QueuePolicy", "SecretPolicy"):
        del resources[name]
    cfn.update_stack(StackName="s", TemplateBody=template(resources), **capable)
    assert client("iam").list_user_policies(UserName="u")["PolicyNames"] == []
    secret = client("secretsmanager").list_secrets()["SecretList"][0]["ARN"]
    held = client("secretsmanager").get_resource_policy(SecretId=secret)
    assert "ResourcePolicy" not in held
