"""Random writes against a plain model: the table and every index must agree with it."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError

Make = Callable[..., str]


@pytest.mark.parametrize("seed", range(3))
def test_table_and_indexes_agree_with_a_model(ddb: Any, make: Make, seed: int) -> None:
    make(
        "tbl",
        "pk:S",
        "sk:N",
        gsi={"by_g": ("g:S", "r:N", "ALL"), "keys": ("r:N", "KEYS_ONLY")},
        lsi={"by_r": ("pk:S", "r:N", ["v"])},
    )
    chance = random.Random(seed)
    model: dict[tuple[str, str], dict[str, Any]] = {}

    def attributes() -> dict[str, Any]:
        given = {
            "g": {"S": chance.choice("xy")},
            "r": {"N": chance.choice(("-1.5", "-1", "0", "0.25", "3", "20"))},
            "v": {"N": str(chance.randrange(3))},
        }
        return {name: value for name, value in given.items() if chance.random() < 0.7}

    for _ in range(120):
        pk, sk = chance.choice("abc"), str(chance.randrange(-3, 4))
        key = {"pk": {"S": pk}, "sk": {"N": sk}}
        match chance.randrange(4):
            case 0:
                ddb.delete_item(TableName="tbl", Key=key)
                model.pop((pk, sk), None)
            case 1:
                item = {**key, **attributes()}
                ddb.put_item(TableName="tbl", Item=item)
                model[pk, sk] = item
            case 2:
                ddb.update_item(
                    TableName="tbl",
                    Key=key,
                    UpdateExpression="SET r = :r REMOVE g",
                    ExpressionAttributeValues={":r": {"N": "7"}},
                )
                item = {**model.get((pk, sk), key), "r": {"N": "7"}}
                item.pop("g", None)
                model[pk, sk] = item
            case 3:
                put = {"TableName": "tbl", "Item": {**key, **attributes()}}
                check = {"TableName": "tbl", "Key": {"pk": {"S": "none"}, "sk": {"N": "0"}}}
                expression = chance.choice(("attribute_exists(pk)", "attribute_not_exists(pk)"))
                try:
                    ddb.transact_write_items(
                        TransactItems=[
                            {"Put": put},
                            {"ConditionCheck": {**check, "ConditionExpression": expression}},
                        ]
                    )
                    model[pk, sk] = put["Item"]
                except ClientError:
                    assert expression == "attribute_exists(pk)"

    def number(item: dict[str, Any], name: str) -> Decimal:
        return Decimal(item[name]["N"])

    for pk in "abc":
        wanted = sorted(
            (item for item in model.values() if item["pk"]["S"] == pk),
            key=lambda item: number(item, "sk"),
        )
        values = {":pk": {"S": pk}, ":low": {"N": "-1"}}
        query = {"TableName": "tbl", "ExpressionAttributeValues": values}
        found = ddb.query(**query, KeyConditionExpression="pk = :pk AND sk >= :low")["Items"]
        assert found == [item for item in wanted if number(item, "sk") >= -1]
        found = ddb.query(
            **query,
            IndexName="by_r",
            KeyConditionExpression="pk = :pk AND r > :low",
            ScanIndexForward=False,
        )["Items"]
        ranged = [item for item in wanted if "r" in item and number(item, "r") > -1]
        held = ("pk", "sk", "r", "v")
        ranged.sort(key=lambda item: (number(item, "r"), number(item, "sk")), reverse=True)
        assert found == [{n: v for n, v in item.items() if n in held} for item in ranged]
    by_g = ddb.scan(TableName="tbl", IndexName="by_g")["Items"]
    assert _sorted(by_g) == _sorted(item for item in model.values() if "g" in item and "r" in item)
    keys = ddb.scan(TableName="tbl", IndexName="keys")["Items"]
    assert _sorted(keys) == _sorted(
        {n: item[n] for n in ("pk", "sk", "r")} for item in model.values() if "r" in item
    )
    table = ddb.describe_table(TableName="tbl")["Table"]
    counts = {index["IndexName"]: index["ItemCount"] for index in table["GlobalSecondaryIndexes"]}
    assert table["ItemCount"] == len(model)
    assert counts == {"by_g": len(by_g), "keys": len(keys)}


def _sorted(items: Any) -> list[dict[str, Any]]:
    return sorted(items, key=lambda item: (item["pk"]["S"], item["sk"]["N"]))
