"""TransactWriteItems and TransactGetItems through boto3."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambent.core.clock import VirtualClock
from lambent.core.ids import SeededIds
from lambent.services.dynamodb import duties
from lambent.services.dynamodb.model import TOKENS
from lambent.services.dynamodb.statistics import Ledger
from lambent.store.backends.sqlite import open_sqlite
from lambent.store.contract import Transaction

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


def test_an_empty_key_is_the_whole_requests_fault_and_another_a_reason(
    ddb: Any, make: Make, refused: Refused
) -> None:
    make("tbl", "pk:S", gsi={"by_g": ("g:S", "ALL")})
    write, empty = ddb.transact_write_items, {"S": ""}
    table = {"TableName": "tbl"}
    update = {"UpdateExpression": "REMOVE v"}
    for member in (
        {"Put": {**table, "Item": {"pk": empty}}},
        {"Put": {**table, "Item": {"pk": {"S": "k"}, "g": empty}}},
        {"Delete": {**table, "Key": {"pk": empty}}},
        {"Update": {**table, "Key": {"pk": empty}, **update}},
    ):
        assert "empty string value" in refused(write, TransactItems=[member])
    get = {"Get": {**table, "Key": {"pk": empty}}}
    assert "empty string value" in refused(ddb.transact_get_items, TransactItems=[get])
    number = {"Delete": {**table, "Key": {"pk": {"N": "1"}}}}
    refused(write, "TransactionCanceledException", TransactItems=[number])


def test_a_transaction_holds_at_most_4_mb(ddb: Any, make: Make, refused: Refused) -> None:
    make("tbl", "pk:S")
    item = {"v": {"S": "x" * 390_000}}
    puts = [{"Put": {"TableName": "tbl", "Item": {"pk": {"S": str(n)}, **item}}} for n in range(11)]
    refused(ddb.transact_write_items, TransactItems=puts)
    assert ddb.scan(TableName="tbl", Select="COUNT")["Count"] == 0


def test_a_projection_that_finds_nothing_leaves_the_item_out(ddb: Any, make: Make) -> None:
    make("tbl", "pk:S")
    ddb.put_item(TableName="tbl", Item={"pk": {"S": "k"}})
    get = {"TableName": "tbl", "Key": {"pk": {"S": "k"}}, "ProjectionExpression": "v"}
    assert ddb.transact_get_items(TransactItems=[{"Get": get}])["Responses"] == [{}]


async def test_old_tokens_are_forgotten_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duties, "_BATCH", 3)
    clock = VirtualClock()
    store = await open_sqlite(tmp_path, clock, SeededIds(1))

    async def add(tx: Transaction, *names: str) -> None:
        for name in names:
            await tx.put(TOKENS, b"a/r", name.encode(), int(tx.now).to_bytes(8, "big"))

    await store.transact(lambda tx: add(tx, *"abdefg"))
    await clock.advance(duties.TOKEN_SECONDS + 1)
    await store.transact(lambda tx: add(tx, "c", "h"))
    await duties.Duties(store, clock, Ledger(store)).sweep()
    kept = await store.transact(lambda tx: tx.scan_all(TOKENS))
    await store.close()
    assert [record.sort for record in kept] == [b"c", b"h"]
