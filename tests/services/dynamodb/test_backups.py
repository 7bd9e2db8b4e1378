"""On-demand backups and point-in-time recovery through boto3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lambent.core.clock import VirtualClock

Make = Callable[..., str]
Refused = Callable[..., str]
DAY = 24 * 3600
ATTRIBUTES = [{"AttributeName": "pk", "AttributeType": "S"}]
KEY = [{"AttributeName": "pk", "KeyType": "HASH"}]
RECOVERY = {"PointInTimeRecoveryEnabled": True}


def put(ddb: Any, table: str, values: dict[str, int]) -> None:
    for name, value in values.items():
        ddb.put_item(
            TableName=table, Item={"pk": {"S": name}, "g": {"S": "g"}, "v": {"N": str(value)}}
        )


def held(ddb: Any, table: str, **more: Any) -> dict[str, int]:
    items = ddb.scan(TableName=table, **more)["Items"]
    return {item["pk"]["S"]: int(item["v"]["N"]) for item in items}


def back_up(ddb: Any, table: str, name: str = "backup") -> str:
    """A backup that is finished."""
    arn = ddb.create_backup(TableName=table, BackupName=name)["BackupDetails"]["BackupArn"]
    for _ in range(1000):
        details = ddb.describe_backup(BackupArn=arn)["BackupDescription"]["BackupDetails"]
        if details["BackupStatus"] == "AVAILABLE":
            return str(arn)
    raise AssertionError("the backup is not finished")


def made(ddb: Any, table: str) -> dict[str, Any]:
    """The description of a table once it is there."""
    for _ in range(1000):
        description = ddb.describe_table(TableName=table)["Table"]
        if description["TableStatus"] == "ACTIVE":
            return dict(description)
    raise AssertionError("the table is not made")


def test_a_backup_holds_the_table_as_it_was_and_makes_a_new_one_of_it(ddb: Any, make: Make) -> None:
    make("tbl", "pk:S", gsi={"by_g": ("g:S", "ALL")})
    put(ddb, "tbl", {"a": 1, "b": 2})
    arn = back_up(ddb, "tbl")
    put(ddb, "tbl", {"a": 9, "c": 3})
    answer = ddb.restore_table_from_backup(TargetTableName="new", BackupArn=arn)
    begun = answer["TableDescription"]
    assert begun["TableStatus"] == "CREATING"
    assert begun["RestoreSummary"]["RestoreInProgress"] is True
    table = made(ddb, "new")
    assert held(ddb, "new") == {"a": 1, "b": 2}
    assert held(ddb, "new", IndexName="by_g") == {"a": 1, "b": 2}
    assert table["ItemCount"] == table["GlobalSecondaryIndexes"][0]["ItemCount"] == 2
    source = ddb.describe_table(TableName="tbl")["Table"]
    summary = table["RestoreSummary"]
    assert summary.pop("RestoreDateTime") is not None
    assert summary == {
        "SourceBackupArn": arn,
        "SourceTableArn": source["TableArn"],
        "RestoreInProgress": False,
    }
    assert table["TableId"] != source["TableId"]
    assert held(ddb, "tbl") == {"a": 9, "b": 2, "c": 3}


def test_a_backup_is_described_by_its_table(ddb: Any, make: Make) -> None:
    make("tbl", "pk:S", "sk:N", lsi={"local": ("pk:S", "g:S", "KEYS_ONLY")})
    created = ddb.create_backup(TableName="tbl", BackupName="mine")["BackupDetails"]
    assert created["BackupName"] == "mine"
    assert created["BackupStatus"] == "CREATING"
    assert created["BackupType"] == "USER"
    table = ddb.describe_table(TableName="tbl")["Table"]
    assert created["BackupArn"].startswith(table["TableArn"] + "/backup/0")
    description = ddb.describe_backup(BackupArn=created["BackupArn"])["BackupDescription"]
    source = description["SourceTableDetails"]
    assert (source["TableName"], source["TableId"]) == ("tbl", table["TableId"])
    assert source["KeySchema"] == table["KeySchema"]
    assert source["BillingMode"] == "PAY_PER_REQUEST"
    features = description["SourceTableFeatureDetails"]
    assert [index["IndexName"] for index in features["LocalSecondaryIndexes"]] == ["local"]


def test_backups_are_listed_in_pages_and_by_table(ddb: Any, make: Make) -> None:
    assert ddb.list_backups()["BackupSummaries"] == []
    make("one", "pk:S")
    make("two", "pk:S")
    arns = [back_up(ddb, table, name) for table, name in (("one", "backup1"), ("two", "backup2"))]
    arns.append(back_up(ddb, "one", "backup3"))
    first = ddb.list_backups(Limit=2)
    rest = ddb.list_backups(ExclusiveStartBackupArn=first["LastEvaluatedBackupArn"])
    assert "LastEvaluatedBackupArn" not in rest
    shown = first["BackupSummaries"] + rest["BackupSummaries"]
    assert sorted(each["BackupArn"] for each in shown) == sorted(arns)
    names = {each["BackupName"] for each in ddb.list_backups(TableName="one")["BackupSummaries"]}
    assert names == {"backup1", "backup3"}
    assert ddb.list_backups(BackupType="SYSTEM")["BackupSummaries"] == []


def test_a_deleted_backup_is_gone(ddb: Any, make: Make, refused: Refused) -> None:
    make("tbl", "pk:S")
    arn = back_up(ddb, "tbl")
    deleted = ddb.delete_backup(BackupArn=arn)["BackupDescription"]
    assert deleted["BackupDetails"]["BackupStatus"] == "DELETED"
    for call in (ddb.describe_backup, ddb.delete_backup):
        message = refused(call, "BackupNotFoundException", BackupArn=arn)
        assert message == f"Backup not found: {arn}"
    restore = {"TargetTableName": "new", "BackupArn": arn}
    refused(ddb.restore_table_from_backup, "BackupNotFoundException", **restore)
    assert ddb.list_backups()["BackupSummaries"] == []


def test_a_restored_table_may_differ_in_indexes_and_billing(
    ddb: Any, make: Make, refused: Refused
) -> None:
    make("tbl", "pk:S", gsi={"by_g": ("g:S", "ALL"), "by_v": ("v:N", "KEYS_ONLY")})
    put(ddb, "tbl", {"a": 1})
    arn = back_up(ddb, "tbl")
    kept = ddb.describe_backup(BackupArn=arn)["BackupDescription"]["SourceTableFeatureDetails"]
    index = {
        name: kept["GlobalSecondaryIndexes"][1][name]
        for name in ("IndexName", "KeySchema", "Projection")
    }
    units = {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4}
    ddb.restore_table_from_backup(
        TargetTableName="new",
        BackupArn=arn,
        BillingModeOverride="PROVISIONED",
        ProvisionedThroughputOverride=units,
        GlobalSecondaryIndexOverride=[{**index, "ProvisionedThroughput": units}],
    )
    table = made(ddb, "new")
    assert [each["IndexName"] for each in table["GlobalSecondaryIndexes"]] == ["by_v"]
    assert {each["AttributeName"] for each in table["AttributeDefinitions"]} == {"pk", "v"}
    assert table["ProvisionedThroughput"]["WriteCapacityUnits"] == 4
    assert ddb.scan(TableName="new", IndexName="by_v")["Count"] == 1
    ask = {"TargetTableName": "other", "BackupArn": arn}
    refused(
        ddb.restore_table_from_backup,
        **ask,
        GlobalSecondaryIndexOverride=[{**index, "IndexName": "unknown"}],
    )
    refused(ddb.restore_table_from_backup, **ask, BillingModeOverride="PROVISIONED")


def test_what_backups_refuse(ddb: Any, make: Make, refused: Refused) -> None:
    make("tbl", "pk:S")
    arn = back_up(ddb, "tbl")
    ask = {"TableName": "none", "BackupName": "name"}
    assert refused(ddb.create_backup, "TableNotFoundException", **ask) == "Table not found: none"
    refused(ddb.create_backup, TableName="tbl", BackupName="b!")
    refused(ddb.describe_backup, BackupArn="arn:aws:dynamodb:us-east-1:0:nothing-at-all")
    restore = {"TargetTableName": "tbl", "BackupArn": arn}
    message = refused(ddb.restore_table_from_backup, "TableAlreadyExistsException", **restore)
    assert message == "Table already exists: tbl"
    other = arn.replace(arn.split(":")[4], "123456789012")
    refused(ddb.describe_backup, "AccessDeniedException", BackupArn=other)


def table_at(node: Any, connect: Callable[..., Any], **more: Any) -> Any:
    ddb = connect(node.endpoint, "dynamodb")
    ddb.create_table(
        TableName="tbl",
        AttributeDefinitions=ATTRIBUTES,
        KeySchema=KEY,
        BillingMode="PAY_PER_REQUEST",
        **more,
    )
    return ddb


def test_a_table_is_had_again_as_it_was_at_a_time(
    fresh_node: Callable[..., Any], connect: Callable[..., Any], refused: Refused
) -> None:
    clock = VirtualClock()
    node = fresh_node(clock=clock)
    ddb = table_at(node, connect)
    put(ddb, "tbl", {"old": 1, "changed": 1, "deleted": 1})
    restore = {"SourceTableName": "tbl", "TargetTableName": "new"}
    unavailable = "PointInTimeRecoveryUnavailableException"
    at = ddb.restore_table_to_point_in_time
    message = refused(at, unavailable, **restore, UseLatestRestorableTime=True)
    assert message == "Point in time recovery is not enabled for table 'tbl'"
    ddb.update_continuous_backups(TableName="tbl", PointInTimeRecoverySpecification=RECOVERY)
    node.run(clock.jump(DAY))
    wanted = clock.now()
    node.run(clock.advance(10))
    put(ddb, "tbl", {"changed": 2, "new": 2})
    ddb.delete_item(TableName="tbl", Key={"pk": {"S": "deleted"}})
    node.run(clock.advance(10))
    put(ddb, "tbl", {"changed": 3, "deleted": 3})

    at(**restore, RestoreDateTime=wanted)
    summary = made(ddb, "new")["RestoreSummary"]
    assert summary["SourceTableArn"].endswith("table/tbl")
    assert "SourceBackupArn" not in summary
    assert held(ddb, "new") == {"old": 1, "changed": 1, "deleted": 1}
    restore["TargetTableName"] = "latest"
    at(**restore, UseLatestRestorableTime=True)
    made(ddb, "latest")
    assert held(ddb, "latest") == held(ddb, "tbl")

    restore["TargetTableName"] = "other"
    for time in (wanted - 2 * DAY, clock.now() + 60):
        refused(at, "InvalidRestoreTimeException", **restore, RestoreDateTime=time)
    refused(at, **restore)
    refused(
        at,
        "TableNotFoundException",
        **{**restore, "SourceTableName": "none"},
        UseLatestRestorableTime=True,
    )


def test_recovery_says_how_far_it_reaches(
    fresh_node: Callable[..., Any], connect: Callable[..., Any], refused: Refused
) -> None:
    clock = VirtualClock()
    node = fresh_node(clock=clock)
    ddb = table_at(node, connect)
    since = clock.now()
    days = {**RECOVERY, "RecoveryPeriodInDays": 3}
    ddb.update_continuous_backups(TableName="tbl", PointInTimeRecoverySpecification=days)

    def recovery() -> dict[str, Any]:
        answer = ddb.describe_continuous_backups(TableName="tbl")
        return dict(answer["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"])

    assert recovery()["RecoveryPeriodInDays"] == 3
    assert recovery()["EarliestRestorableDateTime"].timestamp() == pytest.approx(since, abs=1)
    put(ddb, "tbl", {"a": 1})
    node.run(clock.jump(5 * DAY))
    earliest = recovery()["EarliestRestorableDateTime"].timestamp()
    assert earliest == pytest.approx(clock.now() - 3 * DAY, abs=1)
    off = {"PointInTimeRecoveryEnabled": False}
    ddb.update_continuous_backups(TableName="tbl", PointInTimeRecoverySpecification=off)
    assert recovery() == {"PointInTimeRecoveryStatus": "DISABLED"}


def test_a_deleted_table_with_recovery_leaves_a_backup_for_35_days(
    fresh_node: Callable[..., Any], connect: Callable[..., Any], refused: Refused
) -> None:
    clock = VirtualClock()
    node = fresh_node(clock=clock)
    ddb = table_at(node, connect)
    put(ddb, "tbl", {"a": 1})
    ddb.update_continuous_backups(TableName="tbl", PointInTimeRecoverySpecification=RECOVERY)
    ddb.delete_table(TableName="tbl")
    [left] = ddb.list_backups(BackupType="ALL")["BackupSummaries"]
    assert left["BackupName"] == "tbl$DeletedTableBackup"
    assert left["BackupType"] == "SYSTEM"
    refused(ddb.delete_backup, BackupArn=left["BackupArn"])
    ddb.restore_table_from_backup(TargetTableName="new", BackupArn=left["BackupArn"])
    made(ddb, "new")
    assert held(ddb, "new") == {"a": 1}
    node.run(clock.jump(36 * DAY))
    assert ddb.list_backups(BackupType="ALL")["BackupSummaries"] == []
    assert held(ddb, "new") == {"a": 1}


def test_a_copy_is_of_one_moment_though_others_write(
    fresh_node: Callable[..., Any], connect: Callable[..., Any]
) -> None:
    node = fresh_node()
    ddb = table_at(node, connect)
    for start in range(0, 1000, 25):
        ddb.batch_write_item(
            RequestItems={
                "tbl": [
                    {"PutRequest": {"Item": {"pk": {"S": f"{n:04}"}, "v": {"N": "1"}}}}
                    for n in range(start, start + 25)
                ]
            }
        )
    arn = ddb.create_backup(TableName="tbl", BackupName="while")["BackupDetails"]["BackupArn"]
    for n in range(0, 1000, 50):
        ddb.delete_item(TableName="tbl", Key={"pk": {"S": f"{n:04}"}})
        put(ddb, "tbl", {f"{n + 1:04}": 2, f"new{n}": 2})
    # A restart in the middle changes nothing.
    node.stop()
    node.start()
    ddb = connect(node.endpoint, "dynamodb")
    for _ in range(1000):
        details = ddb.describe_backup(BackupArn=arn)["BackupDescription"]["BackupDetails"]
        if details["BackupStatus"] == "AVAILABLE":
            break
    ddb.restore_table_from_backup(TargetTableName="new", BackupArn=arn)
    made(ddb, "new")
    assert held(ddb, "new") == {f"{n:04}": 1 for n in range(1000)}


def test_a_table_stays_while_it_is_being_made(ddb: Any, make: Make, refused: Refused) -> None:
    make("tbl", "pk:S")
    put(ddb, "tbl", {"a": 1})
    arn = back_up(ddb, "tbl")
    ddb.restore_table_from_backup(TargetTableName="new", BackupArn=arn)
    made(ddb, "new")
    ddb.delete_table(TableName="new")
    ddb.delete_table(TableName="tbl")
    # What a backup holds outlives its table.
    ddb.restore_table_from_backup(TargetTableName="tbl", BackupArn=arn)
    made(ddb, "tbl")
    assert held(ddb, "tbl") == {"a": 1}
