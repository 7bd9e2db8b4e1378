"""Imports of S3 objects into new tables through boto3."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

Make = Callable[..., str]
Refused = Callable[..., str]


@pytest.fixture
def bucket(client: Callable[..., Any], account: str) -> str:
    client("s3").create_bucket(Bucket=f"imports-{account}")
    return f"imports-{account}"


@pytest.fixture
def store(client: Callable[..., Any], bucket: str) -> Callable[[str, bytes], None]:
    """`store(key, content)`: an object to import."""

    def put(key: str, content: bytes) -> None:
        client("s3").put_object(Bucket=bucket, Key=key, Body=content)

    return put


def asked(bucket: str, kind: str = "DYNAMODB_JSON", **more: Any) -> dict[str, Any]:
    prefix = more.pop("prefix", "")
    return {
        "S3BucketSource": {"S3Bucket": bucket, "S3KeyPrefix": prefix},
        "InputFormat": kind,
        "TableCreationParameters": {
            "TableName": "tbl",
            "AttributeDefinitions": [
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "n", "AttributeType": "N"},
            ],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": "by_n",
                    "KeySchema": [{"AttributeName": "n", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
        },
        **more,
    }


def imported(ddb: Any, **params: Any) -> dict[str, Any]:
    """The description of an import once it has ended."""
    begun = ddb.import_table(**params)["ImportTableDescription"]
    for _ in range(1000):
        description = ddb.describe_import(ImportArn=begun["ImportArn"])["ImportTableDescription"]
        if description["ImportStatus"] != "IN_PROGRESS":
            return dict(description)
    raise AssertionError("the import does not end")


def lines(*items: dict[str, Any]) -> bytes:
    return "\n".join(json.dumps({"Item": item}) for item in items).encode()


def test_objects_become_a_table_with_its_indexes(ddb: Any, bucket: str, store: Any) -> None:
    rich = {"pk": {"S": "a"}, "n": {"N": "1.0"}, "b": {"B": "AHg="}, "l": {"L": [{"BOOL": True}]}}
    store("in/one.json.gz", gzip.compress(lines(rich, {"pk": {"S": "b"}})))
    store("in/two.json.gz", gzip.compress(lines({"pk": {"S": "c"}, "n": {"N": "1"}})))
    store("out/three.json.gz", gzip.compress(lines({"pk": {"S": "d"}})))
    done = imported(ddb, **asked(bucket, prefix="in/", InputCompressionType="GZIP"))
    assert done["ImportStatus"] == "COMPLETED"
    assert (done["ProcessedItemCount"], done["ImportedItemCount"]) == (3, 3)
    assert done["ErrorCount"] == 0
    found = {item["pk"]["S"]: item for item in ddb.scan(TableName="tbl")["Items"]}
    assert sorted(found) == ["a", "b", "c"]
    assert found["a"] == {**rich, "n": {"N": "1"}, "b": {"B": b"\x00x"}}
    assert ddb.scan(TableName="tbl", IndexName="by_n")["Count"] == 2
    table = ddb.describe_table(TableName="tbl")["Table"]
    assert (table["TableStatus"], table["ItemCount"]) == ("ACTIVE", 3)


def test_lines_that_are_no_items_are_counted(ddb: Any, bucket: str, store: Any) -> None:
    good = lines({"pk": {"S": "a"}})
    bad = (b"{", b"[]", b'{"Item": {"pk": {"N": "1"}}}', b'{"Item": {"pk": {"X": 1}}}')
    store("items.json", b"\n".join((good, *bad)))
    done = imported(ddb, **asked(bucket))
    assert (done["ProcessedItemCount"], done["ImportedItemCount"], done["ErrorCount"]) == (5, 1, 4)


def test_rows_become_strings_but_for_keys(ddb: Any, bucket: str, store: Any) -> None:
    store("items.csv", b'pk;n;v\na;1;"x;y"\nb;2;3\nc;no number;4\n')
    options = {"Csv": {"Delimiter": ";"}}
    done = imported(ddb, **asked(bucket, "CSV", InputFormatOptions=options))
    assert (done["ImportedItemCount"], done["ErrorCount"]) == (2, 1)
    found = sorted(ddb.scan(TableName="tbl")["Items"], key=lambda item: str(item["pk"]))
    assert found == [
        {"pk": {"S": "a"}, "n": {"N": "1"}, "v": {"S": "x;y"}},
        {"pk": {"S": "b"}, "n": {"N": "2"}, "v": {"S": "3"}},
    ]


def test_an_import_without_a_bucket_fails(ddb: Any) -> None:
    failed = imported(ddb, **asked("nobody-has-this-bucket"))
    assert failed["ImportStatus"] == "FAILED"
    assert failed["FailureCode"] == "S3NoSuchBucket"


def test_imports_are_listed_and_begun_once_for_a_token(
    ddb: Any, bucket: str, store: Any, refused: Refused
) -> None:
    assert ddb.list_imports()["ImportSummaryList"] == []
    store("items.json", lines({"pk": {"S": "a"}}))
    given = asked(bucket, ClientToken="token")
    first = imported(ddb, **given)
    assert imported(ddb, **given)["ImportArn"] == first["ImportArn"]
    refused(ddb.import_table, "ImportConflictException", **{**given, "InputFormat": "CSV"})
    message = refused(ddb.import_table, "ResourceInUseException", **asked(bucket))
    assert message == "Table already exists: tbl"
    other = asked(bucket)
    other["TableCreationParameters"]["TableName"] = "other"
    second = imported(ddb, **other)
    page = ddb.list_imports(PageSize=1)
    rest = ddb.list_imports(NextToken=page["NextToken"])
    assert "NextToken" not in rest
    found = page["ImportSummaryList"] + rest["ImportSummaryList"]
    assert {each["ImportArn"] for each in found} == {first["ImportArn"], second["ImportArn"]}
    gone = f"{first['TableArn']}/import/0123-abc"
    refused(ddb.describe_import, "ImportNotFoundException", ImportArn=gone)
