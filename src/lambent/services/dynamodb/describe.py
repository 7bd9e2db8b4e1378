"""A table's definition as TableDescription."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambent.core.arns import Arn
from lambent.services.dynamodb.model import Index, KeySchema, Restore, Table, Throughput
from lambent.services.dynamodb.statistics import Count

_ON_DEMAND_WARM = Throughput(12000, 4000)
"""What a new table on demand can take at once."""


def describe(
    table: Table, counts: Mapping[str, Count], *, told: str | None = None
) -> dict[str, Any]:
    """The TableDescription. `told` is what the operation says of the table (CREATING)."""
    total = counts.get("", Count())
    result: dict[str, Any] = {
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": kind} for name, kind in table.attributes
        ],
        "TableName": table.name,
        "KeySchema": key_elements(table.key),
        "TableStatus": told or status(table),
        "CreationDateTime": table.created,
        "ProvisionedThroughput": _throughput(table.throughput) | _changed(table.throughput_changed),
        "TableSizeBytes": total.bytes,
        "ItemCount": total.items,
        "TableArn": table.arn,
        "TableId": table.id,
        "DeletionProtectionEnabled": table.protected,
        "WarmThroughput": _warm(table, table.throughput, table.warm),
    }
    if table.on_demand:
        result["BillingModeSummary"] = {
            "BillingMode": "PAY_PER_REQUEST",
            # Not yet in the answer to CreateTable.
            "LastUpdateToPayPerRequestDateTime": (
                None if told == "CREATING" else table.on_demand_since
            ),
        }
    elif table.on_demand_since:
        result["BillingModeSummary"] = {
            "BillingMode": "PROVISIONED",
            "LastUpdateToPayPerRequestDateTime": table.on_demand_since,
        }
    if table.on_demand_limits:
        result["OnDemandThroughput"] = table.on_demand_limits
    local = [_index(table, index, counts) for index in table.indexes if not index.is_global]
    if local:
        result["LocalSecondaryIndexes"] = local
    general = [
        _index(table, index, counts) | _global(table, index, told)
        for index in table.indexes
        if index.is_global
    ]
    if general:
        result["GlobalSecondaryIndexes"] = general
    if table.stream_view:
        result["StreamSpecification"] = {
            "StreamEnabled": True,
            "StreamViewType": table.stream_view,
        }
    if table.stream_label:
        result["LatestStreamLabel"] = table.stream_label
        result["LatestStreamArn"] = f"{table.arn}/stream/{table.stream_label}"
    if table.encryption and table.encryption.get("Enabled"):
        result["SSEDescription"] = encryption(table)
    if table.table_class:
        summary: dict[str, Any] = {"TableClass": table.table_class}
        if table.table_class_changed:
            summary["LastUpdateDateTime"] = table.table_class_changed
        result["TableClassSummary"] = summary
    if table.restore is not None:
        result["RestoreSummary"] = _restored(table, table.restore)
    return result


def status(table: Table) -> str:
    """The TableStatus of a table that is not being changed."""
    if not table.made:
        return "CREATING"
    return "UPDATING" if any(index.filling for index in table.indexes) else "ACTIVE"


def key_elements(schema: KeySchema) -> list[dict[str, str]]:
    """A key as KeySchema shows it."""
    elements = [{"AttributeName": schema.hash, "KeyType": "HASH"}]
    if schema.range:
        elements.append({"AttributeName": schema.range, "KeyType": "RANGE"})
    return elements


def _throughput(throughput: Throughput) -> dict[str, Any]:
    return {
        "NumberOfDecreasesToday": 0,
        "ReadCapacityUnits": throughput.read,
        "WriteCapacityUnits": throughput.write,
    }


def _changed(times: tuple[float, float]) -> dict[str, Any]:
    names = ("LastIncreaseDateTime", "LastDecreaseDateTime")
    return {name: time for name, time in zip(names, times, strict=True) if time}


def _warm(table: Table, throughput: Throughput, asked: Throughput | None) -> dict[str, Any]:
    least = _ON_DEMAND_WARM if table.on_demand else throughput
    wanted = asked or Throughput()
    return {
        "ReadUnitsPerSecond": max(least.read, wanted.read),
        "WriteUnitsPerSecond": max(least.write, wanted.write),
        "Status": "ACTIVE",
    }


def index_summary(index: Index) -> dict[str, Any]:
    """What an index is, as tables and backups show it."""
    projection: dict[str, Any] = {"ProjectionType": index.projection}
    if index.included:
        projection["NonKeyAttributes"] = list(index.included)
    shown: dict[str, Any] = {
        "IndexName": index.name,
        "KeySchema": key_elements(index.key),
        "Projection": projection,
    }
    if index.is_global:
        shown["ProvisionedThroughput"] = _throughput(index.throughput)
        if index.on_demand:
            shown["OnDemandThroughput"] = index.on_demand
    return shown


def _index(table: Table, index: Index, counts: Mapping[str, Count]) -> dict[str, Any]:
    count = counts.get(index.id, Count())
    return {
        **index_summary(index),
        "IndexSizeBytes": count.bytes,
        "ItemCount": count.items,
        "IndexArn": f"{table.arn}/index/{index.name}",
    }


def _global(table: Table, index: Index, told: str | None) -> dict[str, Any]:
    state = "CREATING" if index.filling or told == "CREATING" else "ACTIVE"
    result: dict[str, Any] = {
        "IndexStatus": state,
        "WarmThroughput": _warm(table, index.throughput, index.warm),
    }
    if index.filling:
        result["Backfilling"] = True
    return result


def _restored(table: Table, restore: Restore) -> dict[str, Any]:
    source = str(Arn("dynamodb", table.region, table.account, f"table/{restore.source}"))
    return {
        "SourceBackupArn": restore.backup or None,
        "SourceTableArn": source,
        "RestoreDateTime": restore.time,
        "RestoreInProgress": restore.under_way,
    }


def encryption(table: Table) -> dict[str, Any]:
    """SSEDescription of an encrypted table."""
    given = table.encryption or {}
    key = given.get("KMSMasterKeyId")
    if key is None or not key.startswith("arn:"):
        key = f"arn:aws:kms:{table.region}:{table.account}:key/{key or 'alias/aws/dynamodb'}"
    return {"Status": "ENABLED", "SSEType": given.get("SSEType") or "KMS", "KMSMasterKeyArn": key}
