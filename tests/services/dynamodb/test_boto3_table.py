"""boto3's own table resource: its condition builder, its decimals, its batch writer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Attr, Key


@pytest.fixture
def table(node: Any, account: str) -> Any:
    resource = boto3.resource(
        "dynamodb",
        endpoint_url=node.endpoint,
        region_name="us-east-1",
        aws_access_key_id=account,
        aws_secret_access_key="secret",
    )
    made = resource.create_table(
        TableName="music",
        AttributeDefinitions=[
            {"AttributeName": "artist", "AttributeType": "S"},
            {"AttributeName": "year", "AttributeType": "N"},
        ],
        KeySchema=[
            {"AttributeName": "artist", "KeyType": "HASH"},
            {"AttributeName": "year", "KeyType": "RANGE"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    made.wait_until_exists()
    with made.batch_writer() as batch:
        for number in range(60):
            batch.put_item(
                Item={
                    "artist": "a" if number % 2 else "b",
                    "year": 1990 + number,
                    "score": Decimal(number) / 4,
                    "tags": {"x", "y"} if number % 3 else {"z"},
                    "info": {"label": f"l{number % 5}", "none": None, "list": [1, True, b"raw"]},
                }
            )
    return made


def years(answer: Any) -> list[int]:
    return [int(item["year"]) for item in answer["Items"]]


def test_the_condition_builders_expressions_are_understood(table: Any) -> None:
    key = Key("artist").eq("a") & Key("year").between(2000, 2010)
    assert years(table.query(KeyConditionExpression=key)) == [2001, 2003, 2005, 2007, 2009]
    found = table.query(
        KeyConditionExpression=key,
        FilterExpression=(
            (Attr("info.label").is_in(["l1", "l2"]) | Attr("tags").contains("z"))
            & ~(Attr("score").lt(Decimal("3")) & Attr("info.list[1]").eq(True))
            & Attr("absent").not_exists()
            & Attr("tags").size().gte(1)
        ),
    )
    assert years(found) == [2005, 2007]
    assert found["ScannedCount"] == 5


def test_values_come_back_in_pythons_types(table: Any) -> None:
    item = table.get_item(Key={"artist": "a", "year": 1991})["Item"]
    assert item["score"] == Decimal("0.25")
    assert item["tags"] == {"x", "y"}
    assert item["info"]["list"][2].value == b"raw"
    assert item["info"]["none"] is None
    table.load()
    assert table.item_count == 60
