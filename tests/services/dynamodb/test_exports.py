"""Exports of tables to S3 through boto3."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from lambent.core.clock import VirtualClock

Make = Callable[..., str]
Refused = Callable[..., str]
RECOVERY = {"PointInTimeRecoveryEnabled": True}


@pytest.fixture
def s3(client: Callable[..., Any]) -> Any:
    return client("s3")


@pytest.fixture
def bucket(s3: Any, account: str) -> str:
    s3.create_bucket(Bucket=f"exports-{account}")
    return f"exports-{account}"


def exported(ddb: Any, **params: Any) -> dict[str, Any]:
    """The description of an export once it has ended."""
    arn = ddb.export_table_to_point_in_time(**params)["ExportDescription"]["ExportArn"]
    for _ in range(1000):
        description = ddb.describe_export(ExportArn=arn)["ExportDescription"]
        if description["ExportStatus"] != "IN_PROGRESS":
            return dict(description)
    raise AssertionError("the export does not end")


def read(s3: Any, bucket: str, key: str) -> bytes:
    return bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())


def recovering(ddb: Any, make: Make, **more: Any) -> str:
    """The ARN of a table with point-in-time recovery."""
    make("tbl", "pk:S", **more)
    ddb.update_continuous_backups(TableName="tbl", PointInTimeRecoverySpecification=RECOVERY)
    return str(ddb.describe_table(TableName="tbl")["Table"]["TableArn"])


def test_an_export_writes_items_and_manifests(ddb: Any, s3: Any, bucket: str, make: Make) -> None:
    arn = recovering(ddb, make)
    item = {
        "pk": {"S": "k"},
        "b": {"B": b"\x00x"},
        "m": {"M": {"l": {"L": [{"N": "1.5"}, {"BS": [b"y"]}]}}},
        "t": {"BOOL": True},
    }
    ddb.put_item(TableName="tbl", Item=item)
    done = exported(ddb, TableArn=arn, S3Bucket=bucket, S3Prefix="some/where")
    assert done["ExportStatus"] == "COMPLETED"
    assert done["ItemCount"] == 1
    summary = json.loads(read(s3, bucket, done["ExportManifest"]))
    assert summary["exportArn"] == done["ExportArn"]
    assert (summary["itemCount"], summary["outputFormat"]) == (1, "DYNAMODB_JSON")
    assert summary["manifestFilesS3Key"].startswith("some/where/AWSDynamoDB/")
    manifest = read(s3, bucket, summary["manifestFilesS3Key"])
    [line] = map(json.loads, manifest.splitlines())
    data = read(s3, bucket, line["dataFileS3Key"])
    digest = base64.b64encode(hashlib.md5(data).digest()).decode()
    assert line["md5Checksum"] == digest
    [row] = map(json.loads, gzip.decompress(data).splitlines())
    assert row == {
        "Item": {
            "pk": {"S": "k"},
            "b": {"B": "AHg="},
            "m": {"M": {"l": {"L": [{"N": "1.5"}, {"BS": ["eQ=="]}]}}},
            "t": {"BOOL": True},
        }
    }


def test_an_export_holds_the_table_as_it_was(
    fresh_node: Callable[..., Any], connect: Callable[..., Any], refused: Refused
) -> None:
    clock = VirtualClock()
    node = fresh_node(clock=clock)
    ddb, s3 = connect(node.endpoint, "dynamodb"), connect(node.endpoint, "s3")
    s3.create_bucket(Bucket="exports")
    ddb.create_table(
        TableName="tbl",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    ddb.update_continuous_backups(TableName="tbl", PointInTimeRecoverySpecification=RECOVERY)
    arn = ddb.describe_table(TableName="tbl")["Table"]["TableArn"]
    ddb.put_item(TableName="tbl", Item={"pk": {"S": "early"}})
    node.run(clock.advance(60))
    time = clock.now()
    node.run(clock.advance(60))
    ddb.put_item(TableName="tbl", Item={"pk": {"S": "late"}})
    ddb.delete_item(TableName="tbl", Key={"pk": {"S": "early"}})
    done = exported(ddb, TableArn=arn, S3Bucket="exports", ExportTime=time)
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket="exports")["Contents"]]
    [data] = [key for key in keys if key.endswith(".json.gz")]
    rows = gzip.decompress(read(s3, "exports", data)).splitlines()
    assert [json.loads(row)["Item"]["pk"]["S"] for row in rows] == ["early"]
    assert done["ExportTime"].timestamp() == pytest.approx(time, abs=1)
    refused(
        ddb.export_table_to_point_in_time,
        "InvalidExportTimeException",
        TableArn=arn,
        S3Bucket="exports",
        ExportTime=time - 86400,
    )


def test_an_export_without_a_bucket_fails(ddb: Any, make: Make) -> None:
    arn = recovering(ddb, make)
    failed = exported(ddb, TableArn=arn, S3Bucket="nobody-has-this-bucket")
    assert failed["ExportStatus"] == "FAILED"
    assert failed["FailureCode"] == "S3NoSuchBucket"
    ddb.delete_table(TableName="tbl")


def test_exports_are_listed_and_begun_once_for_a_token(
    ddb: Any, bucket: str, make: Make, refused: Refused
) -> None:
    assert ddb.list_exports()["ExportSummaries"] == []
    arn = recovering(ddb, make)
    given = {"TableArn": arn, "S3Bucket": bucket, "ClientToken": "token"}
    first = exported(ddb, **given)
    assert exported(ddb, **given)["ExportArn"] == first["ExportArn"]
    export = ddb.export_table_to_point_in_time
    refused(export, "ExportConflictException", **{**given, "S3Prefix": "other"})
    second = exported(ddb, TableArn=arn, S3Bucket=bucket)
    page = ddb.list_exports(TableArn=arn, MaxResults=1)
    rest = ddb.list_exports(TableArn=arn, NextToken=page["NextToken"])
    assert "NextToken" not in rest
    found = page["ExportSummaries"] + rest["ExportSummaries"]
    assert {each["ExportArn"] for each in found} == {first["ExportArn"], second["ExportArn"]}
    assert {each["ExportStatus"] for each in found} == {"COMPLETED"}


def test_what_exports_refuse(ddb: Any, bucket: str, make: Make, refused: Refused) -> None:
    make("tbl", "pk:S")
    arn = ddb.describe_table(TableName="tbl")["Table"]["TableArn"]
    export, given = ddb.export_table_to_point_in_time, {"TableArn": arn, "S3Bucket": bucket}
    refused(export, "PointInTimeRecoveryUnavailableException", **given)
    gone = {**given, "TableArn": arn.replace("tbl", "nil")}
    refused(export, "TableNotFoundException", **gone)
    refused(export, **given, ExportFormat="ION")
    refused(ddb.describe_export, "ExportNotFoundException", ExportArn=f"{arn}/export/0123-abc")
    refused(ddb.describe_export, ExportArn="x" * 40)
