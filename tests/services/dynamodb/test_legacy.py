"""The parameters from before expressions, through boto3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Make = Callable[..., str]
Refused = Callable[..., str]
KEY = {"pk": {"S": "k"}}
WRONG = "One or more parameter values were invalid: "


def equals(value: dict[str, Any], operator: str = "EQ") -> dict[str, Any]:
    return {"ComparisonOperator": operator, "AttributeValueList": [value]}


def test_expected_guards_a_write(ddb: Any, make: Make, refused: Refused) -> None:
    make("tbl", "pk:S")
    failed = "ConditionalCheckFailedException"
    item = {**KEY, "n": {"N": "1"}}
    ddb.put_item(TableName="tbl", Item=item, Expected={"pk": {"Exists": False}})
    refused(ddb.put_item, failed, TableName="tbl", Item=item, Expected={"pk": {"Exists": False}})
    ddb.put_item(TableName="tbl", Item=item, Expected={"n": {"Value": {"N": "1.0"}}})
    both = {"n": equals({"N": "5"}, "GT"), "pk": equals({"S": "k"})}
    refused(ddb.put_item, failed, TableName="tbl", Item=item, Expected=both)
    ddb.delete_item(TableName="tbl", Key=KEY, Expected=both, ConditionalOperator="OR")


def test_attribute_updates(ddb: Any, make: Make) -> None:
    make("tbl", "pk:S")
    ddb.put_item(
        TableName="tbl",
        Item={**KEY, "n": {"N": "1"}, "ss": {"SS": ["a", "b"]}, "gone": {"S": "x"}},
    )
    new = ddb.update_item(
        TableName="tbl",
        Key=KEY,
        AttributeUpdates={
            "n": {"Action": "ADD", "Value": {"N": "2"}},
            "ss": {"Action": "DELETE", "Value": {"SS": ["a"]}},
            "gone": {"Action": "DELETE"},
            "p": {"Value": {"S": "put"}},
        },
        ReturnValues="ALL_NEW",
    )["Attributes"]
    assert new == {**KEY, "n": {"N": "3"}, "ss": {"SS": ["b"]}, "p": {"S": "put"}}


def test_key_conditions_and_filters(ddb: Any, make: Make) -> None:
    make("tbl", "pk:S", "sk:N")
    for number in range(6):
        ddb.put_item(
            TableName="tbl",
            Item={
                **KEY,
                "sk": {"N": str(number)},
                "v": {"S": "even" if number % 2 == 0 else "odd"},
            },
        )
    between = {
        "ComparisonOperator": "BETWEEN",
        "AttributeValueList": [{"N": "1"}, {"N": "4"}],
    }
    answer = ddb.query(
        TableName="tbl",
        KeyConditions={"pk": equals({"S": "k"}), "sk": between},
        QueryFilter={"v": equals({"S": "ev"}, "BEGINS_WITH")},
        AttributesToGet=["sk"],
    )
    assert answer["Items"] == [{"sk": {"N": "2"}}, {"sk": {"N": "4"}}]
    answer = ddb.scan(
        TableName="tbl",
        ScanFilter={"v": equals({"S": "odd"}, "NE"), "sk": equals({"N": "5"})},
        ConditionalOperator="OR",
    )
    assert answer["Count"] == 4


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        (
            {"a": {}},
            WRONG + "Value must be provided when Exists is null for Attribute: a",
        ),
        (
            {"a": {"Exists": False, "Value": {"S": "x"}}},
            WRONG + "Value cannot be used when Exists is false for Attribute: a",
        ),
        (
            {"a": {"AttributeValueList": [{"S": "x"}]}},
            WRONG + "AttributeValueList can only be used with a ComparisonOperator "
            "for Attribute: a",
        ),
        (
            {"a": {"ComparisonOperator": "EQ"}},
            WRONG + "Value or AttributeValueList must be used with ComparisonOperator: EQ "
            "for Attribute: a",
        ),
        (
            {"a": {"ComparisonOperator": "BETWEEN", "AttributeValueList": [{"S": "x"}]}},
            WRONG + "Invalid number of argument(s) for the BETWEEN ComparisonOperator",
        ),
        (
            {"a": equals({"SS": ["x"]}, "LT")},
            WRONG + "ComparisonOperator LT is not valid for SS AttributeValue type",
        ),
    ],
)
def test_unsound_expectations_are_refused_in_awss_words(
    ddb: Any, make: Make, refused: Refused, expected: dict[str, Any], message: str
) -> None:
    make("tbl", "pk:S")
    assert refused(ddb.put_item, TableName="tbl", Item=KEY, Expected=expected) == message
