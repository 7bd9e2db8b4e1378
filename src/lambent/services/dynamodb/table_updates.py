"""UpdateTable's rules: from a definition and a request to the new definition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from lambent.core.errors import AwsError
from lambent.core.ids import Ids
from lambent.services.dynamodb.errors import invalid, invalid_parameter, table_not_found
from lambent.services.dynamodb.model import Index, Table, Throughput
from lambent.services.dynamodb.table_rules import (
    MAX_GLOBAL,
    check_all_used,
    global_index,
    stream_label,
    stream_view,
    throughput_of,
    warm_throughput,
)

_CHANGES = (
    "ProvisionedThroughput",
    "BillingMode",
    "GlobalSecondaryIndexUpdates",
    "StreamSpecification",
    "SSESpecification",
    "ReplicaUpdates",
    "TableClass",
    "DeletionProtectionEnabled",
    "OnDemandThroughput",
    "WarmThroughput",
)


class Updated(NamedTuple):
    """The new definition, and the indexes that are gone."""

    table: Table
    dropped: tuple[Index, ...]


def check_request(params: Mapping[str, Any]) -> None:
    """Raise when the request alone is unsound."""
    if all(params.get(name) is None for name in _CHANGES):
        raise invalid(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, "
            "GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required"
        )
    if (
        params.get("BillingMode") == "PAY_PER_REQUEST"
        and params.get("ProvisionedThroughput") is not None
    ):
        raise invalid_parameter(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode "
            "is PAY_PER_REQUEST"
        )
    if params.get("ReplicaUpdates") is not None:
        raise invalid("Replicas in other regions are not available on this node.")
    throughput_of(params.get("ProvisionedThroughput"))
    names: set[str] = set()
    for update in params.get("GlobalSecondaryIndexUpdates") or ():
        kinds = [kind for kind in ("Create", "Update", "Delete") if update.get(kind) is not None]
        if not kinds:
            raise invalid_parameter(
                "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, "
                "GlobalSecondaryIndexUpdate.Delete must not be null"
            )
        if len(kinds) > 1:
            raise invalid_parameter(
                "Only one of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, "
                "GlobalSecondaryIndexUpdate.Delete may be specified"
            )
        name = update[kinds[0]]["IndexName"]
        if name in names:
            raise invalid_parameter(
                "Only one global secondary index update per index is allowed simultaneously. "
                f"Index: {name}"
            )
        names.add(name)


def update_table(table: Table, params: Mapping[str, Any], now: float, ids: Ids) -> Updated:
    """The definition after an UpdateTable request that `check_request` let pass."""
    table = _billing(table, params, now)
    dropped: tuple[Index, ...] = ()
    if params.get("GlobalSecondaryIndexUpdates"):
        table, dropped = _indexes(table, params, ids)
    stream = params.get("StreamSpecification")
    if stream is not None:
        table = _stream(table, stream, now)
    changes: dict[str, Any] = {}
    if params.get("SSESpecification") is not None:
        changes["encryption"] = params["SSESpecification"]
    if params.get("DeletionProtectionEnabled") is not None:
        changes["protected"] = params["DeletionProtectionEnabled"]
    if params.get("TableClass") is not None:
        changes |= {"table_class": params["TableClass"], "table_class_changed": now}
    if params.get("OnDemandThroughput") is not None:
        changes["on_demand_limits"] = params["OnDemandThroughput"]
    if params.get("WarmThroughput") is not None:
        changes["warm"] = _warmer(table.warm, warm_throughput(params["WarmThroughput"]))
    return Updated(msgspec.structs.replace(table, **changes), dropped)


def _billing(table: Table, params: Mapping[str, Any], now: float) -> Table:
    mode = params.get("BillingMode")
    given = params.get("ProvisionedThroughput")
    if mode == "PAY_PER_REQUEST":
        indexes = tuple(
            msgspec.structs.replace(index, throughput=Throughput()) for index in table.indexes
        )
        since = table.on_demand_since if table.on_demand else now
        return msgspec.structs.replace(
            table,
            on_demand=True,
            throughput=Throughput(),
            on_demand_since=since,
            indexes=indexes,
        )
    if mode == "PROVISIONED" and table.on_demand and given is None:
        raise invalid_parameter(
            "ProvisionedThroughput must be specified when BillingMode is PROVISIONED"
        )
    if given is None:
        return table
    if table.on_demand and mode is None:
        raise invalid_parameter(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode "
            "is PAY_PER_REQUEST"
        )
    wanted, present = throughput_of(given), table.throughput
    if wanted == present and not table.on_demand:
        raise invalid(
            "The provisioned throughput for the table will not change. The requested value equals "
            "the current value. "
            f"Current ReadCapacityUnits provisioned for the table: {present.read}. "
            f"Requested ReadCapacityUnits: {wanted.read}. "
            f"Current WriteCapacityUnits provisioned for the table: {present.write}. "
            f"Requested WriteCapacityUnits: {wanted.write}. Refer to the Amazon DynamoDB Developer "
            "Guide for current limits and how to request higher limits."
        )
    increased, decreased = table.throughput_changed
    if wanted.read > present.read or wanted.write > present.write:
        increased = now
    if wanted.read < present.read or wanted.write < present.write:
        decreased = now
    return msgspec.structs.replace(
        table, on_demand=False, throughput=wanted, throughput_changed=(increased, decreased)
    )


def _indexes(table: Table, params: Mapping[str, Any], ids: Ids) -> tuple[Table, tuple[Index, ...]]:
    attributes = dict(table.attributes)
    for each in params.get("AttributeDefinitions") or ():
        name, kind = each["AttributeName"], each["AttributeType"]
        if attributes.setdefault(name, kind) != kind:
            raise invalid_parameter(
                f"Attribute {name} is already defined with type {attributes[name]}"
            )
    indexes = list(table.indexes)
    dropped: list[Index] = []
    online = 0
    for update in params["GlobalSecondaryIndexUpdates"]:
        if (create := update.get("Create")) is not None:
            online += 1
            if table.index(create["IndexName"]) is not None:
                raise invalid(
                    "Attempting to create an index which already exists. "
                    f"IndexName: {create['IndexName']}"
                )
            indexes.append(global_index(create, attributes, table.on_demand, ids, filling=True))
        elif (delete := update.get("Delete")) is not None:
            online += 1
            gone = _existing(table, delete["IndexName"])
            indexes.remove(gone)
            dropped.append(gone)
        else:
            change = update["Update"]
            index = _existing(table, change["IndexName"])
            indexes[indexes.index(index)] = _changed(table, index, change)
    if online > 1 or (online and any(index.filling for index in table.indexes)):
        raise AwsError(
            "LimitExceededException",
            "Subscriber limit exceeded: Only 1 online index can be created or deleted "
            "simultaneously per table",
            400,
        )
    if sum(index.is_global for index in indexes) > MAX_GLOBAL:
        raise invalid_parameter(
            f"GlobalSecondaryIndex count exceeds the per-table limit of {MAX_GLOBAL}"
        )
    # Definitions that only a deleted index used go with it; new ones must be used.
    used = {name for index in indexes for name in index.key.attributes}
    used.update(table.key.attributes)
    before = dict(table.attributes)
    kept = [(name, kind) for name, kind in attributes.items() if name in used or name not in before]
    check_all_used(kept, table.key, indexes)
    table = msgspec.structs.replace(table, indexes=tuple(indexes), attributes=tuple(kept))
    return table, tuple(dropped)


def _existing(table: Table, name: str) -> Index:
    index = table.index(name)
    if index is None or not index.is_global:
        raise table_not_found()
    return index


def _changed(table: Table, index: Index, change: Mapping[str, Any]) -> Index:
    if change.get("OnDemandThroughput") is not None:
        index = msgspec.structs.replace(index, on_demand=change["OnDemandThroughput"])
    if change.get("WarmThroughput") is not None:
        warm = _warmer(index.warm, warm_throughput(change["WarmThroughput"]))
        index = msgspec.structs.replace(index, warm=warm)
    given = change.get("ProvisionedThroughput")
    if given is None:
        return index
    wanted, present = throughput_of(given, index.name), index.throughput
    if wanted == present:
        raise invalid(
            f"The provisioned throughput for the index {index.name} will not change. The requested "
            "value equals the current value. "
            f"Current ReadCapacityUnits provisioned for the index: {present.read}. "
            f"Requested ReadCapacityUnits: {wanted.read}. "
            f"Current WriteCapacityUnits provisioned for the index: {present.write}. "
            f"Requested WriteCapacityUnits: {wanted.write}. Refer to the Amazon DynamoDB Developer "
            "Guide for current limits and how to request higher limits."
        )
    return msgspec.structs.replace(index, throughput=wanted)


def _warmer(present: Throughput | None, wanted: Throughput | None) -> Throughput | None:
    """What is not given stays as it was."""
    if present is None or wanted is None:
        return wanted
    return Throughput(wanted.read or present.read, wanted.write or present.write)


def _stream(table: Table, given: Mapping[str, Any], now: float) -> Table:
    view = stream_view(given)
    if view and table.stream_view:
        raise invalid(f"Table already has an enabled stream: TableName: {table.name}")
    if not view and not table.stream_view:
        raise invalid(f"Table is already without a stream: TableName: {table.name}")
    label = stream_label(now) if view else table.stream_label
    return msgspec.structs.replace(table, stream_view=view, stream_label=label)
