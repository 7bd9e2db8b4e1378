"""Drift, stack policies, types and limits, through boto3 against a live node."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.conftest import ClientFactory
from tests.services.cloudformation.test_stacks import describe, queue, refusal, template


@pytest.fixture
def cfn(client: ClientFactory) -> Any:
    return client("cloudformation")


def parameter(value: str) -> dict[str, Any]:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}}


def physical(cfn: Any, name: str) -> str:
    found = cfn.describe_stack_resource(StackName="s", LogicalResourceId=name)
    return str(found["StackResourceDetail"]["PhysicalResourceId"])


def detect(cfn: Any) -> Any:
    detection = cfn.detect_stack_drift(StackName="s")["StackDriftDetectionId"]
    return cfn.describe_stack_drift_detection_status(StackDriftDetectionId=detection)


def test_what_was_changed_or_deleted_behind_the_stack_is_drift(
    cfn: Any, client: ClientFactory
) -> None:
    dead = {"deadLetterTargetArn": {"Fn::GetAtt": ["Gone", "Arn"]}, "maxReceiveCount": 3}
    resources = {
        "Queue": queue(VisibilityTimeout=30, RedrivePolicy=dead),
        "Gone": queue(),
        "Word": parameter("a"),
        "Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 7}},
        "Bucket": {"Type": "AWS::S3::Bucket"},
    }
    cfn.create_stack(StackName="s", TemplateBody=template(resources))
    assert "LastCheckTimestamp" not in describe(cfn, "s")["DriftInformation"]
    found = detect(cfn)
    assert found["DetectionStatus"] == "DETECTION_COMPLETE"
    assert (found["StackDriftStatus"], found["DriftedStackResourceCount"]) == ("IN_SYNC", 0)
    sqs = client("sqs")
    sqs.set_queue_attributes(
        QueueUrl=physical(cfn, "Queue"), Attributes={"VisibilityTimeout": "45"}
    )
    sqs.delete_queue(QueueUrl=physical(cfn, "Gone"))
    found = detect(cfn)
    assert (found["StackDriftStatus"], found["DriftedStackResourceCount"]) == ("DRIFTED", 2)
    assert describe(cfn, "s")["DriftInformation"]["StackDriftStatus"] == "DRIFTED"
    drifts = {
        one["LogicalResourceId"]: one
        for one in cfn.describe_stack_resource_drifts(
            StackName="s", StackResourceDriftStatusFilters=["MODIFIED", "DELETED"]
        )["StackResourceDrifts"]
    }
    assert drifts["Gone"]["StackResourceDriftStatus"] == "DELETED"
    assert drifts["Queue"]["PropertyDifferences"] == [
        {
            "PropertyPath": "/VisibilityTimeout",
            "ExpectedValue": "30",
            "ActualValue": "45",
            "DifferenceType": "NOT_EQUAL",
        }
    ]
    one = cfn.detect_stack_resource_drift(StackName="s", LogicalResourceId="Word")
    assert one["StackResourceDrift"]["StackResourceDriftStatus"] == "IN_SYNC"


def test_a_stack_policy_protects_resources_from_updates(cfn: Any) -> None:
    def body(a: str, b: str) -> str:
        return template({"A": parameter(a), "B": parameter(b)})

    policy = {
        "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"},
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "Update:Modify",
                "Resource": "LogicalResourceId/A",
            },
        ]
    }
    cfn.create_stack(StackName="s", TemplateBody=body("1", "1"), StackPolicyBody=json.dumps(policy))
    cfn.update_stack(StackName="s", TemplateBody=body("2", "2"))
    assert describe(cfn, "s")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    events = cfn.describe_stack_events(StackName="s")["StackEvents"]
    [reason] = [
        one["ResourceStatusReason"]
        for one in events
        if one["ResourceStatus"] == "UPDATE_FAILED" and one["LogicalResourceId"] == "A"
    ]
    assert reason == (
        "Action denied by stack policy: Statement does not allow [Update:Modify] for resource [A]"
    )
    free = {"Statement": {**policy["Statement"][0]}}
    cfn.update_stack(
        StackName="s",
        TemplateBody=body("2", "2"),
        StackPolicyDuringUpdateBody=json.dumps(free),
    )
    assert describe(cfn, "s")["StackStatus"] == "UPDATE_COMPLETE"
    assert json.loads(cfn.get_stack_policy(StackName="s")["StackPolicyBody"]) == policy


def test_a_repeated_request_is_known_by_its_token(cfn: Any) -> None:
    first = {"StackName": "s", "TemplateBody": template({"A": parameter("1")})}
    made = cfn.create_stack(**first, ClientRequestToken="once")["StackId"]
    assert cfn.create_stack(**first, ClientRequestToken="once")["StackId"] == made
    assert refusal(cfn.create_stack, **first, ClientRequestToken="twice")[0] == (
        "AlreadyExistsException"
    )
    second = {"StackName": "s", "TemplateBody": template({"A": parameter("2")})}
    cfn.update_stack(**second, ClientRequestToken="up")
    assert cfn.update_stack(**second, ClientRequestToken="up")["StackId"] == made


def test_a_deleted_stack_still_tells_what_it_had(cfn: Any) -> None:
    made = cfn.create_stack(StackName="s", TemplateBody=template({"A": parameter("1")}))["StackId"]
    cfn.delete_stack(StackName="s")
    [shown] = cfn.list_stack_resources(StackName=made)["StackResourceSummaries"]
    assert (shown["LogicalResourceId"], shown["ResourceStatus"]) == ("A", "DELETE_COMPLETE")


def test_types_limits_and_costs_are_told(cfn: Any) -> None:
    limits = {one["Name"]: one["Value"] for one in cfn.describe_account_limits()["AccountLimits"]}
    assert limits["StackOutputsLimit"] == 200
    listed = cfn.list_types(Visibility="PUBLIC", Filters={"TypeNamePrefix": "AWS::SQS"})
    assert [one["TypeName"] for one in listed["TypeSummaries"]] == [
        "AWS::SQS::Queue",
        "AWS::SQS::QueueInlinePolicy",
        "AWS::SQS::QueuePolicy",
    ]
    assert cfn.list_types()["TypeSummaries"] == []
    found = cfn.describe_type(Type="RESOURCE", TypeName="AWS::SQS::Queue")
    assert cfn.describe_type(Arn=found["Arn"])["TypeName"] == "AWS::SQS::Queue"
    assert "/properties/QueueName" in json.loads(found["Schema"])["createOnlyProperties"]
    assert refusal(cfn.describe_type, Type="RESOURCE", TypeName="AWS::No::Where")[0] == (
        "TypeNotFoundException"
    )
    body = template({"A": parameter("1")})
    assert cfn.estimate_template_cost(TemplateBody=body)["Url"].startswith("https://")
