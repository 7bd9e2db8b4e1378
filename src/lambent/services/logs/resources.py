"""The CloudFormation resource types of CloudWatch Logs.

Source: CloudFormation template reference, AWS::Logs::LogGroup, AWS::Logs::LogStream,
AWS::Logs::MetricFilter.
"""

from __future__ import annotations

from typing import Any

from lambent.core.resource_parts import PutResource, quietly, tags
from lambent.core.resources import Created, Properties, ResourceRequest
from lambent.services.logs.operations import LogOperations

_GONE = "ResourceNotFoundException"


class LogGroupResource:
    """AWS::Logs::LogGroup. `Ref` is the group's name."""

    properties = frozenset(
        (
            "DataProtectionPolicy",
            "FieldIndexPolicies",
            "KmsKeyId",
            "LogGroupClass",
            "LogGroupName",
            "RetentionInDays",
            "Tags",
        )
    )
    required: frozenset[str] = frozenset()
    replaces = frozenset(("LogGroupName",))
    attributes = frozenset(("Arn",))

    def __init__(self, operations: LogOperations) -> None:
        self._operations = operations

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        name = properties.get("LogGroupName") or request.default_name
        await self._operations.create_log_group(
            request.context,
            {
                "logGroupName": name,
                "tags": tags(request, properties),
                "logGroupClass": properties.get("LogGroupClass"),
                "kmsKeyId": properties.get("KmsKeyId"),
            },
        )
        await self._set_retention(request, name, properties)
        return self._created(request, name)

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        await self._set_retention(request, physical_id, new)
        return self._created(request, physical_id)

    async def read(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> Properties | None:
        """The group as it is."""
        answer = await self._operations.describe_log_groups(
            request.context, {"logGroupNamePrefix": physical_id}
        )
        for held in (answer or {}).get("logGroups") or ():
            if held["logGroupName"] == physical_id:
                found = {
                    "LogGroupName": physical_id,
                    "RetentionInDays": held.get("retentionInDays"),
                }
                return {name: found[name] for name in found if name in properties}
        return None

    async def _set_retention(
        self, request: ResourceRequest, name: str, properties: Properties
    ) -> None:
        days = properties.get("RetentionInDays")
        if days is None:
            await self._operations.delete_retention_policy(request.context, {"logGroupName": name})
        else:
            await self._operations.put_retention_policy(
                request.context, {"logGroupName": name, "retentionInDays": int(days)}
            )

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        await quietly(
            self._operations.delete_log_group(request.context, {"logGroupName": physical_id}),
            _GONE,
        )

    @staticmethod
    def _created(request: ResourceRequest, name: str) -> Created:
        return Created(name, {"Arn": request.context.arn("logs", f"log-group:{name}:*")})


class LogStreamResource:
    """AWS::Logs::LogStream. `Ref` is the stream's name."""

    properties = frozenset(("LogGroupName", "LogStreamName"))
    required = frozenset(("LogGroupName",))
    replaces = frozenset(("LogGroupName", "LogStreamName"))
    attributes: frozenset[str] = frozenset()

    def __init__(self, operations: LogOperations) -> None:
        self._operations = operations

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        name = properties.get("LogStreamName") or request.default_name
        await self._operations.create_log_stream(
            request.context,
            {"logGroupName": properties["LogGroupName"], "logStreamName": name},
        )
        return Created(name)

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        return Created(physical_id)

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        params = {"logGroupName": properties["LogGroupName"], "logStreamName": physical_id}
        await quietly(self._operations.delete_log_stream(request.context, params), _GONE)


class MetricFilterResource(PutResource):
    """AWS::Logs::MetricFilter. `Ref` is the filter's name."""

    named = "FilterName"
    properties = frozenset(
        (
            "ApplyOnTransformedLogs",
            "EmitSystemFieldDimensions",
            "FieldSelectionCriteria",
            "FilterName",
            "FilterPattern",
            "LogGroupName",
            "MetricTransformations",
        )
    )
    required = frozenset(("FilterPattern", "LogGroupName", "MetricTransformations"))
    replaces = frozenset(("FilterName", "LogGroupName"))

    def __init__(self, operations: LogOperations) -> None:
        self._operations = operations

    async def _put(self, request: ResourceRequest, name: str, properties: Properties) -> Created:
        await self._operations.put_metric_filter(
            request.context,
            {
                "logGroupName": properties["LogGroupName"],
                "filterName": name,
                "filterPattern": properties["FilterPattern"],
                "metricTransformations": [
                    _transformation(one) for one in properties["MetricTransformations"]
                ],
            },
        )
        return Created(name)

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        params = {"logGroupName": properties["LogGroupName"], "filterName": physical_id}
        await quietly(self._operations.delete_metric_filter(request.context, params), _GONE)


def _transformation(given: Properties) -> dict[str, Any]:
    """A template's spelling as the API's."""
    made: dict[str, Any] = {
        "metricName": given["MetricName"],
        "metricNamespace": given["MetricNamespace"],
        "metricValue": str(given["MetricValue"]),
    }
    if given.get("DefaultValue") is not None:
        made["defaultValue"] = float(given["DefaultValue"])
    if given.get("Unit"):
        made["unit"] = given["Unit"]
    if given.get("Dimensions"):
        made["dimensions"] = {one["Key"]: one["Value"] for one in given["Dimensions"]}
    return made
