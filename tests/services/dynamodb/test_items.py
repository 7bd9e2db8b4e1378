"""PutItem, GetItem, UpdateItem and DeleteItem through boto3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Make = Callable[..., str]
Refused = Callable[..., str]

EVERY_TYPE: dict[str, Any] = {
    "pk": {"S": "k"},
    "s": {"S": ""},
    "n": {"N": "-12.5"},
    "b": {"B": b"\x00\xff"},
    "t": {"BOOL": False},
    "z": {"NULL": True},
    "m": {"M": {"a": {"L": [{"S": "x"}, {"M": {}}]}}},
    "l": {"L": []},
    "ss": {"SS": ["a", "b"]},
    "ns": {"NS": ["1", "2.5"]},
    "bs": {"BS": [b"a", b"b"]},
}


def test_an_item_of_every_type_comes_back_as_it_was(ddb: Any, make: Make) -> None:
    make("tbl", "pk:S")
    assert "Attributes" not in ddb.put_item(TableName="tbl", Item=EVERY_TYPE)
    assert ddb.get_item(TableName="tbl", Key={"pk": {"S": "k"}})["Item"] == EVERY_TYPE


def test_a_missing_item_is_an_answer_without_item(ddb: Any, make: Make) -> None:
    make("tbl", "pk:S")
    assert "Item" not in ddb.get_item(TableName="tbl", Key={"pk": {"S": "none"}})
    assert "Attributes" not in ddb.delete_item(
        TableName="tbl", Key={"pk": {"S": "none"}}, ReturnValues="ALL_OLD"
    )


def test_numbers_are_normalised_in_keys_too(ddb: Any, make: Make) -> None:
    make("tbl", "pk:N")
    ddb.put_item(TableName="tbl", Item={"pk": {"N": "1.0"}, "v": {"N": "1E2"}})
    item = ddb.get_item(TableName="tbl", Key={"pk": {"N": "1"}})["Item"]
    assert item == {"pk": {"N": "1"}, "v": {"N": "100"}}


def test_a_table_is_named_by_its_arn_too(ddb: Any, make: Make) -> None:
    make("tbl", "pk:S")
    arn = ddb.describe_table(TableName="tbl")["Table"]["TableArn"]
    ddb.put_item(TableName=arn, Item={"pk": {"S": "k"}})
    assert "Item" in ddb.get_item(TableName="tbl", Key={"pk": {"S": "k"}})


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (
            {"v": {"S": "x"}},
            "One or more parameter values were invalid: Missing the key pk in the item",
        ),
        (
            {"pk": {"N": "1"}},
            "One or more parameter values were invalid: Type mismatch for key pk expected: S "
            "actual: N",
        ),
        (
            {"pk": {"S": ""}},
            "One or more parameter values are not valid. The AttributeValue for a key attribute "
            "cannot contain an empty string value. Key: pk",
        ),
        (
            {"pk": {"S": "x" * 2049}},
            "One or more parameter values were invalid: Size of hashkey has exceeded the maximum "
            "size limit of2048 bytes",
        ),
        (
            {"pk": {"S": "k"}, "g": {"N": "1"}},
            "One or more parameter values were invalid: Type mismatch for Index Key g Expected: S "
            "Actual: N IndexName: by_g",
        ),
        (
            {"pk": {"S": "k"}, "g": {"S": ""}},
            "One or more parameter values are not valid. A value specified for a secondary index "
            "key is not supported. The AttributeValue for a key attribute cannot contain an empty "
            "string value. IndexName: by_g, IndexKey: g",
        ),
        (
            {"pk": {}},
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
        ),
        (
            {"pk": {"S": "k", "N": "1"}},
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of "
            "the supported datatypes",
        ),
        (
            {"pk": {"S": "k"}, "v": {"SS": []}},
            "One or more parameter values were invalid: An string set  may not be empty",
        ),
        (
            {"pk": {"S": "k"}, "v": {"SS": ["a", "a"]}},
            "One or more parameter values were invalid: Input collection [a, a] contains "
            "duplicates.",
        ),
        (
            {"pk": {"S": "k"}, "v": {"NS": ["1", "1.0"]}},
            "Input collection contains duplicates",
        ),
        (
            {"pk": {"S": "k"}, "v": {"NULL": False}},
            "One or more parameter values were invalid: Null attribute value types must have the "
            "value of true",
        ),
        (
            {"pk": {"S": "k"}, "v": {"L": [{"M": {"x": {"N": "nope"}}}]}},
            "The parameter cannot be converted to a numeric value: nope",
        ),
        (
            {"pk": {"S": "k"}, "v": {"S": "x" * 409_600}},
            "Item size has exceeded the maximum allowed size",
        ),
    ],
)
def test_unsound_items_are_refused_in_awss_words(
    ddb: Any, make: Make, refused: Refused, item: dict[str, Any], message: str
) -> None:
    make("tbl", "pk:S", gsi={"by_g": ("g:S", "ALL")})
    assert refused(ddb.put_item, TableName="tbl", Item=item) == message


def test_an_item_of_exactly_400_kib_is_kept(ddb: Any, make: Make) -> None:
    make("tbl", "pk:S")
    item = {"pk": {"S": "k"}, "v": {"S": "x" * (409_600 - 4)}}
    ddb.put_item(TableName="tbl", Item=item)
    assert ddb.get_item(TableName="tbl", Key={"pk": {"S": "k"}})["Item"] == item


def test_values_nest_32_levels_and_no_more(ddb: Any, make: Make, refused: Refused) -> None:
    make("tbl", "pk:S")

    def nested(levels: int) -> dict[str, Any]:
        value: dict[str, Any] = {"S": "x"}
        for _ in range(levels):
            value = {"L": [value]}
        return value

    ddb.put_item(TableName="tbl", Item={"pk": {"S": "k"}, "v": nested(31)})
    message = refused(ddb.put_item, TableName="tbl", Item={"pk": {"S": "k"}, "v": nested(33)})
    assert message.startswith("Nesting Levels have exceeded supported limits")


@pytest.mark.parametrize(
    "key",
    [
        {},
        {"pk": {"S": "k"}},
        {"pk": {"S": "k"}, "sk": {"S": "1"}},
        {"pk": {"S": "k"}, "other": {"N": "1"}},
        {"pk": {"S": "k"}, "sk": {"N": "1"}, "other": {"N": "1"}},
    ],
)
def test_a_key_must_be_the_schemas(
    ddb: Any, make: Make, refused: Refused, key: dict[str, Any]
) -> None:
    make("tbl", "pk:S", "sk:N")
    for call in (ddb.get_item, ddb.delete_item, ddb.update_item):
        message = refused(call, TableName="tbl", Key=key)
        assert message == "The provided key element does not match the schema"


def test_a_table_that_is_not_there_is_named_by_control_operations_only(
    ddb: Any, refused: Refused
) -> None:
    code = "ResourceNotFoundException"
    message = refused(ddb.get_item, code, TableName="none", Key={"pk": {"S": "k"}})
    assert message == "Requested resource not found"
    message = refused(ddb.describe_table, code, TableName="none")
    assert message == "Requested resource not found: Table: none not found"


def test_table_names_have_rules(ddb: Any, refused: Refused) -> None:
    key = {"pk": {"S": "k"}}
    assert refused(ddb.get_item, TableName="ab", Key=key) == (
        "TableName must be at least 3 characters long and at most 255 characters long"
    )
    assert refused(ddb.get_item, TableName="a;b", Key=key) == (
        "1 validation error detected: Value 'a;b' at 'tableName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
    )


def test_a_put_replaces_and_returns_the_old_item_if_asked(ddb: Any, make: Make) -> None:
    make("tbl", "pk:S")
    ddb.put_item(TableName="tbl", Item={"pk": {"S": "k"}, "a": {"N": "1"}})
    old = ddb.put_item(
        TableName="tbl", Item={"pk": {"S": "k"}, "b": {"N": "2"}}, ReturnValues="ALL_OLD"
    )
    assert old["Attributes"] == {"pk": {"S": "k"}, "a": {"N": "1"}}
    assert ddb.get_item(TableName="tbl", Key={"pk": {"S": "k"}})["Item"] == {
        "pk": {"S": "k"},
        "b": {"N": "2"},
    }


def test_a_put_cannot_return_new_values(ddb: Any, make: Make, refused: Refused) -> None:
    make("tbl", "pk:S")
    message = refused(
        ddb.put_item, TableName="tbl", Item={"pk": {"S": "k"}}, ReturnValues="ALL_NEW"
    )
    assert message == "ReturnValues can only be ALL_OLD or NONE"


def test_a_failed_condition_changes_nothing_and_may_return_the_item(ddb: Any, make: Make) -> None:
    make("tbl", "pk:S")
    item = {"pk": {"S": "k"}, "v": {"N": "1"}}
    ddb.put_item(TableName="tbl", Item=item)
    with pytest.raises(ClientError) as caught:
        ddb.put_item(
            TableName="tbl",
            Item={"pk": {"S": "k"}, "v": {"N": "2"}},
            ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    error = caught.value.response
    assert error["Error"]["Code"] == "ConditionalCheckFailedException"
    assert error["Error"]["Message"] == "The conditional request failed"
    assert error["Item"] == item
    with pytest.raises(ClientError) as caught:
        ddb.delete_item(TableName="tbl", Key={"pk": {"S": "k"}}, ConditionExpression="v = pk")
    assert "Item" not in caught.value.response
    assert ddb.get_item(TableName="tbl", Key={"pk": {"S": "k"}})["Item"] == item


def test_get_item_projects(ddb: Any, make: Make) -> None:
    make("tbl", "pk:S")
    ddb.put_item(TableName="tbl", Item=EVERY_TYPE)
    key = {"pk": {"S": "k"}}
    got = ddb.get_item(
        TableName="tbl",
        Key=key,
        ProjectionExpression="#n, m.a[0]",
        ExpressionAttributeNames={"#n": "n"},
    )
    assert got["Item"] == {"n": {"N": "-12.5"}, "m": {"M": {"a": {"L": [{"S": "x"}]}}}}
    assert ddb.get_item(TableName="tbl", Key=key, AttributesToGet=["s"])["Item"] == {"s": {"S": ""}}
    assert ddb.get_item(TableName="tbl", Key=key, ProjectionExpression="nothing")["Item"] == {}


def test_update_creates_the_item_and_returns_what_is_asked(ddb: Any, make: Make) -> None:
    make("tbl", "pk:S")
    key = {"pk": {"S": "k"}}

    def update(expression: str, wanted: str, **values: Any) -> Any:
        given = {f":{name}": value for name, value in values.items()}
        return ddb.update_item(
            TableName="tbl",
            Key=key,
            UpdateExpression=expression,
            ExpressionAttributeValues=given,
            ReturnValues=wanted,
        ).get("Attributes")

    one = {"N": "1"}
    assert update("SET a = :v, m = :m", "ALL_OLD", v=one, m={"M": {"x": one, "y": one}}) is None
    assert update("ADD a :v", "UPDATED_NEW", v=one) == {"a": {"N": "2"}}
    assert update("SET m.x = :v", "UPDATED_OLD", v={"N": "9"}) == {"m": {"M": {"x": one}}}
    assert update("SET fresh = :v", "UPDATED_OLD", v=one) is None
    assert update("SET b = :v", "ALL_NEW", v={"S": "s"}) == {
        **key,
        "a": {"N": "2"},
        "m": {"M": {"x": {"N": "9"}, "y": one}},
        "fresh": one,
        "b": {"S": "s"},
    }


def test_an_update_without_expression_makes_an_item_of_the_key(ddb: Any, make: Make) -> None:
    make("tbl", "pk:S")
    ddb.update_item(TableName="tbl", Key={"pk": {"S": "k"}})
    assert ddb.get_item(TableName="tbl", Key={"pk": {"S": "k"}})["Item"] == {"pk": {"S": "k"}}


def test_updates_must_leave_keys_alone_and_fit_indexes_and_sizes(
    ddb: Any, make: Make, refused: Refused
) -> None:
    make("tbl", "pk:S", gsi={"by_g": ("g:S", "ALL")})

    def update(expression: str, value: dict[str, Any]) -> str:
        return refused(
            ddb.update_item,
            TableName="tbl",
            Key={"pk": {"S": "k"}},
            UpdateExpression=expression,
            ExpressionAttributeValues={":v": value},
        )

    assert update("SET pk = :v", {"S": "x"}) == (
        "One or more parameter values were invalid: Cannot update attribute pk. "
        "This attribute is part of the key"
    )
    assert update("SET g = :v", {"N": "1"}) == (
        "The update expression attempted to update the secondary index key to unsupported type"
    )
    assert update("SET v = :v", {"S": "x" * 409_600}) == (
        "Item size to update has exceeded the maximum allowed size"
    )


def test_old_and_new_style_do_not_mix(ddb: Any, make: Make, refused: Refused) -> None:
    make("tbl", "pk:S")
    message = refused(
        ddb.get_item,
        TableName="tbl",
        Key={"pk": {"S": "k"}},
        AttributesToGet=["a"],
        ProjectionExpression="a",
    )
    assert message == (
        "Can not use both expression and non-expression parameters in the same request: "
        "Non-expression parameters: {AttributesToGet} "
        "Expression parameters: {ProjectionExpression}"
    )
    message = refused(
        ddb.update_item,
        TableName="tbl",
        Key={"pk": {"S": "k"}},
        AttributeUpdates={"a": {"Value": {"S": "x"}}},
        Expected={"a": {"Exists": False}},
        UpdateExpression="SET a = :a",
        ConditionExpression="a = :a",
    )
    assert message.endswith(
        "Non-expression parameters: {AttributeUpdates, Expected} "
        "Expression parameters: {UpdateExpression, ConditionExpression}"
    )


@pytest.mark.parametrize(
    ("size", "consistent", "units"),
    [(1, False, 0.5), (1, True, 1.0), (4096, True, 1.0), (4097, True, 2.0), (8193, False, 1.5)],
)
def test_reads_cost_a_unit_per_4_kib(
    ddb: Any, make: Make, size: int, consistent: bool, units: float
) -> None:
    make("tbl", "pk:S")
    if size > 3:
        ddb.put_item(TableName="tbl", Item={"pk": {"S": "k"}, "v": {"S": "x" * (size - 4)}})
    got = ddb.get_item(
        TableName="tbl",
        Key={"pk": {"S": "k"}},
        ConsistentRead=consistent,
        ReturnConsumedCapacity="TOTAL",
    )
    assert got["ConsumedCapacity"] == {"TableName": "tbl", "CapacityUnits": units}


def test_writes_cost_a_unit_per_kib_of_the_larger_image_and_per_index(ddb: Any, make: Make) -> None:
    make("tbl", "pk:S", gsi={"by_g": ("g:S", "KEYS_ONLY")})

    def put(**attributes: Any) -> Any:
        return ddb.put_item(
            TableName="tbl",
            Item={"pk": {"S": "k"}, **attributes},
            ReturnConsumedCapacity="INDEXES",
        )["ConsumedCapacity"]

    assert put(v={"S": "x" * 2000})["Table"] == {"CapacityUnits": 2.0}
    with_index = put(g={"S": "g"})
    assert with_index["Table"] == {"CapacityUnits": 2.0}
    assert with_index["GlobalSecondaryIndexes"] == {"by_g": {"CapacityUnits": 1.0}}
    assert with_index["CapacityUnits"] == 3.0
    moved = put(g={"S": "h"})
    assert moved["GlobalSecondaryIndexes"] == {"by_g": {"CapacityUnits": 2.0}}


def test_item_collection_metrics_are_for_tables_with_local_indexes(ddb: Any, make: Make) -> None:
    make("plain", "pk:S")
    make("local", "pk:S", "sk:S", lsi={"by_a": ("pk:S", "a:S", "ALL")})
    item = {"pk": {"S": "k"}, "sk": {"S": "s"}}
    answer = ddb.put_item(TableName="plain", Item=item, ReturnItemCollectionMetrics="SIZE")
    assert "ItemCollectionMetrics" not in answer
    answer = ddb.put_item(TableName="local", Item=item, ReturnItemCollectionMetrics="SIZE")
    assert answer["ItemCollectionMetrics"]["ItemCollectionKey"] == {"pk": {"S": "k"}}


def test_accounts_and_regions_do_not_see_each_others_tables(
    ddb: Any, client: Callable[..., Any], make: Make, refused: Refused
) -> None:
    make("tbl", "pk:S")
    elsewhere = client("dynamodb", region="eu-west-1")
    stranger = client("dynamodb", access_key="111122223333")
    for other in (elsewhere, stranger):
        refused(
            other.get_item, "ResourceNotFoundException", TableName="tbl", Key={"pk": {"S": "k"}}
        )


def test_the_size_of_a_string_is_that_of_its_utf_16(ddb: Any, make: Callable[..., str]) -> None:
    make("tbl", "pk:S")
    ddb.put_item(TableName="tbl", Item={"pk": {"S": "k"}, "v": {"S": "\u00e9\U0001d11e"}})
    found = ddb.scan(
        TableName="tbl",
        FilterExpression="size(v) = :n",
        ExpressionAttributeValues={":n": {"N": "3"}},
    )
    assert found["Count"] == 1
