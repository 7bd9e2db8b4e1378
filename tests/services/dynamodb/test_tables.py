"""Tables: create, describe, update, delete, list, tags, time to live; through boto3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lambent.core.clock import VirtualClock

Make = Callable[..., str]
Refused = Callable[..., str]
UNITS = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 3}
WRONG = "One or more parameter values were invalid: "


def attributes(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": "S"} for name in names]


def key(*names: str) -> list[dict[str, str]]:
    kinds = ("HASH", "RANGE")
    return [
        {"AttributeName": name, "KeyType": kind} for name, kind in zip(names, kinds, strict=False)
    ]


def index(name: str, *names: str, **more: Any) -> dict[str, Any]:
    return {
        "IndexName": name,
        "KeySchema": key(*names),
        "Projection": {"ProjectionType": "ALL"},
        **more,
    }


def test_a_new_table_is_creating_then_active_with_all_its_settings(ddb: Any) -> None:
    created = ddb.create_table(
        TableName="full",
        AttributeDefinitions=attributes("pk", "sk", "g", "l"),
        KeySchema=key("pk", "sk"),
        GlobalSecondaryIndexes=[index("general", "g", ProvisionedThroughput=UNITS)],
        LocalSecondaryIndexes=[index("local", "pk", "l")],
        ProvisionedThroughput=UNITS,
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        SSESpecification={"Enabled": True},
        DeletionProtectionEnabled=True,
        TableClass="STANDARD_INFREQUENT_ACCESS",
        Tags=[{"Key": "a", "Value": "b"}],
    )["TableDescription"]
    assert created["TableStatus"] == "CREATING"
    table = ddb.describe_table(TableName="full")["Table"]
    ddb.get_waiter("table_exists").wait(
        TableName="full", WaiterConfig={"Delay": 1, "MaxAttempts": 1}
    )
    assert table["TableStatus"] == "ACTIVE"
    assert table["KeySchema"] == key("pk", "sk")
    assert table["AttributeDefinitions"] == attributes("pk", "sk", "g", "l")
    assert table["ProvisionedThroughput"] == {"NumberOfDecreasesToday": 0, **UNITS}
    assert table["DeletionProtectionEnabled"] is True
    assert table["TableClassSummary"] == {"TableClass": "STANDARD_INFREQUENT_ACCESS"}
    assert table["SSEDescription"]["Status"] == "ENABLED"
    assert table["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    assert table["LatestStreamArn"] == f"{table['TableArn']}/stream/{table['LatestStreamLabel']}"
    general = table["GlobalSecondaryIndexes"][0]
    assert (general["IndexStatus"], general["IndexArn"]) == (
        "ACTIVE",
        f"{table['TableArn']}/index/general",
    )
    assert table["LocalSecondaryIndexes"][0]["Projection"] == {"ProjectionType": "ALL"}
    assert "BillingModeSummary" not in table


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"AttributeDefinitions": attributes("other")},
            WRONG + "Some index key attributes are not defined in AttributeDefinitions. "
            "Keys: [pk], AttributeDefinitions: [other]",
        ),
        (
            {"AttributeDefinitions": attributes("pk", "other")},
            WRONG + "Number of attributes in KeySchema does not exactly match number of "
            "attributes defined in AttributeDefinitions",
        ),
        (
            {
                "AttributeDefinitions": attributes("pk", "g", "other"),
                "GlobalSecondaryIndexes": [index("general", "g")],
            },
            WRONG + "Some AttributeDefinitions are not used. AttributeDefinitions: "
            "[pk, g, other], keys used: [pk, g]",
        ),
        (
            {"KeySchema": [{"AttributeName": "pk", "KeyType": "RANGE"}]},
            "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
        ),
        (
            {"KeySchema": key("pk", "pk")},
            "Both the Hash Key and the Range Key element in the KeySchema have the same name",
        ),
        (
            {"BillingMode": "PROVISIONED"},
            WRONG + "ReadCapacityUnits and WriteCapacityUnits must both be specified when "
            "BillingMode is PROVISIONED",
        ),
        (
            {"ProvisionedThroughput": UNITS},
            WRONG + "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when "
            "BillingMode is PAY_PER_REQUEST",
        ),
        (
            {"LocalSecondaryIndexes": [index("local", "pk", "pk")]},
            "Both the Hash Key and the Range Key element in the KeySchema have the same name",
        ),
        (
            {
                "AttributeDefinitions": attributes("pk", "l"),
                "LocalSecondaryIndexes": [index("local", "pk", "l")],
            },
            WRONG + "Table KeySchema does not have a range key, which is required when "
            "specifying a LocalSecondaryIndex",
        ),
        (
            {
                "AttributeDefinitions": attributes("pk", "g"),
                "GlobalSecondaryIndexes": [index("same", "g"), index("same", "g")],
            },
            WRONG + "Duplicate index name: same",
        ),
        (
            {
                "AttributeDefinitions": attributes("pk", "g"),
                "GlobalSecondaryIndexes": [
                    index("general", "g", Projection={"ProjectionType": "INCLUDE"})
                ],
            },
            WRONG + "ProjectionType is INCLUDE, but NonKeyAttributes is not specified",
        ),
        (
            {
                "AttributeDefinitions": attributes("pk", "g"),
                "GlobalSecondaryIndexes": [index("general", "g", Projection={})],
            },
            WRONG + "Unknown ProjectionType: null",
        ),
        ({"GlobalSecondaryIndexes": []}, WRONG + "List of GlobalSecondaryIndexes is empty"),
        (
            {"TableName": "no"},
            "TableName must be at least 3 characters long and at most 255 characters long",
        ),
    ],
)
def test_unsound_tables_are_refused_in_awss_words(
    ddb: Any, refused: Refused, params: dict[str, Any], message: str
) -> None:
    sound = {
        "TableName": "tbl",
        "AttributeDefinitions": attributes("pk"),
        "KeySchema": key("pk"),
        "BillingMode": "PAY_PER_REQUEST",
    }
    assert refused(ddb.create_table, **{**sound, **params}) == message


def test_a_table_can_be_created_once_and_deleted_once(
    ddb: Any, make: Make, refused: Refused
) -> None:
    make("tbl", "pk:S")
    definition = {
        "TableName": "tbl",
        "AttributeDefinitions": attributes("pk"),
        "KeySchema": key("pk"),
        "BillingMode": "PAY_PER_REQUEST",
    }
    message = refused(ddb.create_table, "ResourceInUseException", **definition)
    assert message == "Table already exists: tbl"
    assert ddb.delete_table(TableName="tbl")["TableDescription"]["TableStatus"] == "DELETING"
    ddb.get_waiter("table_not_exists").wait(
        TableName="tbl", WaiterConfig={"Delay": 1, "MaxAttempts": 1}
    )
    refused(ddb.delete_table, "ResourceNotFoundException", TableName="tbl")


def test_a_table_made_again_is_empty(ddb: Any, make: Make) -> None:
    make("tbl", "pk:S")
    ddb.put_item(TableName="tbl", Item={"pk": {"S": "k"}})
    ddb.delete_table(TableName="tbl")
    make("tbl", "pk:S")
    assert ddb.scan(TableName="tbl")["Count"] == 0
    assert ddb.describe_table(TableName="tbl")["Table"]["ItemCount"] == 0


def test_a_protected_table_stays(ddb: Any, make: Make, refused: Refused) -> None:
    make("tbl", "pk:S", DeletionProtectionEnabled=True)
    assert refused(ddb.delete_table, TableName="tbl") == (
        "Resource cannot be deleted as it is currently protected against deletion. "
        "Disable deletion protection first."
    )
    ddb.update_table(TableName="tbl", DeletionProtectionEnabled=False)
    ddb.delete_table(TableName="tbl")


def test_counts_and_sizes_follow_the_items(ddb: Any, make: Make) -> None:
    make("tbl", "pk:S", gsi={"by_g": ("g:S", "KEYS_ONLY")})

    def counts() -> tuple[int, ...]:
        table = ddb.describe_table(TableName="tbl")["Table"]
        by_g = table["GlobalSecondaryIndexes"][0]
        names = ("ItemCount", "TableSizeBytes"), ("ItemCount", "IndexSizeBytes")
        return tuple(
            part[name] for part, wanted in zip((table, by_g), names, strict=True) for name in wanted
        )

    for number in range(3):
        ddb.put_item(TableName="tbl", Item={"pk": {"S": str(number)}, "v": {"S": "xx"}})
    assert counts() == (3, 18, 0, 0)
    ddb.put_item(TableName="tbl", Item={"pk": {"S": "0"}, "g": {"S": "g"}})
    assert counts() == (3, 17, 1, 5)
    ddb.delete_item(TableName="tbl", Key={"pk": {"S": "0"}})
    assert counts() == (2, 12, 0, 0)


def test_a_table_is_on_demand_since_its_creation_has_ended(ddb: Any) -> None:
    made = ddb.create_table(
        TableName="tbl",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )["TableDescription"]
    assert made["BillingModeSummary"] == {"BillingMode": "PAY_PER_REQUEST"}
    described = ddb.describe_table(TableName="tbl")["Table"]
    assert "LastUpdateToPayPerRequestDateTime" in described["BillingModeSummary"]


def test_tables_are_listed_in_pages(ddb: Any, make: Make) -> None:
    names = sorted(make(f"table-{number}", "pk:S") for number in range(5))
    assert ddb.list_tables()["TableNames"] == names
    first = ddb.list_tables(Limit=2)
    assert (first["TableNames"], first["LastEvaluatedTableName"]) == (names[:2], names[1])
    pages = ddb.get_paginator("list_tables").paginate(PaginationConfig={"PageSize": 2})
    assert [name for page in pages for name in page["TableNames"]] == names


def put_many(ddb: Any, count: int) -> None:
    """Items that an index on the string `g` holds every other of."""
    requests = [
        {"PutRequest": {"Item": {"pk": {"S": str(number)}, "g": g}}}
        for number in range(count)
        for g in ({"S": "g"} if number % 2 else {"N": "1"},)
    ]
    for start in range(0, count, 25):
        ddb.batch_write_item(RequestItems={"tbl": requests[start : start + 25]})


def test_filling_an_index_goes_on_after_a_restart(
    fresh_node: Callable[..., Any], connect: Callable[..., Any]
) -> None:
    node = fresh_node()
    ddb = connect(node.endpoint, "dynamodb")
    ddb.create_table(
        TableName="tbl",
        AttributeDefinitions=attributes("pk"),
        KeySchema=key("pk"),
        BillingMode="PAY_PER_REQUEST",
    )
    put_many(ddb, 600)
    ddb.update_table(
        TableName="tbl",
        AttributeDefinitions=attributes("g"),
        GlobalSecondaryIndexUpdates=[{"Create": index("general", "g")}],
    )
    node.stop()
    node.start()
    for _ in range(10_000):
        table = ddb.describe_table(TableName="tbl")["Table"]
        if table["TableStatus"] == "ACTIVE":
            break
    assert ddb.scan(TableName="tbl", IndexName="general")["Count"] == 300


def test_a_new_index_is_filled_with_the_items_that_are_there(ddb: Any, make: Make) -> None:
    make("tbl", "pk:S")
    put_many(ddb, 450)
    updated = ddb.update_table(
        TableName="tbl",
        AttributeDefinitions=attributes("pk", "g"),
        GlobalSecondaryIndexUpdates=[{"Create": index("general", "g")}],
    )["TableDescription"]
    assert updated["TableStatus"] == "UPDATING"
    assert updated["GlobalSecondaryIndexes"][0]["IndexStatus"] == "CREATING"
    for _ in range(10_000):
        table = ddb.describe_table(TableName="tbl")["Table"]
        if table["TableStatus"] == "ACTIVE":
            break
    assert table["GlobalSecondaryIndexes"][0]["IndexStatus"] == "ACTIVE"
    assert ddb.scan(TableName="tbl", IndexName="general")["Count"] == 225
    ddb.update_table(
        TableName="tbl", GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "general"}}]
    )
    table = ddb.describe_table(TableName="tbl")["Table"]
    assert "GlobalSecondaryIndexes" not in table
    assert table["AttributeDefinitions"] == attributes("pk")


def test_index_changes_that_do_not_fit_the_table_are_refused(
    ddb: Any, make: Make, refused: Refused
) -> None:
    make("tbl", "pk:S", gsi={"general": ("g:S", "ALL")})

    def update(change: dict[str, Any], code: str = "ValidationException", **more: Any) -> str:
        given = {"TableName": "tbl", "GlobalSecondaryIndexUpdates": [change], **more}
        return refused(ddb.update_table, code, **given)

    message = update({"Create": index("general", "g")})
    assert message.startswith("Attempting to create an index which already exists")
    missing = {"Delete": {"IndexName": "none"}}
    assert update(missing, "ResourceNotFoundException") == "Requested resource not found"
    assert "Some index key attributes are not defined" in update({"Create": index("new", "x")})
    retyped = [{"AttributeName": "pk", "AttributeType": "N"}]
    update({"Create": index("new", "pk")}, AttributeDefinitions=retyped)
    both = [{"Create": index("one", "pk")}, {"Create": index("two", "pk")}]
    message = refused(
        ddb.update_table,
        "LimitExceededException",
        TableName="tbl",
        GlobalSecondaryIndexUpdates=both,
    )
    assert message.startswith("Subscriber limit exceeded: Only 1 online index can be created")


def test_throughput_and_billing_change(ddb: Any, make: Make, refused: Refused) -> None:
    make("tbl", "pk:S", BillingMode="PROVISIONED", ProvisionedThroughput=UNITS)
    assert refused(ddb.update_table, TableName="tbl") == (
        "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, "
        "GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required"
    )
    message = refused(ddb.update_table, TableName="tbl", ProvisionedThroughput=UNITS)
    assert message.startswith("The provisioned throughput for the table will not change.")
    more = {"ReadCapacityUnits": 9, "WriteCapacityUnits": 3}
    ddb.update_table(TableName="tbl", ProvisionedThroughput=more)
    table = ddb.describe_table(TableName="tbl")["Table"]
    assert table["ProvisionedThroughput"]["ReadCapacityUnits"] == 9
    assert "LastIncreaseDateTime" in table["ProvisionedThroughput"]
    ddb.update_table(TableName="tbl", BillingMode="PAY_PER_REQUEST")
    table = ddb.describe_table(TableName="tbl")["Table"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["ProvisionedThroughput"]["ReadCapacityUnits"] == 0


def test_a_stream_is_enabled_once_and_disabled_once(ddb: Any, make: Make, refused: Refused) -> None:
    make("tbl", "pk:S")
    enabled = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    table = ddb.update_table(TableName="tbl", StreamSpecification=enabled)["TableDescription"]
    assert table["StreamSpecification"] == enabled
    refused(ddb.update_table, TableName="tbl", StreamSpecification=enabled)
    ddb.update_table(TableName="tbl", StreamSpecification={"StreamEnabled": False})
    assert "StreamSpecification" not in ddb.describe_table(TableName="tbl")["Table"]


def test_tags(ddb: Any, make: Make, refused: Refused) -> None:
    make("tbl", "pk:S", Tags=[{"Key": "a", "Value": "1"}])
    arn = ddb.describe_table(TableName="tbl")["Table"]["TableArn"]
    ddb.tag_resource(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    ddb.untag_resource(ResourceArn=arn, TagKeys=["a", "none"])
    assert ddb.list_tags_of_resource(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    other = arn.replace("/tbl", "/none")
    message = refused(ddb.list_tags_of_resource, "ResourceNotFoundException", ResourceArn=other)
    assert message == f"Requested resource not found: ResourcArn: {other} not found"
    assert refused(ddb.tag_resource, ResourceArn="nonsense", Tags=[]) == (
        "Invalid TableArn: Invalid ResourceArn provided as input nonsense"
    )


def test_time_to_live_is_set_described_and_refused_twice(
    ddb: Any, make: Make, refused: Refused
) -> None:
    make("tbl", "pk:S")
    described = ddb.describe_time_to_live(TableName="tbl")["TimeToLiveDescription"]
    assert described == {"TimeToLiveStatus": "DISABLED"}
    on = {"Enabled": True, "AttributeName": "expires"}
    answer = ddb.update_time_to_live(TableName="tbl", TimeToLiveSpecification=on)
    assert answer["TimeToLiveSpecification"] == on
    described = ddb.describe_time_to_live(TableName="tbl")["TimeToLiveDescription"]
    assert described == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    message = refused(ddb.update_time_to_live, TableName="tbl", TimeToLiveSpecification=on)
    assert message == "TimeToLive is already enabled"


def test_expired_items_go_when_time_has_passed(
    fresh_node: Callable[..., Any], connect: Callable[..., Any]
) -> None:
    clock = VirtualClock()
    node = fresh_node(clock=clock)
    ddb = connect(node.endpoint, "dynamodb")
    ddb.create_table(
        TableName="tbl",
        AttributeDefinitions=attributes("pk"),
        KeySchema=key("pk"),
        BillingMode="PAY_PER_REQUEST",
    )

    def put(name: str, expires: int) -> None:
        expiry = {"N": str(int(clock.now()) + expires)}
        ddb.put_item(TableName="tbl", Item={"pk": {"S": name}, "expires": expiry})

    put("before", 100)
    ddb.update_time_to_live(
        TableName="tbl", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    put("soon", 100)
    put("late", 400)
    put("long ago", -6 * 365 * 24 * 3600)
    ddb.put_item(TableName="tbl", Item={"pk": {"S": "never"}, "expires": {"S": "1"}})
    put("extended", 100)
    put("extended", 400)

    def left() -> set[str]:
        return {item["pk"]["S"] for item in ddb.scan(TableName="tbl")["Items"]}

    assert len(left()) == 6
    node.run(clock.advance(200))
    assert left() == {"late", "long ago", "never", "extended"}
    node.run(clock.advance(400))
    assert left() == {"long ago", "never"}
    assert ddb.describe_table(TableName="tbl")["Table"]["ItemCount"] == 2


def test_limits_endpoints_and_backups_are_described(ddb: Any, make: Make, refused: Refused) -> None:
    make("tbl", "pk:S")
    assert ddb.describe_limits()["TableMaxReadCapacityUnits"] == 40000
    assert ddb.describe_endpoints()["Endpoints"][0]["CachePeriodInMinutes"] == 1440
    backups = ddb.describe_continuous_backups(TableName="tbl")["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"] == {"PointInTimeRecoveryStatus": "DISABLED"}
    message = refused(ddb.describe_continuous_backups, "TableNotFoundException", TableName="none")
    assert message == "Table not found: none"


@pytest.mark.crash
def test_counts_are_put_right_after_a_crash(
    node_process: Callable[..., Any], connect: Callable[..., Any]
) -> None:
    node = node_process()
    ddb = connect(node.endpoint, "dynamodb")
    ddb.create_table(
        TableName="tbl",
        AttributeDefinitions=attributes("pk", "g"),
        KeySchema=key("pk"),
        GlobalSecondaryIndexes=[index("general", "g")],
        BillingMode="PAY_PER_REQUEST",
    )
    for number in range(300):
        ddb.put_item(TableName="tbl", Item={"pk": {"S": str(number)}, "g": {"S": "g"}})
    node.kill()
    node.start()
    ddb = connect(node.endpoint, "dynamodb")
    assert ddb.scan(TableName="tbl", Select="COUNT")["Count"] == 300
    for _ in range(10_000):
        table = ddb.describe_table(TableName="tbl")["Table"]
        if table["ItemCount"] == table["GlobalSecondaryIndexes"][0]["ItemCount"] == 300:
            break
    assert table["ItemCount"] == table["GlobalSecondaryIndexes"][0]["ItemCount"] == 300


def test_everything_outlives_a_restart(
    fresh_node: Callable[..., Any], connect: Callable[..., Any]
) -> None:
    node = fresh_node()
    ddb = connect(node.endpoint, "dynamodb")
    ddb.create_table(
        TableName="tbl",
        AttributeDefinitions=attributes("pk", "g"),
        KeySchema=key("pk"),
        GlobalSecondaryIndexes=[index("general", "g")],
        BillingMode="PAY_PER_REQUEST",
    )
    ddb.put_item(TableName="tbl", Item={"pk": {"S": "k"}, "g": {"S": "g"}})
    node.stop()
    node.start()
    assert ddb.scan(TableName="tbl", IndexName="general")["Count"] == 1
    assert ddb.describe_table(TableName="tbl")["Table"]["ItemCount"] == 1
