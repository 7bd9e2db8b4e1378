"""Query and Scan through boto3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Make = Callable[..., str]
Refused = Callable[..., str]


@pytest.fixture
def table(ddb: Any, make: Make) -> str:
    """Hash keys a and b, each with range keys -2, -1.5, 0, 3, 20; `v` counts up."""
    make(
        "tbl",
        "pk:S",
        "sk:N",
        gsi={
            "by_g": ("g:S", "sk:N", "ALL"),
            "keys": ("g:S", "KEYS_ONLY"),
            "some": ("g:S", ["v"]),
        },
        lsi={"by_v": ("pk:S", "v:N", "KEYS_ONLY")},
    )
    for pk in ("a", "b"):
        for number, sk in enumerate(("3", "-2", "20", "0", "-1.5")):
            ddb.put_item(
                TableName="tbl",
                Item={
                    "pk": {"S": pk},
                    "sk": {"N": sk},
                    "v": {"N": str(number)},
                    "g": {"S": "even" if number % 2 == 0 else "odd"},
                    "w": {"S": "w"},
                },
            )
    return "tbl"


def query(ddb: Any, condition: str = "pk = :a", **params: Any) -> Any:
    values = {":a": {"S": "a"}, **params.pop("values", {})}
    return ddb.query(
        TableName="tbl",
        KeyConditionExpression=condition,
        ExpressionAttributeValues=values,
        **params,
    )


def numbers(answer: Any, name: str = "sk") -> list[str]:
    return [item[name]["N"] for item in answer["Items"]]


@pytest.mark.parametrize(
    ("condition", "values", "found"),
    [
        ("pk = :a", {}, ["-2", "-1.5", "0", "3", "20"]),
        ("pk = :a AND sk = :x", {":x": {"N": "3.0"}}, ["3"]),
        ("sk < :x AND pk = :a", {":x": {"N": "0"}}, ["-2", "-1.5"]),
        ("pk = :a AND sk <= :x", {":x": {"N": "0"}}, ["-2", "-1.5", "0"]),
        ("pk = :a AND sk > :x", {":x": {"N": "0"}}, ["3", "20"]),
        ("pk = :a AND :x <= sk", {":x": {"N": "0"}}, ["0", "3", "20"]),
        (
            "pk = :a AND sk BETWEEN :x AND :y",
            {":x": {"N": "-1.5"}, ":y": {"N": "3"}},
            ["-1.5", "0", "3"],
        ),
        ("(pk = :a) AND (sk > :x)", {":x": {"N": "100"}}, []),
    ],
)
def test_range_conditions(
    ddb: Any, table: str, condition: str, values: dict[str, Any], found: list[str]
) -> None:
    answer = query(ddb, condition, values=values)
    assert numbers(answer) == found
    assert answer["Count"] == answer["ScannedCount"] == len(found)
    assert "LastEvaluatedKey" not in answer


def test_strings_and_prefixes_are_ordered_by_bytes(ddb: Any, make: Make) -> None:
    make("tbl", "pk:S", "sk:S")
    for sk in ("b", "a", "é", "aa", "B", "a#1", "￿", "𐀀"):
        ddb.put_item(TableName="tbl", Item={"pk": {"S": "a"}, "sk": {"S": sk}})
    found = [item["sk"]["S"] for item in query(ddb)["Items"]]
    assert found == ["B", "a", "a#1", "aa", "b", "é", "￿", "𐀀"]
    found = query(ddb, "pk = :a AND begins_with(sk, :x)", values={":x": {"S": "a"}})["Items"]
    assert [item["sk"]["S"] for item in found] == ["a", "a#1", "aa"]


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("index", [None, "by_g", "by_v"])
def test_pages_join_up_to_the_whole(ddb: Any, table: str, forward: bool, index: str | None) -> None:
    params: dict[str, Any] = {"ScanIndexForward": forward}
    condition, values = "pk = :a", {}
    if index is not None:
        params["IndexName"] = index
    if index == "by_g":
        condition, values = "g = :a", {":a": {"S": "even"}}
    whole = query(ddb, condition, values=values, **params)["Items"]
    pages, start = [], {}
    for _ in range(len(whole) + 1):
        answer = query(ddb, condition, values=values, Limit=1, **params, **start)
        pages.extend(answer["Items"])
        if "LastEvaluatedKey" not in answer:
            break
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
    assert pages == whole
    assert len(whole) == (6 if index == "by_g" else 5)


def test_a_limit_that_is_reached_gives_a_key_to_go_on_from(ddb: Any, table: str) -> None:
    answer = query(ddb, Limit=5)
    assert answer["LastEvaluatedKey"] == {"pk": {"S": "a"}, "sk": {"N": "20"}}
    assert "LastEvaluatedKey" not in query(ddb, Limit=6)


def test_backward_order(ddb: Any, table: str) -> None:
    answer = query(ddb, "pk = :a AND sk < :x", values={":x": {"N": "3"}}, ScanIndexForward=False)
    assert numbers(answer) == ["0", "-1.5", "-2"]


def test_filters_come_after_the_limit_and_are_counted(ddb: Any, table: str) -> None:
    answer = query(ddb, values={":x": {"N": "1"}}, FilterExpression="v > :x", Limit=3)
    assert numbers(answer) == ["-1.5", "0"]
    assert (answer["Count"], answer["ScannedCount"]) == (2, 3)


def test_select_count_gives_no_items(ddb: Any, table: str) -> None:
    answer = query(ddb, Select="COUNT")
    assert (answer["Count"], "Items" in answer) == (5, False)


def test_indexes_hold_what_they_project(ddb: Any, table: str) -> None:
    odd = {":a": {"S": "odd"}}
    keys_only = query(ddb, "g = :a", IndexName="keys", values=odd)["Items"]
    assert all(item.keys() == {"pk", "sk", "g"} for item in keys_only)
    some = query(ddb, "g = :a", IndexName="some", values=odd)["Items"]
    assert all(item.keys() == {"pk", "sk", "g", "v"} for item in some)
    assert len(keys_only) == len(some) == 4
    local = query(ddb, IndexName="by_v")
    assert numbers(local, "v") == ["0", "1", "2", "3", "4"]
    assert local["Items"][0].keys() == {"pk", "sk", "v"}


def test_a_local_index_fetches_what_it_does_not_hold(ddb: Any, table: str) -> None:
    everything = query(ddb, IndexName="by_v", Select="ALL_ATTRIBUTES", ConsistentRead=True)
    assert everything["Items"][0].keys() == {"pk", "sk", "v", "g", "w"}
    part = query(ddb, IndexName="by_v", ProjectionExpression="w")
    assert part["Items"][0] == {"w": {"S": "w"}}


def test_indexes_follow_every_change(ddb: Any, table: str) -> None:
    key = {"pk": {"S": "a"}, "sk": {"N": "0"}}

    def found(group: str) -> int:
        answer = query(ddb, "g = :a", IndexName="by_g", values={":a": {"S": group}})
        return int(answer["Count"])

    assert (found("odd"), found("new")) == (4, 0)
    ddb.update_item(
        TableName="tbl",
        Key=key,
        UpdateExpression="SET g = :g",
        ExpressionAttributeValues={":g": {"S": "new"}},
    )
    assert (found("odd"), found("new")) == (3, 1)
    ddb.update_item(TableName="tbl", Key=key, UpdateExpression="REMOVE g")
    assert (found("odd"), found("new")) == (3, 0)
    ddb.put_item(TableName="tbl", Item={**key, "g": {"S": "new"}})
    assert found("new") == 1
    ddb.delete_item(TableName="tbl", Key=key)
    assert found("new") == 0


@pytest.mark.parametrize(
    ("condition", "values", "message"),
    [
        ("sk = :a", {":a": {"N": "1"}}, "Query condition missed key schema element: pk"),
        ("pk > :a", {}, "Query key condition not supported"),
        (
            "pk = :a AND v = :x",
            {":x": {"N": "1"}},
            "Query condition missed key schema element: sk",
        ),
        (
            "pk = :a AND sk = :x",
            {":x": {"S": "1"}},
            "One or more parameter values were invalid: Condition parameter type does not match "
            "schema type",
        ),
        (
            "pk = :a OR sk = :x",
            {":x": {"N": "1"}},
            "Invalid operator used in KeyConditionExpression: OR",
        ),
        (
            "pk = :a AND sk <> :x",
            {":x": {"N": "1"}},
            "Invalid operator used in KeyConditionExpression: <>",
        ),
        (
            "pk = :a AND sk IN (:x)",
            {":x": {"N": "1"}},
            "Invalid operator used in KeyConditionExpression: IN",
        ),
        (
            "pk = :a AND attribute_exists(sk)",
            {},
            "Invalid operator used in KeyConditionExpression: attribute_exists",
        ),
        (
            "pk = :a AND size(sk) = :x",
            {":x": {"N": "1"}},
            "KeyConditionExpressions cannot contain nested operations",
        ),
        (
            "pk = :a AND sk.x = :x",
            {":x": {"N": "1"}},
            "KeyConditionExpressions cannot have conditions on nested attributes",
        ),
        (
            "pk = :a AND pk = :x",
            {":x": {"S": "1"}},
            "KeyConditionExpressions must only contain one condition per key",
        ),
        (
            "pk = :a AND sk = v",
            {},
            "Invalid condition in KeyConditionExpression: Multiple attribute names used in one "
            "condition",
        ),
        (
            "pk = :a AND begins_with(sk, :x)",
            {":x": {"N": "1"}},
            "Invalid KeyConditionExpression: Incorrect operand type for operator or function; "
            "operator or function: begins_with, operand type: N",
        ),
        (
            "pk = :a",
            {":a": {"S": ""}},
            "One or more parameter values are not valid. The AttributeValue for a key attribute "
            "cannot contain an empty string value. Key: pk",
        ),
        ("pk = :a AND", {}, 'Invalid KeyConditionExpression: Syntax error; token: "<EOF>", near: '),
        ("", {}, "Invalid KeyConditionExpression: The expression can not be empty;"),
    ],
)
def test_unsound_key_conditions_are_refused_in_awss_words(
    ddb: Any,
    table: str,
    refused: Refused,
    condition: str,
    values: dict[str, Any],
    message: str,
) -> None:
    found = refused(
        ddb.query,
        TableName="tbl",
        KeyConditionExpression=condition,
        ExpressionAttributeValues={":a": {"S": "a"}, **values},
    )
    assert found.startswith(message)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"KeyConditionExpression": None, "ExpressionAttributeValues": None},
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in "
            "the request.",
        ),
        ({"IndexName": "nope"}, "The table does not have the specified index: nope"),
        (
            {"IndexName": "by_g", "ConsistentRead": True},
            "Consistent reads are not supported on global secondary indexes",
        ),
        (
            {"FilterExpression": "pk = :a"},
            "Filter Expression can only contain non-primary key attributes: "
            "Primary key attribute: pk",
        ),
        (
            {"Select": "COUNT", "ProjectionExpression": "v"},
            "Cannot specify the ProjectionExpression when choosing to get only the Count",
        ),
        (
            {"Select": "ALL_PROJECTED_ATTRIBUTES"},
            "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName",
        ),
        (
            {"Select": "SPECIFIC_ATTRIBUTES"},
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get "
            "SPECIFIC_ATTRIBUTES",
        ),
        (
            {"ExclusiveStartKey": {"pk": {"S": "a"}}},
            "The provided starting key is invalid",
        ),
        (
            {"ExclusiveStartKey": {"pk": {"S": "b"}, "sk": {"N": "1"}}},
            "The provided starting key is outside query boundaries based on provided conditions",
        ),
        (
            {"Limit": 0},
            "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1",
        ),
    ],
)
def test_unsound_queries_are_refused_in_awss_words(
    ddb: Any, table: str, refused: Refused, params: dict[str, Any], message: str
) -> None:
    given = {
        "TableName": "tbl",
        "KeyConditionExpression": "pk = :a",
        "ExpressionAttributeValues": {":a": {"S": "a"}},
        **params,
    }
    found = refused(
        ddb.query, **{name: value for name, value in given.items() if value is not None}
    )
    assert found == message


def test_global_indexes_refuse_what_they_do_not_hold(
    ddb: Any, table: str, refused: Refused
) -> None:
    given = {
        "TableName": "tbl",
        "IndexName": "keys",
        "KeyConditionExpression": "g = :a",
        "ExpressionAttributeValues": {":a": {"S": "odd"}},
    }
    assert refused(ddb.query, **given, Select="ALL_ATTRIBUTES") == (
        "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported "
        "for global secondary index keys because its projection type is not ALL"
    )
    assert refused(ddb.query, **given, ProjectionExpression="w, v") == (
        "One or more parameter values were invalid: Global secondary index keys does not project "
        "[v, w]"
    )


def test_filters_see_only_what_an_index_holds(ddb: Any, table: str, refused: Refused) -> None:
    message = refused(
        ddb.scan,
        TableName="tbl",
        IndexName="by_v",
        FilterExpression="w = :w",
        ExpressionAttributeValues={":w": {"S": "w"}},
    )
    assert message == (
        "One or more parameter values were invalid: Secondary index by_v does not project one or "
        "more filter attributes: [w]"
    )


def test_a_scan_sees_every_item_once_in_pages_and_segments(ddb: Any, table: str) -> None:
    for number in range(50):
        ddb.put_item(
            TableName="tbl", Item={"pk": {"S": f"more-{number}"}, "sk": {"N": str(number)}}
        )

    def key(item: Any) -> tuple[str, str]:
        return item["pk"]["S"], item["sk"]["N"]

    whole = [key(item) for item in ddb.scan(TableName="tbl")["Items"]]
    assert len(whole) == len(set(whole)) == 60
    pages = ddb.get_paginator("scan").paginate(TableName="tbl", PaginationConfig={"PageSize": 7})
    assert [key(item) for page in pages for item in page["Items"]] == whole
    segments = [
        [
            key(item)
            for page in ddb.get_paginator("scan").paginate(
                TableName="tbl",
                Segment=segment,
                TotalSegments=3,
                PaginationConfig={"PageSize": 4},
            )
            for item in page["Items"]
        ]
        for segment in range(3)
    ]
    assert [each for segment in segments for each in segment] == whole
    assert all(segments)


def test_a_scan_of_an_index_filters_and_counts(ddb: Any, table: str) -> None:
    answer = ddb.scan(
        TableName="tbl",
        IndexName="by_g",
        FilterExpression="g = :g AND pk = :a",
        ExpressionAttributeValues={":g": {"S": "even"}, ":a": {"S": "a"}},
    )
    assert (answer["Count"], answer["ScannedCount"]) == (3, 10)


def test_a_page_ends_at_a_mebibyte(ddb: Any, make: Make) -> None:
    make("tbl", "pk:S", "sk:N")
    for number in range(4):
        ddb.put_item(
            TableName="tbl",
            Item={"pk": {"S": "a"}, "sk": {"N": str(number)}, "v": {"S": "x" * 390_000}},
        )
    first = query(ddb, ReturnConsumedCapacity="TOTAL")
    assert (first["Count"], "LastEvaluatedKey" in first) == (3, True)
    rest = query(ddb, ExclusiveStartKey=first["LastEvaluatedKey"])
    assert (rest["Count"], "LastEvaluatedKey" in rest) == (1, False)
    assert first["ConsumedCapacity"]["CapacityUnits"] == 143.0


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"TotalSegments": 2},
            "The Segment parameter is required but was not present in the request when parameter "
            "TotalSegments is present",
        ),
        (
            {"Segment": 0},
            "The TotalSegments parameter is required but was not present in the request when "
            "Segment parameter is present",
        ),
        (
            {"Segment": 2, "TotalSegments": 2},
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
            "Segment: 2 is not less than TotalSegments: 2",
        ),
        (
            {"ExclusiveStartKey": {"pk": {"S": "a"}}},
            "The provided starting key is invalid: The provided key element does not match the "
            "schema",
        ),
        (
            {"FilterExpression": "status = :x", "ExpressionAttributeValues": {":x": {"S": "x"}}},
            "Invalid FilterExpression: Attribute name is a reserved keyword; "
            "reserved keyword: status",
        ),
    ],
)
def test_unsound_scans_are_refused_in_awss_words(
    ddb: Any, table: str, refused: Refused, params: dict[str, Any], message: str
) -> None:
    assert refused(ddb.scan, TableName="tbl", **params) == message
