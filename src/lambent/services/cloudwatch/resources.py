"""The CloudFormation resource types of CloudWatch.

Source: CloudFormation template reference, AWS::CloudWatch::Alarm,
AWS::CloudWatch::CompositeAlarm, AWS::CloudWatch::Dashboard.
"""

from __future__ import annotations

import json
from typing import Any

from lambent.core.errors import AwsError
from lambent.core.resources import Created, Properties, ResourceRequest
from lambent.services.cloudwatch import alarms
from lambent.services.cloudwatch.alarm_operations import AlarmOperations
from lambent.services.cloudwatch.dashboard_operations import DashboardOperations

_NUMBERS = ("Threshold",)
_WHOLE = ("Period", "EvaluationPeriods", "DatapointsToAlarm")


class AlarmResource:
    """AWS::CloudWatch::Alarm. `Ref` is the alarm's name."""

    properties = frozenset(
        (
            *("ActionsEnabled", "AlarmActions", "AlarmDescription", "AlarmName"),
            *("ComparisonOperator", "DatapointsToAlarm", "Dimensions"),
            *("EvaluateLowSampleCountPercentile", "EvaluationPeriods", "ExtendedStatistic"),
            *("InsufficientDataActions", "MetricName", "Metrics", "Namespace", "OKActions"),
            *("Period", "Statistic", "Tags", "Threshold", "ThresholdMetricId"),
            *("TreatMissingData", "Unit"),
        )
    )
    required = frozenset(("ComparisonOperator", "EvaluationPeriods"))
    replaces = frozenset(("AlarmName",))
    attributes = frozenset(("Arn",))

    def __init__(self, operations: AlarmOperations) -> None:
        self._operations = operations

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        name = properties.get("AlarmName") or request.default_name
        tags = {**request.tags}
        tags |= {one["Key"]: str(one["Value"]) for one in properties.get("Tags") or ()}
        await self._put(request, name, properties, tags)
        return self._created(request, name)

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        await self._put(request, physical_id, new, {})
        return self._created(request, physical_id)

    async def _put(
        self, request: ResourceRequest, name: str, properties: Properties, tags: dict[str, str]
    ) -> None:
        given = {key: properties[key] for key in self.properties if key in properties}
        await self._operations.put_metric_alarm(
            request.context,
            {
                **_typed(given),
                "AlarmName": name,
                "Tags": [{"Key": key, "Value": text} for key, text in tags.items()],
            },
        )

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        try:
            await self._operations.delete_alarms(request.context, {"AlarmNames": [physical_id]})
        except AwsError as error:
            if error.code != "ResourceNotFound":
                raise

    @staticmethod
    def _created(request: ResourceRequest, name: str) -> Created:
        context = request.context
        return Created(name, {"Arn": alarms.arn(context.account, context.region, name)})


def _typed(given: dict[str, Any]) -> dict[str, Any]:
    """Templates may write numbers and truth as text."""
    typed = dict(given)
    for name, value in given.items():
        if name in _WHOLE:
            typed[name] = int(value)
        elif name in _NUMBERS:
            typed[name] = float(value)
        elif name == "ActionsEnabled":
            typed[name] = str(value).lower() == "true"
        elif name == "Metrics":
            typed[name] = [_query(one) for one in value]
    return typed


def _query(one: dict[str, Any]) -> dict[str, Any]:
    query = dict(one)
    if "ReturnData" in query:
        query["ReturnData"] = str(query["ReturnData"]).lower() == "true"
    if "Period" in query:
        query["Period"] = int(query["Period"])
    if query.get("MetricStat"):
        stat = dict(query["MetricStat"])
        if "Period" in stat:
            stat["Period"] = int(stat["Period"])
        query["MetricStat"] = stat
    return query


class CompositeAlarmResource:
    """AWS::CloudWatch::CompositeAlarm. `Ref` is the alarm's name."""

    properties = frozenset(
        (
            *("ActionsEnabled", "AlarmActions", "AlarmDescription", "AlarmName", "AlarmRule"),
            *("InsufficientDataActions", "OKActions", "Tags"),
        )
    )
    required = frozenset(("AlarmRule",))
    replaces = frozenset(("AlarmName",))
    attributes = frozenset(("Arn",))

    def __init__(self, operations: AlarmOperations) -> None:
        self._operations = operations
        self.delete = AlarmResource(operations).delete

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        name = properties.get("AlarmName") or request.default_name
        tags = {**request.tags}
        tags |= {one["Key"]: str(one["Value"]) for one in properties.get("Tags") or ()}
        return await self._put(request, name, properties, tags)

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        return await self._put(request, physical_id, new, {})

    async def _put(
        self, request: ResourceRequest, name: str, properties: Properties, tags: dict[str, str]
    ) -> Created:
        given = {key: properties[key] for key in self.properties if key in properties}
        listed = [{"Key": key, "Value": text} for key, text in tags.items()]
        await self._operations.put_composite_alarm(
            request.context, {**_typed(given), "AlarmName": name, "Tags": listed}
        )
        context = request.context
        return Created(name, {"Arn": alarms.arn(context.account, context.region, name)})


class DashboardResource:
    """AWS::CloudWatch::Dashboard. `Ref` is the dashboard's name."""

    properties = frozenset(("DashboardBody", "DashboardName"))
    required = frozenset(("DashboardBody",))
    replaces = frozenset(("DashboardName",))

    def __init__(self, operations: DashboardOperations) -> None:
        self._operations = operations

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        name = properties.get("DashboardName") or request.default_name
        await self._put(request, name, properties)
        return Created(name)

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        await self._put(request, physical_id, new)
        return Created(physical_id)

    async def _put(self, request: ResourceRequest, name: str, properties: Properties) -> None:
        body = properties["DashboardBody"]
        text = body if isinstance(body, str) else json.dumps(body)
        await self._operations.put_dashboard(
            request.context, {"DashboardName": name, "DashboardBody": text}
        )

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        try:
            await self._operations.delete_dashboards(
                request.context, {"DashboardNames": [physical_id]}
            )
        except AwsError as error:
            if error.code != "DashboardNotFoundError":
                raise
