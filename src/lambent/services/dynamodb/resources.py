"""The CloudFormation resource types of DynamoDB.

Source: CloudFormation template reference, AWS::DynamoDB::Table and AWS::DynamoDB::GlobalTable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambent.core.context import RequestContext
from lambent.core.resource_parts import quietly, tag_list, tags
from lambent.core.resources import Created, Properties, ResourceRequest
from lambent.services.dynamodb.backups.operations import Backups
from lambent.services.dynamodb.errors import invalid
from lambent.services.dynamodb.tables import Tables

_NUMBERS = frozenset(
    {
        "ReadCapacityUnits",
        "WriteCapacityUnits",
        "MaxReadRequestUnits",
        "MaxWriteRequestUnits",
        "RecoveryPeriodInDays",
    }
)
_TRUTHS = frozenset(
    {
        "DeletionProtectionEnabled",
        "SSEEnabled",
        "Enabled",
        "PointInTimeRecoveryEnabled",
    }
)
_SAME = (
    "AttributeDefinitions",
    "BillingMode",
    "DeletionProtectionEnabled",
    "GlobalSecondaryIndexes",
    "KeySchema",
    "LocalSecondaryIndexes",
    "OnDemandThroughput",
    "ProvisionedThroughput",
    "TableClass",
)
_INDEX_MEMBERS = (
    "IndexName",
    "KeySchema",
    "Projection",
    "ProvisionedThroughput",
    "OnDemandThroughput",
)


def _typed(value: Any, name: str = "") -> Any:
    """Template values in the API's types: templates may write numbers and truths as text."""
    if isinstance(value, Mapping):
        return {key: _typed(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_typed(item) for item in value]
    if name in _NUMBERS:
        return int(value)
    if name in _TRUTHS and isinstance(value, str):
        return value.lower() == "true"
    return value


def _index(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in _INDEX_MEMBERS if name in given}


def _encryption(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if given is None:
        return None
    rest = {name: given[name] for name in ("SSEType", "KMSMasterKeyId") if name in given}
    return {"Enabled": given.get("SSEEnabled", False), **rest}


class TableResource:
    """AWS::DynamoDB::Table. `Ref` is the table's name."""

    properties = frozenset(
        (
            *_SAME,
            "ContributorInsightsSpecification",
            "PointInTimeRecoverySpecification",
            "SSESpecification",
            "StreamSpecification",
            "TableName",
            "Tags",
            "TimeToLiveSpecification",
            "WarmThroughput",
        )
    )
    required = frozenset({"KeySchema"})
    replaces = frozenset({"TableName", "KeySchema", "LocalSecondaryIndexes"})
    attributes = frozenset(("Arn", "StreamArn", "TableId"))

    def __init__(self, tables: Tables, backups: Backups) -> None:
        self._tables = tables
        self._backups = backups

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        given = self._given(request, properties)
        params = {name: given[name] for name in _SAME if name in given}
        for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
            if kind in params:
                params[kind] = [_index(index) for index in params[kind]]
        params["TableName"] = given.get("TableName") or request.default_name[:255]
        params["SSESpecification"] = _encryption(given.get("SSESpecification"))
        params["Tags"] = tag_list(tags(request, given))
        if "StreamSpecification" in given:
            params["StreamSpecification"] = _stream(given["StreamSpecification"])
        await self._tables.create(request.context, params)
        name = params["TableName"]
        await self._set_ttl(request.context, name, {}, given)
        await self._set_recovery(request.context, name, {}, given)
        return await self._created(request.context, name)

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        before, after = self._given(request, old), self._given(request, new)
        context = request.context
        for change in _changes(before, after):
            for update in change.get("GlobalSecondaryIndexUpdates") or ():
                if "Create" in update:
                    change["AttributeDefinitions"] = _definitions(after, update["Create"])
            result = await self._tables.update(context, {"TableName": physical_id, **change})
            await self._tables.filled((result or {})["TableDescription"]["TableId"])
        await self._set_ttl(context, physical_id, before, after)
        await self._set_recovery(context, physical_id, before, after)
        await self._set_tags(request, physical_id, after)
        return await self._created(context, physical_id)

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        await quietly(
            self._tables.delete(request.context, {"TableName": physical_id}),
            "ResourceNotFoundException",
        )

    def _given(self, request: ResourceRequest, properties: Properties) -> dict[str, Any]:
        """The properties as those of AWS::DynamoDB::Table, in the API's types."""
        given: dict[str, Any] = _typed(properties)
        return given

    async def _created(self, context: RequestContext, name: str) -> Created:
        result = await self._tables.describe(context, {"TableName": name}) or {}
        table = result["Table"]
        attributes = {"Arn": table["TableArn"], "TableId": table["TableId"]}
        if "StreamSpecification" in table:
            attributes["StreamArn"] = table["LatestStreamArn"]
        return Created(name, attributes)

    async def _set_ttl(
        self,
        context: RequestContext,
        name: str,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
    ) -> None:
        was, now = _expiry(before), _expiry(after)
        if was == now:
            return
        for attribute, enabled in ((was, False), (now, True)):
            if attribute is not None:
                specification = {"AttributeName": attribute, "Enabled": enabled}
                await self._tables.update_ttl(
                    context, {"TableName": name, "TimeToLiveSpecification": specification}
                )

    async def _set_recovery(
        self,
        context: RequestContext,
        name: str,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
    ) -> None:
        property_name = "PointInTimeRecoverySpecification"
        now = after.get(property_name)
        if before.get(property_name) == now:
            return
        specification = {"PointInTimeRecoveryEnabled": False, **(now or {})}
        await self._backups.update_recovery(
            context, {"TableName": name, property_name: specification}
        )

    async def _set_tags(
        self, request: ResourceRequest, name: str, after: Mapping[str, Any]
    ) -> None:
        context = request.context
        arn = context.arn("dynamodb", f"table/{name}")
        wanted = tags(request, after)
        result = await self._tables.list_tags(context, {"ResourceArn": arn}) or {}
        present = {tag["Key"]: tag["Value"] for tag in result["Tags"]}
        if gone := [key for key in present if key not in wanted]:
            await self._tables.untag(context, {"ResourceArn": arn, "TagKeys": gone})
        if wanted and wanted != present:
            await self._tables.tag(context, {"ResourceArn": arn, "Tags": tag_list(wanted)})


def _stream(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"StreamEnabled": True, "StreamViewType": given["StreamViewType"]}


def _definitions(given: Mapping[str, Any], index: Mapping[str, Any]) -> list[Any]:
    """The attribute definitions of an index's key."""
    names = {element["AttributeName"] for element in index["KeySchema"]}
    return [each for each in given["AttributeDefinitions"] if each["AttributeName"] in names]


def _expiry(given: Mapping[str, Any]) -> str | None:
    specification = given.get("TimeToLiveSpecification") or {}
    return specification.get("AttributeName") if specification.get("Enabled") else None


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The UpdateTable calls that lead from the old properties to the new ones.

    AWS allows one new or deleted index per call, so each has its own.
    """
    calls: list[dict[str, Any]] = []
    old = {each["IndexName"]: _index(each) for each in before.get("GlobalSecondaryIndexes") or ()}
    new = {each["IndexName"]: _index(each) for each in after.get("GlobalSecondaryIndexes") or ()}
    rebuilt = {
        name
        for name in old.keys() & new.keys()
        if any(old[name].get(part) != new[name].get(part) for part in ("KeySchema", "Projection"))
    }
    calls.extend(
        {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": name}}]}
        for name in old
        if name not in new or name in rebuilt
    )
    kept = [name for name in new if name in old and name not in rebuilt]
    general = _general(before, after)
    resized = [
        {
            "Update": {
                "IndexName": name,
                **{
                    part: new[name][part]
                    for part in ("ProvisionedThroughput", "OnDemandThroughput")
                    if part in new[name] and new[name][part] != old[name].get(part)
                },
            }
        }
        for name in kept
    ]
    resized = [update for update in resized if len(update["Update"]) > 1]
    if resized:
        general["GlobalSecondaryIndexUpdates"] = resized
    if general:
        calls.append(general)
    calls.extend(_stream_changes(before, after))
    calls.extend(
        {"GlobalSecondaryIndexUpdates": [{"Create": new[name]}]} for name in new if name not in kept
    )
    return calls


def _general(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    call: dict[str, Any] = {}
    for name, default in (
        ("BillingMode", "PROVISIONED"),
        ("DeletionProtectionEnabled", False),
        ("TableClass", "STANDARD"),
    ):
        if before.get(name, default) != after.get(name, default):
            call[name] = after.get(name, default)
    for name in ("ProvisionedThroughput", "OnDemandThroughput"):
        if name in after and before.get(name) != after[name]:
            call[name] = after[name]
    if before.get("SSESpecification") != after.get("SSESpecification"):
        call["SSESpecification"] = _encryption(after.get("SSESpecification") or {})
    return call


def _stream_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    was = before.get("StreamSpecification")
    now = after.get("StreamSpecification")
    if was == now:
        return []
    calls: list[dict[str, Any]] = []
    if was is not None:
        calls.append({"StreamSpecification": {"StreamEnabled": False}})
    if now is not None:
        calls.append({"StreamSpecification": _stream(now)})
    return calls


_REPLICA = (
    "DeletionProtectionEnabled",
    "PointInTimeRecoverySpecification",
    "TableClass",
    "Tags",
    "ContributorInsightsSpecification",
)
_GLOBAL_SAME = (
    "AttributeDefinitions",
    "BillingMode",
    "KeySchema",
    "LocalSecondaryIndexes",
    "SSESpecification",
    "StreamSpecification",
    "TableName",
    "TimeToLiveSpecification",
)


class GlobalTableResource(TableResource):
    """AWS::DynamoDB::GlobalTable with one replica, in the stack's own region."""

    properties = frozenset(
        (
            *_GLOBAL_SAME,
            "GlobalSecondaryIndexes",
            "Replicas",
            "WriteOnDemandThroughputSettings",
            "WriteProvisionedThroughputSettings",
        )
    )
    required = frozenset({"AttributeDefinitions", "KeySchema", "Replicas"})

    def _given(self, request: ResourceRequest, properties: Properties) -> dict[str, Any]:
        replicas = properties["Replicas"]
        regions = [replica["Region"] for replica in replicas]
        if regions != [request.context.region]:
            raise invalid(
                "A global table needs one replica, in the stack's own region: replicas in other "
                "regions are not available on this node."
            )
        given = {name: properties[name] for name in _GLOBAL_SAME if name in properties}
        given |= {name: replicas[0][name] for name in _REPLICA if name in replicas[0]}
        indexes = [
            {name: index[name] for name in ("IndexName", "KeySchema", "Projection")}
            for index in properties.get("GlobalSecondaryIndexes") or ()
        ]
        if properties.get("BillingMode", "PAY_PER_REQUEST") == "PROVISIONED":
            throughput = _provisioned(properties, replicas[0])
            given["ProvisionedThroughput"] = throughput
            for index in indexes:
                index["ProvisionedThroughput"] = throughput
        else:
            given["BillingMode"] = "PAY_PER_REQUEST"
        if indexes:
            given["GlobalSecondaryIndexes"] = indexes
        result: dict[str, Any] = _typed(given)
        return result


def _provisioned(properties: Properties, replica: Mapping[str, Any]) -> dict[str, Any]:
    """Capacity from settings that are fixed or scale between bounds: the least they allow."""
    read = replica.get("ReadProvisionedThroughputSettings") or {}
    write = properties.get("WriteProvisionedThroughputSettings") or {}
    reading = read.get("ReadCapacityUnits") or (
        read.get("ReadCapacityAutoScalingSettings") or {}
    ).get("MinCapacity", 1)
    writing = (write.get("WriteCapacityAutoScalingSettings") or {}).get("MinCapacity", 1)
    return {"ReadCapacityUnits": reading, "WriteCapacityUnits": writing}
