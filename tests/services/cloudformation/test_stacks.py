"""Stacks through boto3 against a live node, with queues and parameters as resources."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conftest import ClientFactory


def queue(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


def template(resources: dict[str, Any], **sections: Any) -> str:
    return json.dumps({"Resources": resources, **sections})


@pytest.fixture
def cfn(client: ClientFactory) -> Any:
    return client("cloudformation")


def refusal(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def statuses(cfn: Any, stack: str) -> list[tuple[str, str]]:
    events = cfn.describe_stack_events(StackName=stack)["StackEvents"]
    return [(one["LogicalResourceId"], one["ResourceStatus"]) for one in reversed(events)]


def describe(cfn: Any, stack: str) -> Any:
    [found] = cfn.describe_stacks(StackName=stack)["Stacks"]
    return found


def test_a_stack_is_created_in_dependency_order_with_its_outputs(
    cfn: Any, client: ClientFactory
) -> None:
    body = template(
        {
            "Main": queue(
                RedrivePolicy={
                    "deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]},
                    "maxReceiveCount": 3,
                }
            ),
            "Dead": queue(),
        },
        Outputs={
            "Url": {"Value": {"Ref": "Main"}, "Description": "where to send"},
            "DeadArn": {"Value": {"Fn::GetAtt": "Dead.Arn"}, "Export": {"Name": "dead-arn"}},
        },
    )
    made = cfn.create_stack(StackName="one", TemplateBody=body, Tags=[{"Key": "a", "Value": "b"}])
    cfn.get_waiter("stack_create_complete").wait(StackName="one")
    stack = describe(cfn, "one")
    assert stack["StackId"] == made["StackId"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    attributes = client("sqs").get_queue_attributes(
        QueueUrl=outputs["Url"], AttributeNames=["RedrivePolicy"]
    )["Attributes"]
    policy = json.loads(attributes["RedrivePolicy"])
    assert policy["deadLetterTargetArn"] == outputs["DeadArn"]
    assert statuses(cfn, "one") == [
        ("one", "CREATE_IN_PROGRESS"),
        ("Dead", "CREATE_IN_PROGRESS"),
        ("Dead", "CREATE_IN_PROGRESS"),
        ("Dead", "CREATE_COMPLETE"),
        ("Main", "CREATE_IN_PROGRESS"),
        ("Main", "CREATE_IN_PROGRESS"),
        ("Main", "CREATE_COMPLETE"),
        ("one", "CREATE_COMPLETE"),
    ]
    resources = cfn.describe_stack_resources(StackName="one")["StackResources"]
    assert {one["LogicalResourceId"] for one in resources} == {"Main", "Dead"}
    [export] = cfn.list_exports()["Exports"]
    assert export["Name"] == "dead-arn" and export["Value"] == outputs["DeadArn"]


def test_names_are_stack_logical_id_and_a_suffix(cfn: Any) -> None:
    cfn.create_stack(StackName="named", TemplateBody=template({"Q": queue()}))
    [resource] = cfn.list_stack_resources(StackName="named")["StackResourceSummaries"]
    name = resource["PhysicalResourceId"].rsplit("/", 1)[1]
    assert name.startswith("named-Q-") and len(name) == len("named-Q-") + 12


def test_a_failed_creation_is_rolled_back(cfn: Any, client: ClientFactory) -> None:
    body = template(
        {"Good": queue(), "Bad": {**queue(VisibilityTimeout=99999999), "DependsOn": "Good"}}
    )
    cfn.create_stack(StackName="broken", TemplateBody=body)
    stack = describe(cfn, "broken")
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    events = cfn.describe_stack_events(StackName="broken")["StackEvents"]
    [failed] = [one for one in events if one["ResourceStatus"] == "CREATE_FAILED"]
    assert failed["LogicalResourceId"] == "Bad"
    assert "Resource handler returned message" in failed["ResourceStatusReason"]
    [turned] = [one for one in events if one["ResourceStatus"] == "ROLLBACK_IN_PROGRESS"]
    assert turned["ResourceStatusReason"] == (
        "The following resource(s) failed to create: [Bad]. Rollback requested by user."
    )
    assert "QueueUrls" not in client("sqs").list_queues()
    code, message = refusal(cfn.update_stack, StackName="broken", TemplateBody=body)
    assert code == "ValidationError"
    assert message.endswith("is in ROLLBACK_COMPLETE state and can not be updated.")


def test_a_failed_creation_stays_when_rollback_is_disabled(cfn: Any, client: ClientFactory) -> None:
    body = template(
        {"Good": queue(), "Bad": {**queue(VisibilityTimeout=99999999), "DependsOn": "Good"}}
    )
    cfn.create_stack(StackName="kept", TemplateBody=body, DisableRollback=True)
    assert describe(cfn, "kept")["StackStatus"] == "CREATE_FAILED"
    assert len(client("sqs").list_queues()["QueueUrls"]) == 1


def test_what_failed_and_stayed_can_be_rolled_back(cfn: Any, client: ClientFactory) -> None:
    sqs = client("sqs")
    good = template({"A": queue(VisibilityTimeout=10)})
    cfn.create_stack(StackName="late", TemplateBody=good)
    bad = template(
        {
            "A": queue(VisibilityTimeout=20),
            "Z": {**queue(VisibilityTimeout=99999999), "DependsOn": "A"},
        }
    )
    cfn.update_stack(StackName="late", TemplateBody=bad, DisableRollback=True)
    assert describe(cfn, "late")["StackStatus"] == "UPDATE_FAILED"
    cfn.rollback_stack(StackName="late")
    assert describe(cfn, "late")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    [url] = sqs.list_queues()["QueueUrls"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert attributes["Attributes"] == {"VisibilityTimeout": "10"}
    assert refusal(cfn.cancel_update_stack, StackName="late")[1] == (
        "CancelUpdateStack cannot be called from current stack status"
    )


def test_stack_policies_are_kept(cfn: Any) -> None:
    policy = {"Statement": []}
    cfn.create_stack(StackName="pol", TemplateBody=template({"A": queue()}))
    assert "StackPolicyBody" not in cfn.get_stack_policy(StackName="pol")
    cfn.set_stack_policy(StackName="pol", StackPolicyBody=json.dumps(policy))
    assert json.loads(cfn.get_stack_policy(StackName="pol")["StackPolicyBody"]) == policy
    assert refusal(cfn.set_stack_policy, StackName="pol", StackPolicyBody="{")[1] == (
        "Error validating stack policy: Invalid stack policy"
    )


def test_a_failed_creation_goes_away_on_failure_delete(cfn: Any) -> None:
    body = template({"Bad": queue(VisibilityTimeout=99999999)})
    made = cfn.create_stack(StackName="gone", TemplateBody=body, OnFailure="DELETE")
    assert describe(cfn, made["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    code, message = refusal(cfn.describe_stacks, StackName="gone")
    assert (code, message) == ("ValidationError", "Stack with id gone does not exist")


def test_an_update_changes_in_place_and_replaces_what_it_must(
    cfn: Any, client: ClientFactory
) -> None:
    sqs = client("sqs")
    cfn.create_stack(
        StackName="up",
        TemplateBody=template(
            {"A": queue(VisibilityTimeout=10), "B": queue(QueueName="first"), "C": queue()}
        ),
    )
    before = {
        one["LogicalResourceId"]: one["PhysicalResourceId"]
        for one in cfn.list_stack_resources(StackName="up")["StackResourceSummaries"]
    }
    cfn.update_stack(
        StackName="up",
        TemplateBody=template(
            {"A": queue(VisibilityTimeout=20), "B": queue(QueueName="second"), "D": queue()}
        ),
    )
    cfn.get_waiter("stack_update_complete").wait(StackName="up")
    after = {
        one["LogicalResourceId"]: one["PhysicalResourceId"]
        for one in cfn.list_stack_resources(StackName="up")["StackResourceSummaries"]
    }
    assert after["A"] == before["A"] and after["B"] != before["B"]
    assert set(after) == {"A", "B", "D"}
    attributes = sqs.get_queue_attributes(QueueUrl=after["A"], AttributeNames=["All"])
    assert attributes["Attributes"]["VisibilityTimeout"] == "20"
    assert sorted(sqs.list_queues()["QueueUrls"]) == sorted(after.values())
    seen = statuses(cfn, "up")
    assert seen.index(("B", "DELETE_COMPLETE")) > seen.index(
        ("up", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    )
    assert seen[-1] == ("up", "UPDATE_COMPLETE")


def test_a_failed_update_brings_everything_back(cfn: Any, client: ClientFactory) -> None:
    sqs = client("sqs")
    first = template({"A": queue(VisibilityTimeout=10), "B": queue(QueueName="first-name")})
    cfn.create_stack(StackName="back", TemplateBody=first)
    before = sorted(sqs.list_queues()["QueueUrls"])
    cfn.update_stack(
        StackName="back",
        TemplateBody=template(
            {
                "A": queue(VisibilityTimeout=20),
                "B": queue(QueueName="second-name"),
                "New": queue(),
                "Z": {**queue(VisibilityTimeout=99999999), "DependsOn": ["A", "B", "New"]},
            }
        ),
    )
    stack = describe(cfn, "back")
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert sorted(sqs.list_queues()["QueueUrls"]) == before
    a = next(url for url in before if "back-A-" in url)
    attributes = sqs.get_queue_attributes(QueueUrl=a, AttributeNames=["All"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "10"
    assert cfn.get_template(StackName="back")["TemplateBody"] == json.loads(first)
    # and the stack can be updated again
    cfn.update_stack(StackName="back", TemplateBody=template({"A": queue(VisibilityTimeout=30)}))
    assert describe(cfn, "back")["StackStatus"] == "UPDATE_COMPLETE"


def test_nothing_to_update_is_refused(cfn: Any) -> None:
    body = template({"A": queue()})
    cfn.create_stack(StackName="still", TemplateBody=body)
    assert refusal(cfn.update_stack, StackName="still", TemplateBody=body) == (
        "ValidationError",
        "No updates are to be performed.",
    )


def test_deletion_removes_the_resources_and_keeps_the_retained(
    cfn: Any, client: ClientFactory
) -> None:
    body = template({"A": queue(), "B": {**queue(), "DeletionPolicy": "Retain"}})
    made = cfn.create_stack(StackName="del", TemplateBody=body)
    cfn.delete_stack(StackName="del")
    cfn.get_waiter("stack_delete_complete").wait(StackName="del")
    [left] = client("sqs").list_queues()["QueueUrls"]
    assert "del-B-" in left
    assert describe(cfn, made["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert ("B", "DELETE_SKIPPED") in statuses(cfn, made["StackId"])
    cfn.delete_stack(StackName="del")  # what is not there is deleted already


def test_termination_protection_prevents_deletion(cfn: Any) -> None:
    cfn.create_stack(
        StackName="safe", TemplateBody=template({"A": queue()}), EnableTerminationProtection=True
    )
    assert refusal(cfn.delete_stack, StackName="safe") == (
        "ValidationError",
        "Stack [safe] cannot be deleted while TerminationProtection is enabled",
    )
    cfn.update_termination_protection(StackName="safe", EnableTerminationProtection=False)
    cfn.delete_stack(StackName="safe")


def test_an_export_in_use_can_neither_go_nor_change(cfn: Any) -> None:
    exporting = template(
        {"A": queue()}, Outputs={"X": {"Value": {"Ref": "A"}, "Export": {"Name": "x"}}}
    )
    importing = template({"B": queue()}, Outputs={"Y": {"Value": {"Fn::ImportValue": "x"}}})
    cfn.create_stack(StackName="exporter", TemplateBody=exporting)
    cfn.create_stack(StackName="importer", TemplateBody=importing)
    assert cfn.list_imports(ExportName="x")["Imports"] == ["importer"]
    cfn.delete_stack(StackName="exporter")
    stack = describe(cfn, "exporter")
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert stack["StackStatusReason"] == (
        "Delete canceled. Cannot delete export x as it is in use by importer."
    )
    cfn.delete_stack(StackName="importer")
    cfn.delete_stack(StackName="exporter")
    assert refusal(cfn.list_imports, ExportName="x")[1] == (
        "Export 'x' is not imported by any stack."
    )
    assert cfn.list_exports()["Exports"] == []


def test_every_problem_of_a_template_is_named_at_once(cfn: Any) -> None:
    body = template(
        {
            "Car": {"Type": "AWS::Car::Engine"},
            "A": queue(QueueName={"Ref": "Nobody"}, Colour="red"),
            "B": {**queue(), "DependsOn": "C"},
            "C": {**queue(), "DependsOn": "B"},
        },
        Outputs={
            "O": {"Value": {"Fn::GetAtt": ["Ghost", "Arn"]}},
            "P": {"Value": {"Fn::Sub": "${A.Colour}"}},
        },
    )
    code, message = refusal(cfn.create_stack, StackName="bad", TemplateBody=body)
    assert code == "ValidationError"
    for part in (
        "Unrecognized resource types: [AWS::Car::Engine]",
        "Car",
        "Unresolved resource dependencies [Nobody] in the Resources block of the template",
        "extraneous key [Colour] is not permitted",
        "Circular dependency between resources: [B, C]",
        "instance of Fn::GetAtt references undefined resource Ghost",
        "resource A does not support attribute type Colour in Fn::GetAtt",
    ):
        assert part in message
    assert cfn.list_stacks()["StackSummaries"] == []


def test_parameters_are_checked_and_shown(cfn: Any) -> None:
    body = template(
        {"A": queue(VisibilityTimeout={"Ref": "Seconds"})},
        Parameters={
            "Seconds": {"Type": "Number", "Default": 30, "MaxValue": 100},
            "Word": {"Type": "String", "NoEcho": True, "AllowedPattern": "[a-z]+"},
        },
    )

    def given(**values: str) -> list[dict[str, str]]:
        return [{"ParameterKey": k, "ParameterValue": v} for k, v in values.items()]

    def refused(**values: str) -> str:
        return refusal(
            cfn.create_stack, StackName="p", TemplateBody=body, Parameters=given(**values)
        )[1]

    assert refused() == "Parameters: [Word] must have values"
    assert refused(Word="abc", Other="1") == "Parameters: [Other] do not exist in the template"
    assert refused(Word="ABC") == "Parameter 'Word' must match pattern [a-z]+"
    assert refused(Word="a", Seconds="101") == (
        "Parameter 'Seconds' must be a number not greater than 100"
    )
    cfn.create_stack(StackName="p", TemplateBody=body, Parameters=given(Word="abc"))
    shown = {p["ParameterKey"]: p["ParameterValue"] for p in describe(cfn, "p")["Parameters"]}
    assert shown == {"Seconds": "30", "Word": "****"}
    cfn.update_stack(
        StackName="p",
        UsePreviousTemplate=True,
        Parameters=[
            {"ParameterKey": "Word", "UsePreviousValue": True},
            *given(Seconds="40"),
        ],
    )
    shown = {p["ParameterKey"]: p["ParameterValue"] for p in describe(cfn, "p")["Parameters"]}
    assert shown == {"Seconds": "40", "Word": "****"}


def test_change_sets_create_update_and_tell_when_nothing_changes(cfn: Any) -> None:
    first, second = template({"A": queue()}), template({"A": queue(DelaySeconds=5), "B": queue()})
    made = cfn.create_change_set(
        StackName="cs", ChangeSetName="one", ChangeSetType="CREATE", TemplateBody=first
    )
    assert describe(cfn, "cs")["StackStatus"] == "REVIEW_IN_PROGRESS"
    cfn.get_waiter("change_set_create_complete").wait(ChangeSetName=made["Id"])
    shown = cfn.describe_change_set(ChangeSetName="one", StackName="cs")
    [change] = shown["Changes"]
    assert change["ResourceChange"]["Action"] == "Add"
    cfn.execute_change_set(ChangeSetName=made["Id"])
    assert describe(cfn, "cs")["StackStatus"] == "CREATE_COMPLETE"
    cfn.create_change_set(StackName="cs", ChangeSetName="two", TemplateBody=second)
    shown = cfn.describe_change_set(ChangeSetName="two", StackName="cs")
    actions = {
        one["ResourceChange"]["LogicalResourceId"]: one["ResourceChange"]["Action"]
        for one in shown["Changes"]
    }
    assert actions == {"A": "Modify", "B": "Add"}
    cfn.execute_change_set(ChangeSetName="two", StackName="cs")
    assert describe(cfn, "cs")["StackStatus"] == "UPDATE_COMPLETE"
    # The name of an executed change set is free again; that of a waiting one is not.
    cfn.create_change_set(StackName="cs", ChangeSetName="two", TemplateBody=first)
    code, _ = refusal(
        cfn.create_change_set, StackName="cs", ChangeSetName="two", TemplateBody=first
    )
    assert code == "AlreadyExistsException"
    cfn.create_change_set(StackName="cs", ChangeSetName="three", TemplateBody=second)
    shown = cfn.describe_change_set(ChangeSetName="three", StackName="cs")
    assert shown["Status"] == "FAILED"
    assert shown["StatusReason"] == (
        "The submitted information didn't contain changes. Submit different information to "
        "create a change set."
    )
    code, _message = refusal(cfn.execute_change_set, ChangeSetName="three", StackName="cs")
    assert code == "InvalidChangeSetStatus"
    code, _ = refusal(cfn.describe_change_set, ChangeSetName="nine", StackName="cs")
    assert code == "ChangeSetNotFound"


def test_validate_template_and_summary(cfn: Any) -> None:
    body = template(
        {"A": queue()},
        Description="a queue",
        Parameters={"P": {"Type": "String", "Default": "x", "AllowedValues": ["x", "y"]}},
    )
    valid = cfn.validate_template(TemplateBody=body)
    assert valid["Description"] == "a queue"
    assert valid["Parameters"] == [{"ParameterKey": "P", "DefaultValue": "x", "NoEcho": False}]
    summary = cfn.get_template_summary(TemplateBody=body)
    assert summary["ResourceTypes"] == ["AWS::SQS::Queue"]
    assert summary["Parameters"][0]["ParameterConstraints"] == {"AllowedValues": ["x", "y"]}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{", "Template format error: JSON not well-formed. (line 1, column 2)"),
        ("a: b: c", "Template format error: YAML not well-formed. (line 1, column 5)"),
        ("hello", "Template format error: unsupported structure."),
        ("{}", "Template format error: At least one Resources member must be defined."),
        (
            '{"Resources":{}}',
            "Template format error: At least one Resources member must be defined.",
        ),
        (
            '{"Wrong":1,"Resources":{"A":{"Type":"AWS::SQS::Queue"}}}',
            "Invalid template property or properties [Wrong]",
        ),
        (
            '{"Resources":{"A":{"Type":"AWS::SQS::Queue","DependsOn":"A"}}}',
            "Circular dependency between resources: [A]",
        ),
        (
            '{"Resources":{"A-b":{"Type":"AWS::SQS::Queue"}}}',
            "Template format error: Resource name A-b is non alphanumeric.",
        ),
    ],
)
def test_malformed_templates_are_refused_in_the_services_words(
    cfn: Any, body: str, message: str
) -> None:
    assert refusal(cfn.validate_template, TemplateBody=body) == ("ValidationError", message)


def test_stacks_that_are_not_there(cfn: Any) -> None:
    assert refusal(cfn.describe_stacks, StackName="no") == (
        "ValidationError",
        "Stack with id no does not exist",
    )
    assert refusal(cfn.update_stack, StackName="no", TemplateBody="{}")[1] == (
        "Stack [no] does not exist"
    )
    assert refusal(cfn.create_stack, StackName="1bad", TemplateBody="{}")[0] == "ValidationError"
    cfn.create_stack(StackName="twice", TemplateBody=template({"A": queue()}))
    assert refusal(cfn.create_stack, StackName="twice", TemplateBody=template({"A": queue()})) == (
        "AlreadyExistsException",
        "Stack [twice] already exists",
    )
