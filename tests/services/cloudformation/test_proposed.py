"""What change sets say of the reasons for changes, and what tags do to resources."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conftest import ClientFactory
from tests.services.cloudformation.test_stacks import describe, queue, template

VALUE = {"Ref": "Word"}
WORD = {"Word": {"Type": "String", "Default": "a"}}


def parameter(value: Any) -> dict[str, Any]:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}}


@pytest.fixture
def cfn(client: ClientFactory) -> Any:
    return client("cloudformation")


def proposed(cfn: Any, **arguments: Any) -> dict[str, Any]:
    cfn.create_change_set(StackName="s", ChangeSetName="c", **arguments)
    found = cfn.describe_change_set(StackName="s", ChangeSetName="c")
    return {
        one["ResourceChange"]["LogicalResourceId"]: one["ResourceChange"]
        for one in found["Changes"]
    }


def test_a_change_names_the_parameter_or_the_resource_that_causes_it(cfn: Any) -> None:
    body = template(
        {
            "A": queue(QueueName={"Fn::Sub": "queue-${Word}"}),
            "B": parameter({"Fn::GetAtt": ["A", "QueueName"]}),
            "C": parameter(VALUE),
            "D": parameter("same"),
        },
        Parameters=WORD,
    )
    cfn.create_stack(StackName="s", TemplateBody=body)
    found = proposed(
        cfn,
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": "Word", "ParameterValue": "b"}],
    )
    assert set(found) == {"A", "B", "C"}
    [cause] = found["C"]["Details"]
    assert (cause["ChangeSource"], cause["CausingEntity"]) == ("ParameterReference", "Word")
    [cause] = found["B"]["Details"]
    assert (cause["ChangeSource"], cause["CausingEntity"]) == ("ResourceAttribute", "A.QueueName")
    assert cause["Evaluation"] == "Dynamic"


def test_new_tags_of_a_stack_reach_its_resources_and_go_back_with_it(
    cfn: Any, client: ClientFactory
) -> None:
    ssm = client("ssm")

    def tags() -> dict[str, str]:
        name = cfn.describe_stack_resource(StackName="s", LogicalResourceId="A")
        physical = name["StackResourceDetail"]["PhysicalResourceId"]
        listed = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=physical)
        return {one["Key"]: one["Value"] for one in listed["TagList"]}

    body = template({"A": parameter("x")})
    cfn.create_stack(StackName="s", TemplateBody=body, Tags=[{"Key": "team", "Value": "one"}])
    assert tags() == {"team": "one"}
    change = proposed(cfn, TemplateBody=body, Tags=[{"Key": "team", "Value": "two"}])
    assert change["A"]["Scope"] == ["Tags"]
    cfn.execute_change_set(StackName="s", ChangeSetName="c")
    assert describe(cfn, "s")["StackStatus"] == "UPDATE_COMPLETE"
    assert tags() == {"team": "two"}
    worse = template({"A": parameter("x"), "Bad": {**queue(DelaySeconds=9999), "DependsOn": "A"}})
    cfn.update_stack(StackName="s", TemplateBody=worse, Tags=[{"Key": "team", "Value": "three"}])
    assert describe(cfn, "s")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert tags() == {"team": "two"}
