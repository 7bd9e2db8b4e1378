"""The CloudFormation resource types of CloudWatch.

Source: CloudFormation template reference, AWS::CloudWatch::Alarm,
AWS::CloudWatch::CompositeAlarm, AWS::CloudWatch::Dashboard.
"""

from __future__ import annotations

from typing import Any

from lambent.core.context import Params
from lambent.core.resource_parts import PutResource, document, quietly, tag_list, tags
from lambent.core.resources import Created, Properties, ResourceRequest
from lambent.services.cloudwatch import alarms
from lambent.services.cloudwatch.alarm_operations import AlarmOperations
from lambent.services.cloudwatch.dashboard_operations import DashboardOperations

_NUMBERS = ("Threshold",)
_WHOLE = ("Period", "EvaluationPeriods", "DatapointsToAlarm")


class _AlarmType(PutResource):
    """What alarms of both kinds share. `Ref` is the alarm's name."""

    named = "AlarmName"
    properties: frozenset[str]
    replaces = frozenset(("AlarmName",))
    attributes = frozenset(("Arn",))

    def __init__(self, operations: AlarmOperations) -> None:
        self._operations = operations

    def _params(self, request: ResourceRequest, name: str, properties: Properties) -> Params:
        given = {key: properties[key] for key in self.properties if key in properties}
        own = tag_list(tags(request, properties))
        return {**_typed(given), "AlarmName": name, "Tags": own}

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        await quietly(
            self._operations.delete_alarms(request.context, {"AlarmNames": [physical_id]}),
            "ResourceNotFound",
        )


class AlarmResource(_AlarmType):
    """AWS::CloudWatch::Alarm."""

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

    async def _put(self, request: ResourceRequest, name: str, properties: Properties) -> Created:
        params = self._params(request, name, properties)
        await self._operations.put_metric_alarm(request.context, params)
        return _created(request, name)


class CompositeAlarmResource(_AlarmType):
    """AWS::CloudWatch::CompositeAlarm."""

    properties = frozenset(
        (
            *("ActionsEnabled", "AlarmActions", "AlarmDescription", "AlarmName", "AlarmRule"),
            *("InsufficientDataActions", "OKActions", "Tags"),
        )
    )
    required = frozenset(("AlarmRule",))

    async def _put(self, request: ResourceRequest, name: str, properties: Properties) -> Created:
        params = self._params(request, name, properties)
        await self._operations.put_composite_alarm(request.context, params)
        return _created(request, name)


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


class DashboardResource(PutResource):
    """AWS::CloudWatch::Dashboard. `Ref` is the dashboard's name."""

    named = "DashboardName"
    properties = frozenset(("DashboardBody", "DashboardName"))
    required = frozenset(("DashboardBody",))
    replaces = frozenset(("DashboardName",))

    def __init__(self, operations: DashboardOperations) -> None:
        self._operations = operations

    async def _put(self, request: ResourceRequest, name: str, properties: Properties) -> Created:
        body = document(properties["DashboardBody"])
        await self._operations.put_dashboard(
            request.context, {"DashboardName": name, "DashboardBody": body}
        )
        return Created(name)

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        await quietly(
            self._operations.delete_dashboards(request.context, {"DashboardNames": [physical_id]}),
            "DashboardNotFoundError",
        )
