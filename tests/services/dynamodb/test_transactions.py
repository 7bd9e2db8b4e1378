"""TransactWriteItems and TransactGetItems through boto3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Make = Callable[..., str]
Refused = Callable[..., str]


def key(pk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}}


def put(pk: str, **more: Any) -> dict[str, Any]:
    return {"Put": {"TableName": "tbl", "Item": key(pk), **more}}


def count(ddb: Any) -> int:
    return int(ddb.scan(TableName="tbl")["Count"])


def test_all_kinds_of_writes_happen_together(ddb: Any, make: Make) -> None:
    make("tbl", "pk:S")
    for pk in ("update", "delete", "check"):
        ddb.put_item(TableName="tbl", Item=key(pk))
    answer = ddb.transact_write_items(
        TransactItems=[
            put("new"),
            {
                "Update": {
                    "TableName": "tbl",
                    "Key": key("update"),
                    "UpdateExpression": "SET v = :v",
                    "ExpressionAttributeValues": {":v": {"N": "1"}},
                }
            },
            {"Delete": {"TableName": "tbl", "Key": key("delete")}},
            {
                "ConditionCheck": {
                    "TableName": "tbl",
                    "Key": key("check"),
                    "ConditionExpression": "attribute_exists(pk)",
                }
            },
        ],
        ReturnConsumedCapacity="TOTAL",
    )
    assert answer["ConsumedCapacity"] == [
        {"TableName": "tbl", "CapacityUnits": 8.0, "WriteCapacityUnits": 8.0}
    ]
    got = ddb.transact_get_items(
        TransactItems=[
            {"Get": {"TableName": "tbl", "Key": key(pk)}}
            for pk in ("new", "update", "delete", "check")
        ]
    )["Responses"]
    assert got == [
        {"Item": key("new")},
        {"Item": {**key("update"), "v": {"N": "1"}}},
        {},
        {"Item": key("check")},
    ]


def test_one_failed_condition_undoes_all_and_reasons_are_given(ddb: Any, make: Make) -> None:
    make("tbl", "pk:S")
    ddb.put_item(TableName="tbl", Item=key("there"))
    with pytest.raises(ClientError) as caught:
        ddb.transact_write_items(
            TransactItems=[
                put("new"),
                put(
                    "there",
                    ConditionExpression="attribute_not_exists(pk)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                ),
                {"Put": {"TableName": "tbl", "Item": {"pk": {"N": "1"}}}},
            ]
        )
    error = caught.value.response
    assert error["Error"]["Code"] == "TransactionCanceledException"
    assert error["Error"]["Message"] == (
        "Transaction cancelled, please refer cancellation reasons for specific reasons "
        "[None, ConditionalCheckFailed, ValidationError]"
    )
    assert error["CancellationReasons"] == [
        {"Code": "None"},
        {
            "Code": "ConditionalCheckFailed",
            "Message": "The conditional request failed",
            "Item": key("there"),
        },
        {
            "Code": "ValidationError",
            "Message": "One or more parameter values were invalid: Type mismatch for key pk "
            "expected: S actual: N",
        },
    ]
    assert count(ddb) == 1


def test_a_token_makes_a_repetition_harmless_and_a_change_an_error(
    ddb: Any, make: Make, refused: Refused
) -> None:
    make("tbl", "pk:S")
    add = {
        "Update": {
            "TableName": "tbl",
            "Key": key("k"),
            "UpdateExpression": "ADD n :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }
    for _ in range(2):
        ddb.transact_write_items(TransactItems=[add], ClientRequestToken="token")
    assert ddb.get_item(TableName="tbl", Key=key("k"))["Item"]["n"] == {"N": "1"}
    refused(
        ddb.transact_write_items,
        "IdempotentParameterMismatchException",
        TransactItems=[put("other")],
        ClientRequestToken="token",
    )
    ddb.transact_write_items(TransactItems=[add], ClientRequestToken="another")
    assert ddb.get_item(TableName="tbl", Key=key("k"))["Item"]["n"] == {"N": "2"}


def test_unsound_transactions_are_refused(ddb: Any, make: Make, refused: Refused) -> None:
    make("tbl", "pk:S")
    write = ddb.transact_write_items
    assert refused(write, TransactItems=[put("a"), put("a")]) == (
        "Transaction request cannot include multiple operations on one item"
    )
    assert refused(
        write, TransactItems=[{**put("a"), "Delete": {"TableName": "tbl", "Key": key("b")}}]
    ) == ("TransactItems can only contain one of Check, Put, Update or Delete")
    assert refused(write, TransactItems=[put("a", ConditionExpression="nope(")]).startswith(
        "Invalid ConditionExpression: Syntax error"
    )
    refused(
        write,
        "ResourceNotFoundException",
        TransactItems=[put("a"), {"Put": {"TableName": "none", "Item": key("a")}}],
    )
    assert count(ddb) == 0
