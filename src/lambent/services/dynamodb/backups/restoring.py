"""The definition of a table that is restored: that of the source, and what is to be different.

Streams, expiry, tags, protection and recovery are not restored.

Source: Amazon DynamoDB Developer Guide, "Restoring a table from a backup".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lambent.core.ids import Ids
from lambent.services.dynamodb.errors import invalid_parameter
from lambent.services.dynamodb.model import Index, Restore, Table, Throughput
from lambent.services.dynamodb.table_rules import throughput_of


def restored_table(
    source: Table, params: Mapping[str, Any], restore: Restore, now: float, ids: Ids
) -> Table:
    """The new table's definition; ValidationException when the request does not fit."""
    indexes = [
        *_chosen(source, params.get("LocalSecondaryIndexOverride"), is_global=False),
        *_chosen(source, params.get("GlobalSecondaryIndexOverride"), is_global=True),
    ]
    mode, given = params.get("BillingModeOverride"), params.get("ProvisionedThroughputOverride")
    on_demand = source.on_demand if mode is None else mode == "PAY_PER_REQUEST"
    if on_demand and given is not None:
        raise invalid_parameter(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode "
            "is PAY_PER_REQUEST"
        )
    throughput = throughput_of(given) if given is not None else source.throughput
    if on_demand:
        throughput = Throughput()
        indexes = [msgspec.structs.replace(each, throughput=throughput) for each in indexes]
    elif not throughput.read:
        raise invalid_parameter(
            "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is "
            "PROVISIONED"
        )
    used = set(source.key.attributes)
    used.update(name for index in indexes for name in index.key.attributes)
    return Table(
        name=params["TargetTableName"],
        id=ids.uuid(),
        account=source.account,
        region=source.region,
        created=now,
        attributes=tuple(each for each in source.attributes if each[0] in used),
        key=source.key,
        indexes=tuple(msgspec.structs.replace(each, id=ids.hex(16)) for each in indexes),
        on_demand=on_demand,
        throughput=throughput,
        on_demand_since=now if on_demand else 0.0,
        on_demand_limits=params.get("OnDemandThroughputOverride") or source.on_demand_limits,
        encryption=params.get("SSESpecificationOverride") or source.encryption,
        table_class=source.table_class,
        restore=restore,
    )


def _chosen(
    source: Table, given: Sequence[Mapping[str, Any]] | None, *, is_global: bool
) -> list[Index]:
    """The source's indexes that are wanted; all when nothing is said."""
    if given is None:
        # One that was still being filled has its entries once the items are copied.
        found = [index for index in source.indexes if index.is_global == is_global]
        return [msgspec.structs.replace(index, filling=False) for index in found]
    chosen: list[Index] = []
    for each in given:
        index = source.index(each["IndexName"])
        if index is None or index.is_global != is_global:
            raise invalid_parameter(
                f"Index {each['IndexName']} does not match an index of the source table"
            )
        units = each.get("ProvisionedThroughput")
        throughput = throughput_of(units, index.name) if units is not None else index.throughput
        chosen.append(msgspec.structs.replace(index, throughput=throughput, filling=False))
    return chosen
