"""Templates write numbers as text and text as numbers; resource types take either."""

from __future__ import annotations

import json
from typing import Any

from tests.conftest import ClientFactory
from tests.services.cloudformation.test_crash import TRUST


def test_values_of_the_wrong_json_type_are_taken_as_cloudformation_takes_them(
    client: ClientFactory,
) -> None:
    cfn = client("cloudformation")
    resources: dict[str, Any] = {
        "Queue": {
            "Type": "AWS::SQS::Queue",
            "Properties": {
                "VisibilityTimeout": {"Ref": "Seconds"},
                "DelaySeconds": 3,
                "FifoQueue": "false",
                "RedrivePolicy": {
                    "deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]},
                    "maxReceiveCount": "3",
                },
                "Tags": [{"Key": "n", "Value": 1}],
            },
        },
        "Dead": {"Type": "AWS::SQS::Queue", "Properties": {"MessageRetentionPeriod": "86400"}},
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": TRUST, "MaxSessionDuration": "7200"},
        },
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.11",
                "Handler": "index.handler",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": "def handler(event, context):\n    return 1\n"},
                "Timeout": {"Ref": "Seconds"},
                "MemorySize": "256",
                "Environment": {"Variables": {"N": 5, "B": True}},
                "Tags": [{"Key": "n", "Value": 1}],
            },
        },
        "Mapping": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "FunctionName": {"Ref": "Function"},
                "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]},
                "BatchSize": "2",
                "Enabled": "false",
            },
        },
        "Table": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}],
                "ProvisionedThroughput": {"ReadCapacityUnits": "1", "WriteCapacityUnits": 1},
            },
        },
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {
                "LifecycleConfiguration": {
                    "Rules": [{"Status": "Enabled", "ExpirationInDays": "7", "Prefix": ""}]
                },
                "PublicAccessBlockConfiguration": {"BlockPublicAcls": "true"},
            },
        },
        "Setting": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": 5}},
        "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": "7"}},
    }
    body = {"Parameters": {"Seconds": {"Type": "Number", "Default": 9}}, "Resources": resources}
    cfn.create_stack(
        StackName="types", TemplateBody=json.dumps(body), Capabilities=["CAPABILITY_IAM"]
    )
    [stack] = cfn.describe_stacks(StackName="types")["Stacks"]
    failed = [
        (one["LogicalResourceId"], one["ResourceStatusReason"])
        for one in cfn.describe_stack_events(StackName="types")["StackEvents"]
        if one["ResourceStatus"] == "CREATE_FAILED"
    ]
    assert (stack["StackStatus"], failed) == ("CREATE_COMPLETE", [])
    [function] = client("lambda").list_functions()["Functions"]
    assert (function["Timeout"], function["MemorySize"]) == (9, 256)
    assert function["Environment"] == {"Variables": {"N": "5", "B": "true"}}
    [mapping] = client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert (mapping["BatchSize"], mapping["State"]) == (2, "Disabled")
    [group] = client("logs").describe_log_groups()["logGroups"]
    assert group["retentionInDays"] == 7
