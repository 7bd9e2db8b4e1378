"""Wait conditions: a stack goes on when it is told, through boto3 on a live node."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from tests.conftest import ClientFactory
from tests.support.nodes import ThreadNode

from lambent.core.clock import VirtualClock

HANDLE = {"Type": "AWS::CloudFormation::WaitConditionHandle"}


def condition(**properties: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::CloudFormation::WaitCondition",
        "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "600", **properties},
    }


def template(**resources: Any) -> str:
    data = {"Data": {"Value": {"Fn::GetAtt": ["Condition", "Data"]}}}
    return json.dumps({"Resources": resources, "Outputs": data})


def put(url: str, **said: Any) -> int:
    request = urllib.request.Request(url, data=json.dumps(said).encode(), method="PUT")
    with urllib.request.urlopen(request) as response:
        return int(response.status)


def status(cfn: Any) -> str:
    return str(cfn.describe_stacks(StackName="s")["Stacks"][0]["StackStatus"])


def physical_id(cfn: Any, name: str) -> str:
    """Of a resource, once it has one."""
    while True:
        for one in cfn.describe_stack_resources(StackName="s")["StackResources"]:
            if one["LogicalResourceId"] == name and "PhysicalResourceId" in one:
                return str(one["PhysicalResourceId"])


def reason(cfn: Any, status: str, name: str = "Condition") -> str:
    events = cfn.describe_stack_events(StackName="s")["StackEvents"]
    [found] = [
        one["ResourceStatusReason"]
        for one in events
        if one["ResourceStatus"] == status and one["LogicalResourceId"] == name
    ]
    return str(found)


@pytest.fixture
def cfn(client: ClientFactory) -> Any:
    return client("cloudformation")


def begin(cfn: Any, body: str) -> threading.Thread:
    def run() -> None:
        cfn.create_stack(StackName="s", TemplateBody=body)

    thread = threading.Thread(target=run)
    thread.start()
    while True:
        try:
            cfn.describe_stacks(StackName="s")
        except cfn.exceptions.ClientError:
            continue
        return thread


def test_a_stack_waits_for_as_many_signals_as_it_asked_for(cfn: Any) -> None:
    creation = begin(cfn, template(Handle=HANDLE, Condition=condition(Count=2)))
    url = physical_id(cfn, "Handle")
    assert put(url, Status="SUCCESS", UniqueId="a", Data="first", Reason="r") == 200
    assert put(url, Status="SUCCESS", UniqueId="a", Data="again", Reason="r") == 200
    assert status(cfn) == "CREATE_IN_PROGRESS"
    put(url, Status="SUCCESS", UniqueId="b", Data="second", Reason="r")
    creation.join()
    [stack] = cfn.describe_stacks(StackName="s")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert json.loads(stack["Outputs"][0]["OutputValue"]) == {"a": "first", "b": "second"}


def test_a_failure_signal_fails_the_stack_in_aws_words(cfn: Any) -> None:
    creation = begin(cfn, template(Handle=HANDLE, Condition=condition()))
    put(physical_id(cfn, "Handle"), Status="FAILURE", UniqueId="a", Data="", Reason="no disk")
    creation.join()
    assert status(cfn) == "ROLLBACK_COMPLETE"
    assert reason(cfn, "CREATE_FAILED") == (
        "WaitCondition received failed message: 'no disk' for uniqueId: a"
    )


def test_a_condition_gives_up_when_its_time_is_over(
    fresh_node: Callable[..., ThreadNode], connect: ClientFactory
) -> None:
    clock = VirtualClock()
    node = fresh_node(clock=clock)
    cfn = connect(node.endpoint, "cloudformation")
    creation = begin(cfn, template(Handle=HANDLE, Condition=condition(Count=3)))
    put(physical_id(cfn, "Handle"), Status="SUCCESS", UniqueId="a", Data="", Reason="")
    node.run(clock.advance(590))
    assert status(cfn) == "CREATE_IN_PROGRESS"
    while status(cfn) == "CREATE_IN_PROGRESS":
        node.run(clock.advance(20))
    creation.join()
    assert reason(cfn, "CREATE_FAILED") == (
        "WaitCondition timed out. Received 1 conditions when expecting 3"
    )


def test_signal_resource_ends_the_wait_of_a_creation_policy(cfn: Any) -> None:
    waiting = {
        "Type": "AWS::CloudFormation::WaitCondition",
        "CreationPolicy": {"ResourceSignal": {"Count": 2, "Timeout": "PT10M"}},
    }
    creation = begin(cfn, template(Condition=waiting))
    while "Condition" not in [
        one["LogicalResourceId"]
        for one in cfn.describe_stack_resources(StackName="s")["StackResources"]
    ]:
        pass
    for unique in ("a", "a", "b"):
        cfn.signal_resource(
            StackName="s", LogicalResourceId="Condition", UniqueId=unique, Status="SUCCESS"
        )
    creation.join()
    assert status(cfn) == "CREATE_COMPLETE"
    with pytest.raises(cfn.exceptions.ClientError) as caught:
        cfn.signal_resource(
            StackName="s", LogicalResourceId="Condition", UniqueId="c", Status="SUCCESS"
        )
    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationError"
    assert "is in CREATE_COMPLETE state" in error["Message"]


def test_a_condition_cannot_be_updated_and_stays_as_it_was(cfn: Any) -> None:
    creation = begin(cfn, template(Handle=HANDLE, Condition=condition()))
    put(physical_id(cfn, "Handle"), Status="SUCCESS", UniqueId="a", Data="d", Reason="")
    creation.join()
    body = template(Handle=HANDLE, Condition=condition(Count=2))
    cfn.update_stack(StackName="s", TemplateBody=body)
    [stack] = cfn.describe_stacks(StackName="s")["Stacks"]
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert reason(cfn, "UPDATE_FAILED") == (
        "Update to resource type AWS::CloudFormation::WaitCondition is not supported."
    )
    assert stack["Outputs"][0]["OutputValue"] == '{"a":"d"}'
