"""Lambda's CloudFormation resource types, deployed from a template."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.services.lambda_.conftest import ROLE, Queue, payload, until

TEMPLATE: dict[str, Any] = {
    "Resources": {
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.11",
                "Handler": "index.handler",
                "Role": ROLE,
                "Timeout": "5",
                "Code": {"ZipFile": "def handler(event, context):\n    return 'one'\n"},
                "Environment": {"Variables": {"NUMBER": 1}},
                "Tags": [{"Key": "k", "Value": "v"}],
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
        "Mapping": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "FunctionName": {"Fn::GetAtt": ["Function", "Arn"]},
                "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]},
                "BatchSize": "5",
            },
        },
        "Version": {
            "Type": "AWS::Lambda::Version",
            "Properties": {"FunctionName": {"Ref": "Function"}},
        },
        "Alias": {
            "Type": "AWS::Lambda::Alias",
            "Properties": {
                "FunctionName": {"Ref": "Function"},
                "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]},
                "Name": "live",
            },
        },
        "Retries": {
            "Type": "AWS::Lambda::EventInvokeConfig",
            "Properties": {
                "FunctionName": {"Ref": "Function"},
                "Qualifier": "$LATEST",
                "MaximumRetryAttempts": 0,
            },
        },
    },
    "Outputs": {
        "Function": {"Value": {"Ref": "Function"}},
        "Alias": {"Value": {"Ref": "Alias"}},
        "Queue": {"Value": {"Ref": "Queue"}},
    },
}


def _outputs(formation: Any) -> dict[str, str]:
    (stack,) = formation.describe_stacks(StackName="s")["Stacks"]
    return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}


def test_a_stack_of_lambdas_types_lives_and_goes(
    functions: Any, client: Callable[..., Any], queue: Callable[..., Queue]
) -> None:
    formation = client("cloudformation")
    formation.create_stack(StackName="s", TemplateBody=json.dumps(TEMPLATE))
    formation.get_waiter("stack_create_complete").wait(
        StackName="s", WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
    )
    made = _outputs(formation)
    name = made["Function"]
    assert payload(functions.invoke(FunctionName=made["Alias"])) == "one"
    shown = functions.get_function(FunctionName=name)
    assert shown["Configuration"]["Timeout"] == 5
    assert shown["Configuration"]["Environment"] == {"Variables": {"NUMBER": "1"}}
    assert shown["Tags"]["k"] == "v"
    (mapping,) = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    assert mapping["BatchSize"] == 5
    config = functions.get_function_event_invoke_config(FunctionName=name)
    assert config["MaximumRetryAttempts"] == 0

    changed = json.loads(json.dumps(TEMPLATE))
    properties = changed["Resources"]["Function"]["Properties"]
    properties["Code"]["ZipFile"] = "def handler(event, context):\n    return 'two'\n"
    del properties["Environment"]
    changed["Resources"]["Mapping"]["Properties"]["Enabled"] = False
    formation.update_stack(StackName="s", TemplateBody=json.dumps(changed))
    formation.get_waiter("stack_update_complete").wait(
        StackName="s", WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
    )
    assert payload(functions.invoke(FunctionName=name)) == "two"
    assert "Environment" not in functions.get_function_configuration(FunctionName=name)
    assert functions.get_event_source_mapping(UUID=mapping["UUID"])["State"] == "Disabled"

    formation.delete_stack(StackName="s")
    until(lambda: not functions.list_functions()["Functions"])
    assert functions.list_event_source_mappings()["EventSourceMappings"] == []
