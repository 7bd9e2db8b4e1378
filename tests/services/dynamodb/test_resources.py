"""AWS::DynamoDB::Table and AWS::DynamoDB::GlobalTable in stacks."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

Deploy = Callable[[dict[str, Any]], dict[str, str]]


@pytest.fixture
def deploy(client: Callable[..., Any]) -> Deploy:
    """Creates or updates the stack `s` with one resource `T`; its outputs."""
    stacks = client("cloudformation")
    made: list[str] = []

    def run(resource: dict[str, Any]) -> dict[str, str]:
        outputs = {"Ref": {"Ref": "T"}, "Arn": {"Fn::GetAtt": ["T", "Arn"]}}
        if "StreamSpecification" in resource["Properties"]:
            outputs["StreamArn"] = {"Fn::GetAtt": ["T", "StreamArn"]}
        template = {
            "Resources": {"T": resource},
            "Outputs": {name: {"Value": value} for name, value in outputs.items()},
        }
        given = {"StackName": "stack", "TemplateBody": json.dumps(template)}
        (stacks.update_stack if made else stacks.create_stack)(**given)
        waiter = "stack_update_complete" if made else "stack_create_complete"
        stacks.get_waiter(waiter).wait(StackName="stack", WaiterConfig={"Delay": 1})
        made.append("stack")
        found = stacks.describe_stacks(StackName="stack")["Stacks"][0]["Outputs"]
        return {output["OutputKey"]: output["OutputValue"] for output in found}

    return run


def attributes(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": "S"} for name in names]


def general(name: str, attribute: str) -> dict[str, Any]:
    return {
        "IndexName": name,
        "KeySchema": [{"AttributeName": attribute, "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }


def table(**properties: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "AttributeDefinitions": attributes("pk"),
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            **properties,
        },
    }


def test_a_table_is_made_with_its_settings_and_changed_in_place(ddb: Any, deploy: Deploy) -> None:
    outputs = deploy(
        table(
            AttributeDefinitions=attributes("pk", "a"),
            GlobalSecondaryIndexes=[general("by_a", "a")],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamViewType": "NEW_IMAGE"},
            TimeToLiveSpecification={"AttributeName": "expires", "Enabled": "true"},
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
            Tags=[{"Key": "k", "Value": "v"}],
        )
    )
    name = outputs["Ref"]
    made = ddb.describe_table(TableName=name)["Table"]
    assert outputs["Arn"] == made["TableArn"]
    assert outputs["StreamArn"] == made["LatestStreamArn"]
    assert name.startswith("stack-T-")
    ddb.put_item(TableName=name, Item={"pk": {"S": "k"}, "b": {"S": "b"}, "c": {"S": "c"}})
    again = deploy(
        table(
            AttributeDefinitions=attributes("pk", "b", "c"),
            GlobalSecondaryIndexes=[
                {
                    **general(f"by_{each}", each),
                    "ProvisionedThroughput": {"ReadCapacityUnits": "1", "WriteCapacityUnits": 1},
                }
                for each in ("b", "c")
            ],
            ProvisionedThroughput={"ReadCapacityUnits": "2", "WriteCapacityUnits": "3"},
            DeletionProtectionEnabled="true",
            TimeToLiveSpecification={"AttributeName": "later", "Enabled": True},
        )
    )
    assert again["Ref"] == name
    changed = ddb.describe_table(TableName=name)["Table"]
    assert changed["TableId"] == made["TableId"]
    assert changed["ProvisionedThroughput"]["WriteCapacityUnits"] == 3
    assert changed["DeletionProtectionEnabled"] is True
    assert "StreamSpecification" not in changed
    for index in ("by_b", "by_c"):
        assert ddb.scan(TableName=name, IndexName=index)["Count"] == 1
    expiry = ddb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert expiry == {"TimeToLiveStatus": "ENABLED", "AttributeName": "later"}
    tags = ddb.list_tags_of_resource(ResourceArn=made["TableArn"])["Tags"]
    assert {"Key": "k", "Value": "v"} not in tags


def test_another_key_makes_another_table(ddb: Any, deploy: Deploy) -> None:
    first = deploy(table(BillingMode="PAY_PER_REQUEST"))["Ref"]
    other = table(
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=attributes("id"),
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    second = deploy(other)["Ref"]
    assert first != second
    assert second in ddb.list_tables()["TableNames"]


def test_a_global_table_of_one_region(ddb: Any, deploy: Deploy) -> None:
    outputs = deploy(
        {
            "Type": "AWS::DynamoDB::GlobalTable",
            "Properties": {
                "AttributeDefinitions": attributes("pk"),
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                "BillingMode": "PAY_PER_REQUEST",
                "Replicas": [{"Region": "us-east-1", "DeletionProtectionEnabled": False}],
            },
        }
    )
    assert ddb.describe_table(TableName=outputs["Ref"])["Table"]["TableStatus"] == "ACTIVE"
