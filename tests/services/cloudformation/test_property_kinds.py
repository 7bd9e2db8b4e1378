"""A value of the wrong kind is told by its property, before a service stumbles over it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from lambent.services.cloudformation.property_kinds import faults

FUNCTION = "AWS::Lambda::Function"
QUEUE = "AWS::SQS::Queue"


@pytest.mark.parametrize(
    ("kind", "properties", "found"),
    [
        (QUEUE, {"QueueName": ["q"]}, ["#/QueueName: expected type: String, found: JSONArray"]),
        (QUEUE, {"Tags": {"k": "v"}}, ["#/Tags: expected type: JSONArray, found: JSONObject"]),
        (QUEUE, {"QueueName": {"Fn::Sub": "q"}, "DelaySeconds": 5, "FifoQueue": True}, []),
        (QUEUE, {"RedrivePolicy": "{}"}, []),
        (QUEUE, {"RedrivePolicy": {"maxReceiveCount": 1}}, []),
        (
            FUNCTION,
            {"Environment": "A=1", "Handler": {"a": 1, "b": 2}},
            [
                "#/Environment: expected type: JSONObject, found: String",
                "#/Handler: expected type: String, found: JSONObject",
            ],
        ),
        (
            FUNCTION,
            {"Environment": {"Variables": [{"A": 1}]}},
            ["#/Environment/Variables: expected type: JSONObject, found: JSONArray"],
        ),
        (FUNCTION, {"Environment": {"Fn::If": ["c", {}, {}]}}, []),
        (FUNCTION, {"Layers": "arn"}, ["#/Layers: expected type: JSONArray, found: String"]),
        ("AWS::SSM::Parameter", {"Tags": {"k": "v"}, "Policies": "[]"}, []),
        ("AWS::Elsewhere::Thing", {"Name": ["anything"]}, []),
    ],
    ids=range(11),
)
def test_kinds_by_property(kind: str, properties: dict[str, Any], found: list[str]) -> None:
    assert faults(kind, properties) == found


def test_a_template_with_a_wrong_kind_is_refused(client: Callable[..., Any]) -> None:
    formation = client("cloudformation")
    resources = {"Q": {"Type": QUEUE, "Properties": {"QueueName": ["a", "b"]}}}
    with pytest.raises(ClientError) as refused:
        formation.create_stack(StackName="s", TemplateBody=json.dumps({"Resources": resources}))
    error = refused.value.response["Error"]
    assert error["Code"] == "ValidationError"
    assert error["Message"] == (
        "Properties validation failed for resource Q with message:\n"
        "#/QueueName: expected type: String, found: JSONArray"
    )


def test_what_a_parameter_makes_wrong_fails_the_resource_by_its_property(
    client: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    formation = client("cloudformation")
    template = {
        "Parameters": {"Names": {"Type": "CommaDelimitedList", "Default": "a,b"}},
        "Resources": {"Q": {"Type": QUEUE, "Properties": {"QueueName": {"Ref": "Names"}}}},
    }
    formation.create_stack(StackName="s", TemplateBody=json.dumps(template))
    with pytest.raises(WaiterError):
        formation.get_waiter("stack_create_complete").wait(
            StackName="s", WaiterConfig={"Delay": 0.05, "MaxAttempts": 200}
        )
    events = formation.describe_stack_events(StackName="s")["StackEvents"]
    (reason,) = [
        one["ResourceStatusReason"]
        for one in events
        if (one["LogicalResourceId"], one["ResourceStatus"]) == ("Q", "CREATE_FAILED")
    ]
    assert reason.endswith("#/QueueName: expected type: String, found: JSONArray")
    assert "Traceback" not in caplog.text
