"""BatchGetItem and BatchWriteItem through boto3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Make = Callable[..., str]
Refused = Callable[..., str]


def put(pk: str, **attributes: Any) -> dict[str, Any]:
    return {"PutRequest": {"Item": {"pk": {"S": pk}, **attributes}}}


def key(pk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}}


def test_writes_and_reads_of_several_tables(ddb: Any, make: Make) -> None:
    make("one", "pk:S")
    make("two", "pk:S")
    ddb.put_item(TableName="two", Item=key("old"))
    answer = ddb.batch_write_item(
        RequestItems={
            "one": [put("a"), put("b", v={"N": "1"})],
            "two": [{"DeleteRequest": {"Key": key("old")}}],
        },
        ReturnConsumedCapacity="TOTAL",
    )
    assert answer["UnprocessedItems"] == {}
    assert answer["ConsumedCapacity"] == [
        {"TableName": "one", "CapacityUnits": 2.0},
        {"TableName": "two", "CapacityUnits": 1.0},
    ]
    answer = ddb.batch_get_item(
        RequestItems={
            "one": {"Keys": [key("a"), key("b"), key("none")], "ProjectionExpression": "v"},
            "two": {"Keys": [key("old")]},
        }
    )
    assert answer["Responses"] == {"one": [{}, {"v": {"N": "1"}}], "two": []}
    assert answer["UnprocessedKeys"] == {}


def test_a_batch_is_refused_as_a_whole(ddb: Any, make: Make, refused: Refused) -> None:
    make("tbl", "pk:S")
    duplicates = "Provided list of item keys contains duplicates"
    write = ddb.batch_write_item
    assert refused(write, RequestItems={"tbl": [put("a"), put("a")]}) == duplicates
    both = {**put("a"), "DeleteRequest": {"Key": key("b")}}
    assert refused(write, RequestItems={"tbl": [both]}).startswith(
        "Supplied AttributeValue has more than one datatypes set"
    )
    assert refused(write, RequestItems={"tbl": [{}]}).startswith("Supplied AttributeValue is empty")
    refused(
        write, "ResourceNotFoundException", RequestItems={"tbl": [put("a")], "none": [put("a")]}
    )
    message = refused(write, RequestItems={"tbl": [put("a"), {"PutRequest": {"Item": {}}}]})
    assert message == "The provided key element does not match the schema"
    wrong = {"PutRequest": {"Item": {"pk": {"N": "1"}}}}
    assert refused(write, RequestItems={"tbl": [wrong]}) == message
    empty = {"PutRequest": {"Item": {"pk": {"S": ""}}}}
    assert refused(write, RequestItems={"tbl": [empty]}).endswith("empty string value. Key: pk")
    assert ddb.scan(TableName="tbl")["Count"] == 0
    get = ddb.batch_get_item
    assert refused(get, RequestItems={"tbl": {"Keys": [key("a"), key("a")]}}) == duplicates
    make("other", "pk:S")
    old = {"Keys": [key("a")], "AttributesToGet": ["pk"]}
    new = {"Keys": [key("a")], "ProjectionExpression": "pk"}
    assert refused(get, RequestItems={"tbl": old, "other": new}).startswith("Can not use both")
    message = refused(get, RequestItems={"tbl": {"Keys": [{"x": {"S": "a"}}]}})
    assert message == "The provided key element does not match the schema"


def test_a_batch_has_at_most_25_writes_and_100_gets(ddb: Any, make: Make, refused: Refused) -> None:
    make("one", "pk:S")
    make("two", "pk:S")
    writes = {
        "one": [put(str(number)) for number in range(13)],
        "two": [put(str(number)) for number in range(13)],
    }
    assert refused(ddb.batch_write_item, RequestItems=writes) == (
        "Too many items requested for the BatchWriteItem call"
    )
    gets = {name: {"Keys": [key(str(number)) for number in range(51)]} for name in ("one", "two")}
    assert refused(ddb.batch_get_item, RequestItems=gets) == (
        "Too many items requested for the BatchGetItem call"
    )


def test_what_is_over_16_mb_comes_back_unprocessed(ddb: Any, make: Make) -> None:
    make("tbl", "pk:S")
    for number in range(45):
        ddb.put_item(TableName="tbl", Item={**key(str(number)), "v": {"S": "x" * 400_000}})
    asked = {"tbl": {"Keys": [key(str(number)) for number in range(45)], "ConsistentRead": True}}
    answer = ddb.batch_get_item(RequestItems=asked)
    left = answer["UnprocessedKeys"]["tbl"]
    assert (len(answer["Responses"]["tbl"]), left["ConsistentRead"]) == (41, True)
    rest = ddb.batch_get_item(RequestItems=answer["UnprocessedKeys"])
    assert len(rest["Responses"]["tbl"]) == len(left["Keys"]) == 4
