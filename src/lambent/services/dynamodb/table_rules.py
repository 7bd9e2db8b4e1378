"""What a table's definition must fulfil, and the definition made of a CreateTable request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lambent.core.ids import Ids
from lambent.services.dynamodb.errors import invalid, invalid_parameter
from lambent.services.dynamodb.model import Index, KeySchema, Table, Throughput

MAX_LOCAL = 5
MAX_GLOBAL = 20
MAX_INCLUDED = 100
MAX_TAGS = 50
_MAX_UNITS = 1_000_000_000_000

Definitions = Mapping[str, str]
"""Attribute types by name."""


def new_table(
    params: Mapping[str, Any], *, account: str, region: str, now: float, ids: Ids
) -> Table:
    """The table that a CreateTable request asks for; ValidationException when it is unsound."""
    _check_present(params)
    given = [
        (each["AttributeName"], each["AttributeType"]) for each in params["AttributeDefinitions"]
    ]
    definitions = dict(given)
    on_demand, throughput = _billing(params)
    _check_names(params["KeySchema"], definitions)
    schema = key_schema(params["KeySchema"], definitions)
    local = params.get("LocalSecondaryIndexes")
    general = params.get("GlobalSecondaryIndexes")
    indexes = [
        *_local_indexes(local, schema, definitions, ids),
        *_global_indexes(general, definitions, on_demand, ids),
    ]
    names: set[str] = set()
    for index in indexes:
        if index.name in names:
            raise invalid_parameter(f"Duplicate index name: {index.name}")
        names.add(index.name)
    check_all_used(given, schema, indexes)
    included = sum(len(index.included) for index in indexes)
    if included > MAX_INCLUDED:
        raise invalid_parameter(
            "Number of attributes in NonKeyAttributes of all secondary indexes "
            f"exceeds limit of {MAX_INCLUDED}"
        )
    stream = params.get("StreamSpecification") or {}
    view = stream_view(stream)
    return Table(
        name=params["TableName"],
        id=ids.uuid(),
        account=account,
        region=region,
        created=now,
        attributes=tuple(given),
        key=schema,
        indexes=tuple(indexes),
        on_demand=on_demand,
        throughput=throughput,
        on_demand_since=now if on_demand else 0.0,
        on_demand_limits=params.get("OnDemandThroughput"),
        warm=warm_throughput(params.get("WarmThroughput")),
        stream_view=view,
        stream_label=stream_label(now) if view else "",
        encryption=params.get("SSESpecification"),
        protected=params.get("DeletionProtectionEnabled") is True,
        table_class=params.get("TableClass") or "",
        tags=tags_of(params.get("Tags") or ()),
    )


def _check_present(params: Mapping[str, Any]) -> None:
    missing = [name for name in ("AttributeDefinitions", "KeySchema") if params.get(name) is None]
    if missing:
        plural = "s" if len(missing) > 1 else ""
        faults = "; ".join(
            f"Value null at '{name[0].lower()}{name[1:]}' failed to satisfy constraint: "
            "Member must not be null"
            for name in missing
        )
        raise invalid(f"{len(missing)} validation error{plural} detected: {faults}")


def _billing(params: Mapping[str, Any]) -> tuple[bool, Throughput]:
    on_demand = params.get("BillingMode") == "PAY_PER_REQUEST"
    given = params.get("ProvisionedThroughput")
    if on_demand and given is not None:
        raise invalid_parameter(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode "
            "is PAY_PER_REQUEST"
        )
    if not on_demand and given is None:
        raise invalid_parameter(
            "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is "
            "PROVISIONED"
        )
    return on_demand, throughput_of(given)


def throughput_of(given: Mapping[str, Any] | None, index: str = "") -> Throughput:
    """ProvisionedThroughput, within its bounds."""
    if given is None:
        return Throughput()
    suffix = f" for index {index}" if index else ""
    for name in ("ReadCapacityUnits", "WriteCapacityUnits"):
        if given[name] > _MAX_UNITS:
            raise invalid(f"Given value {given[name]} for {name} is out of bounds{suffix}")
    return Throughput(given["ReadCapacityUnits"], given["WriteCapacityUnits"])


def warm_throughput(given: Mapping[str, Any] | None) -> Throughput | None:
    """WarmThroughput; None when it is not asked for."""
    if given is None:
        return None
    read, write = given.get("ReadUnitsPerSecond"), given.get("WriteUnitsPerSecond")
    if read is None and write is None:
        raise invalid_parameter(
            "At least one of ReadUnitsPerSecond and WriteUnitsPerSecond must be specified in "
            "WarmThroughput"
        )
    for name, units in (("ReadUnitsPerSecond", read), ("WriteUnitsPerSecond", write)):
        if units is not None and units < 1:
            raise invalid_parameter(f"{name} of WarmThroughput must be at least 1")
    return Throughput(read or 0, write or 0)


def _check_names(elements: Sequence[Mapping[str, str]], definitions: Definitions) -> None:
    names = [element["AttributeName"] for element in elements]
    if any(name not in definitions for name in names):
        raise invalid_parameter(
            "Some index key attributes are not defined in AttributeDefinitions. "
            f"Keys: [{', '.join(names)}], AttributeDefinitions: [{', '.join(definitions)}]"
        )


def key_schema(elements: Sequence[Mapping[str, str]], definitions: Definitions) -> KeySchema:
    """A KeySchema of one HASH element and perhaps one RANGE element."""
    if len(elements) > 2:
        shown = ", ".join(
            f"KeySchemaElement(attributeName={each['AttributeName']}, keyType={each['KeyType']})"
            for each in elements
        )
        raise invalid(
            f"1 validation error detected: Value '[{shown}]' at 'keySchema' failed to satisfy "
            "constraint: Member must have length less than or equal to 2"
        )
    first = elements[0]
    if first["KeyType"] != "HASH":
        raise invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
    name = first["AttributeName"]
    if len(elements) == 1:
        return KeySchema(name, definitions[name])
    second = elements[1]
    if second["KeyType"] != "RANGE":
        raise invalid("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
    other = second["AttributeName"]
    if other == name:
        raise invalid(
            "Both the Hash Key and the Range Key element in the KeySchema have the same name"
        )
    return KeySchema(name, definitions[name], other, definitions[other])


def _local_indexes(
    given: Sequence[Mapping[str, Any]] | None,
    table: KeySchema,
    definitions: Definitions,
    ids: Ids,
) -> list[Index]:
    if given is None:
        return []
    if not given:
        raise invalid_parameter("List of LocalSecondaryIndexes is empty")
    indexes = []
    for each in given:
        name = each["IndexName"]
        _check_names(each["KeySchema"], definitions)
        schema = key_schema(each["KeySchema"], definitions)
        if not table.range:
            raise invalid_parameter(
                "Table KeySchema does not have a range key, which is required when specifying a "
                "LocalSecondaryIndex"
            )
        if not schema.range:
            raise invalid_parameter(f"Index KeySchema does not have a range key for index: {name}")
        if schema.hash != table.hash:
            raise invalid_parameter(
                "Index KeySchema does not have the same leading hash key as table KeySchema for "
                f"index: {name}. index hash key: {schema.hash}, table hash key: {table.hash}"
            )
        projection, included = _projection(each.get("Projection"))
        indexes.append(Index(name, ids.hex(16), schema, False, projection, included))
    if len(indexes) > MAX_LOCAL:
        raise invalid_parameter(
            f"Number of LocalSecondaryIndexes exceeds per-table limit of {MAX_LOCAL}"
        )
    return indexes


def _global_indexes(
    given: Sequence[Mapping[str, Any]] | None,
    definitions: Definitions,
    on_demand: bool,
    ids: Ids,
) -> list[Index]:
    if given is None:
        return []
    if not given:
        raise invalid_parameter("List of GlobalSecondaryIndexes is empty")
    indexes = [global_index(each, definitions, on_demand, ids) for each in given]
    if len(indexes) > MAX_GLOBAL:
        raise invalid_parameter(
            f"GlobalSecondaryIndex count exceeds the per-table limit of {MAX_GLOBAL}"
        )
    return indexes


def global_index(
    given: Mapping[str, Any],
    definitions: Definitions,
    on_demand: bool,
    ids: Ids,
    *,
    filling: bool = False,
) -> Index:
    """A global index; ValidationException when it is unsound."""
    name = given["IndexName"]
    units = given.get("ProvisionedThroughput")
    if on_demand and units is not None:
        raise invalid_parameter(
            "ProvisionedThroughput should not be specified for index: "
            f"{name} when BillingMode is PAY_PER_REQUEST"
        )
    if not on_demand and units is None:
        raise invalid_parameter(f"ProvisionedThroughput is not specified for index: {name}")
    _check_names(given["KeySchema"], definitions)
    schema = key_schema(given["KeySchema"], definitions)
    projection, included = _projection(given.get("Projection"))
    return Index(
        name,
        ids.hex(16),
        schema,
        True,
        projection,
        included,
        throughput_of(units, name),
        given.get("OnDemandThroughput"),
        filling,
        warm_throughput(given.get("WarmThroughput")),
    )


def _projection(given: Mapping[str, Any] | None) -> tuple[str, tuple[str, ...]]:
    kind = (given or {}).get("ProjectionType")
    names = (given or {}).get("NonKeyAttributes")
    if kind is None:
        raise invalid_parameter("Unknown ProjectionType: null")
    if kind == "INCLUDE":
        if names is None:
            raise invalid_parameter(
                "ProjectionType is INCLUDE, but NonKeyAttributes is not specified"
            )
        return kind, tuple(names)
    if names is not None:
        raise invalid_parameter(f"ProjectionType is {kind}, but NonKeyAttributes is specified")
    return kind, ()


def check_all_used(
    given: Sequence[tuple[str, str]], table: KeySchema, indexes: Sequence[Index]
) -> None:
    """Raise unless each attribute definition is used by some key, and defined once."""
    used = dict.fromkeys(table.attributes)
    for index in indexes:
        used.update(dict.fromkeys(index.key.attributes))
    if len({name for name, _ in given}) != len(given):
        raise invalid_parameter("Cannot have two attributes with the same name")
    if len(used) == len(given):
        return
    if not indexes:
        raise invalid_parameter(
            "Number of attributes in KeySchema does not exactly match number of attributes "
            "defined in AttributeDefinitions"
        )
    raise invalid_parameter(
        "Some AttributeDefinitions are not used. "
        f"AttributeDefinitions: [{', '.join(name for name, _ in given)}], "
        f"keys used: [{', '.join(used)}]"
    )


def stream_view(given: Mapping[str, Any]) -> str:
    """The view type of a StreamSpecification; "" when streams are off."""
    if not given.get("StreamEnabled"):
        if given.get("StreamViewType") is not None:
            raise invalid_parameter(
                "StreamViewType can only be specified when StreamEnabled is true"
            )
        return ""
    view = given.get("StreamViewType")
    if view is None:
        raise invalid_parameter("StreamViewType must be specified when StreamEnabled is true")
    return str(view)


def stream_label(now: float) -> str:
    """A stream's label: the time it was enabled, in ISO form with milliseconds."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


def tags_of(given: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Tags by key, within their limits."""
    tags = {each["Key"]: each["Value"] for each in given}
    check_tags(tags)
    return tags


def check_tags(tags: Mapping[str, str]) -> None:
    """Raise when there are more tags than a table may have."""
    if len(tags) > MAX_TAGS:
        raise invalid_parameter(f"Too many tags. The limit is {MAX_TAGS} tags per resource")
