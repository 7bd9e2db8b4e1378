"""A deployment that `kill -9` cuts off goes on at the restart and ends in a defined state."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from tests.conftest import ClientFactory
from tests.support.nodes import ProcessNode

WAIT = {"Delay": 0.05, "MaxAttempts": 2000}
KINDS = ("buckets", "queues", "tables", "roles", "functions", "secrets", "mappings")
ONCE = dict.fromkeys(KINDS, 1)
TRUST = {
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
}


def template(seconds: int, **more: Any) -> str:
    return json.dumps(
        {
            "Resources": {
                "Bucket": {"Type": "AWS::S3::Bucket"},
                "Queue": {
                    "Type": "AWS::SQS::Queue",
                    "Properties": {"VisibilityTimeout": seconds},
                },
                "Table": {
                    "Type": "AWS::DynamoDB::Table",
                    "Properties": {
                        "BillingMode": "PAY_PER_REQUEST",
                        "AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "S"}],
                        "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}],
                    },
                },
                "Role": {
                    "Type": "AWS::IAM::Role",
                    "Properties": {"AssumeRolePolicyDocument": TRUST},
                },
                "Function": {
                    "Type": "AWS::Lambda::Function",
                    "Properties": {
                        "Runtime": "python3.11",
                        "Handler": "index.handler",
                        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                        "Code": {"ZipFile": "def handler(event, context):\n    return 1\n"},
                        "Timeout": 10,
                    },
                },
                "Mapping": {
                    "Type": "AWS::Lambda::EventSourceMapping",
                    "Properties": {
                        "FunctionName": {"Ref": "Function"},
                        "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]},
                    },
                },
                "Permission": {
                    "Type": "AWS::Lambda::Permission",
                    "Properties": {
                        "FunctionName": {"Ref": "Function"},
                        "Action": "lambda:InvokeFunction",
                        "Principal": "s3.amazonaws.com",
                    },
                },
                "Logs": {"Type": "AWS::Logs::LogGroup"},
                "Secret": {
                    "Type": "AWS::SecretsManager::Secret",
                    "Properties": {"GenerateSecretString": {}},
                },
                "Setting": {
                    "Type": "AWS::SSM::Parameter",
                    "Properties": {"Type": "String", "Value": "x"},
                },
                **more,
            }
        }
    )


def held(connect: ClientFactory, endpoint: str) -> dict[str, int]:
    """How many resources of each kind there are."""

    def ask(service: str) -> Any:
        return connect(endpoint, service)

    functions = ask("lambda").list_functions()["Functions"]
    return {
        "buckets": len(ask("s3").list_buckets()["Buckets"]),
        "queues": len(ask("sqs").list_queues().get("QueueUrls", [])),
        "tables": len(ask("dynamodb").list_tables()["TableNames"]),
        "roles": len(ask("iam").list_roles()["Roles"]),
        "functions": len(functions),
        "secrets": len(ask("secretsmanager").list_secrets()["SecretList"]),
        "mappings": len(ask("lambda").list_event_source_mappings()["EventSourceMappings"]),
    }


def kill_after(
    node: ProcessNode, cfn: Any, stack: str, events: int, call: Callable[[], Any]
) -> None:
    """Make the call and kill the node once the stack's history has that many lines."""

    def run() -> None:
        with contextlib.suppress(BotoCoreError, ClientError):  # the node goes away under it
            call()

    caller = threading.Thread(target=run)
    caller.start()
    while caller.is_alive():
        try:
            if len(cfn.describe_stack_events(StackName=stack)["StackEvents"]) >= events:
                break
        except ClientError:
            continue
    node.kill()
    caller.join()


@pytest.mark.crash
@pytest.mark.parametrize("events", [1, 12, 19, 26])
def test_a_creation_that_is_killed_goes_on(
    node_process: Callable[..., ProcessNode], connect: ClientFactory, events: int
) -> None:
    node = node_process()
    cfn = connect(node.endpoint, "cloudformation")
    kill_after(
        node,
        cfn,
        "s",
        events,
        lambda: cfn.create_stack(
            StackName="s", TemplateBody=template(30), Capabilities=["CAPABILITY_IAM"]
        ),
    )
    node.start()
    cfn.get_waiter("stack_create_complete").wait(StackName="s", WaiterConfig=WAIT)
    assert held(connect, node.endpoint) == ONCE
    cfn.delete_stack(StackName="s")
    cfn.get_waiter("stack_delete_complete").wait(StackName="s", WaiterConfig=WAIT)
    assert held(connect, node.endpoint) == dict.fromkeys(ONCE, 0)


@pytest.mark.crash
@pytest.mark.parametrize("events", [37, 41])
def test_an_update_that_fails_and_is_killed_is_rolled_back(
    node_process: Callable[..., ProcessNode], connect: ClientFactory, events: int
) -> None:
    node = node_process()
    cfn = connect(node.endpoint, "cloudformation")
    cfn.create_stack(StackName="s", TemplateBody=template(30), Capabilities=["CAPABILITY_IAM"])
    cfn.get_waiter("stack_create_complete").wait(StackName="s", WaiterConfig=WAIT)
    before = held(connect, node.endpoint)
    worse = template(
        40,
        Extra={"Type": "AWS::SQS::Queue"},
        Bad={
            "Type": "AWS::SQS::Queue",
            "DependsOn": ["Extra", "Queue"],
            "Properties": {"VisibilityTimeout": 9999999},
        },
    )
    kill_after(
        node,
        cfn,
        "s",
        events,
        lambda: cfn.update_stack(
            StackName="s", TemplateBody=worse, Capabilities=["CAPABILITY_IAM"]
        ),
    )
    node.start()
    [stack] = cfn.describe_stacks(StackName="s")["Stacks"]
    if stack["StackStatus"] != "CREATE_COMPLETE":  # killed before it began
        cfn.get_waiter("stack_rollback_complete").wait(StackName="s", WaiterConfig=WAIT)
    assert held(connect, node.endpoint) == before
    [queue] = connect(node.endpoint, "sqs").list_queues()["QueueUrls"]
    attributes = connect(node.endpoint, "sqs").get_queue_attributes(
        QueueUrl=queue, AttributeNames=["VisibilityTimeout"]
    )["Attributes"]
    assert attributes == {"VisibilityTimeout": "30"}
