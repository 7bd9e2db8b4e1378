"""What an alarm's action sends: to a function its event, to a topic its message. Plain.

Source: CloudWatch User Guide, "Invoke a Lambda function from an alarm" and "Notifying users on
alarm changes" (the members of both documents).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lambent.core.arns import Arn
from lambent.services.cloudwatch.evaluating import stamp
from lambent.services.cloudwatch.model import Alarm

_FUNCTION_PRINCIPAL: Final = "lambda.alarms.cloudwatch.amazonaws.com"
_PRINCIPAL: Final = "cloudwatch.amazonaws.com"


@dataclass(frozen=True, slots=True)
class Notice:
    """A document, and who sends it."""

    body: bytes
    principal: str


def notice(service: str, alarm_arn: str, before: Alarm, after: Alarm) -> Notice | None:
    """What a target of that service is told; None for services that alarms cannot tell."""
    if service == "lambda":
        return Notice(_json(_event(alarm_arn, before, after)), _FUNCTION_PRINCIPAL)
    if service == "sns":
        return Notice(_json(_message(alarm_arn, before, after)), _PRINCIPAL)
    return None


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _event(alarm_arn: str, before: Alarm, after: Alarm) -> dict[str, Any]:
    where = Arn.parse(alarm_arn)
    configuration: dict[str, Any] = (
        {"alarmRule": after.settings["AlarmRule"]}
        if after.composite
        else {"metrics": _metrics(after.settings)}
    )
    if after.settings.get("AlarmDescription"):
        configuration["description"] = after.settings["AlarmDescription"]
    return {
        "source": "aws.cloudwatch",
        "alarmArn": alarm_arn,
        "accountId": where.account,
        "time": stamp(after.changed),
        "region": where.region,
        "alarmData": {
            "alarmName": after.name,
            "state": _state(after),
            "previousState": _state(before),
            "configuration": configuration,
        },
    }


def _state(alarm: Alarm) -> dict[str, Any]:
    state = {"value": alarm.state, "reason": alarm.reason, "timestamp": stamp(alarm.changed)}
    if alarm.reason_data:
        state["reasonData"] = alarm.reason_data
    return state


def _metrics(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = settings.get("Metrics") or [
        {
            "Id": "m1",
            "MetricStat": {
                "Metric": settings,
                "Period": settings.get("Period"),
                "Stat": settings.get("Statistic") or settings.get("ExtendedStatistic"),
                "Unit": settings.get("Unit"),
            },
        }
    ]
    return [_metric(one) for one in given]


def _metric(query: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": query["Id"]}
    stat = query.get("MetricStat")
    if stat is None:
        shown["expression"] = query.get("Expression")
    else:
        metric = stat["Metric"]
        shown["metricStat"] = {
            "metric": {
                "namespace": metric.get("Namespace"),
                "name": metric.get("MetricName"),
                "dimensions": {one["Name"]: one["Value"] for one in metric.get("Dimensions") or ()},
            },
            "period": stat["Period"],
            "stat": stat["Stat"],
        }
        if stat.get("Unit"):
            shown["metricStat"]["unit"] = stat["Unit"]
    if query.get("Label"):
        shown["label"] = query["Label"]
    shown["returnData"] = query.get("ReturnData") is not False
    return shown


def _message(alarm_arn: str, before: Alarm, after: Alarm) -> dict[str, Any]:
    where, settings = Arn.parse(alarm_arn), after.settings
    about: dict[str, Any] = (
        {"AlarmRule": settings["AlarmRule"]} if after.composite else {"Trigger": _trigger(settings)}
    )
    return {
        "AlarmName": after.name,
        "AlarmDescription": settings.get("AlarmDescription"),
        "AWSAccountId": where.account,
        "AlarmConfigurationUpdatedTimestamp": stamp(after.configured),
        "NewStateValue": after.state,
        "NewStateReason": after.reason,
        "StateChangeTime": stamp(after.changed),
        "Region": where.region,
        "AlarmArn": alarm_arn,
        "OldStateValue": before.state,
        "OKActions": settings.get("OKActions") or [],
        "AlarmActions": settings.get("AlarmActions") or [],
        "InsufficientDataActions": settings.get("InsufficientDataActions") or [],
        **about,
    }


def _trigger(settings: Mapping[str, Any]) -> dict[str, Any]:
    trigger: dict[str, Any] = {
        "Period": settings.get("Period"),
        "EvaluationPeriods": settings["EvaluationPeriods"],
        "DatapointsToAlarm": settings.get("DatapointsToAlarm"),
        "ComparisonOperator": settings["ComparisonOperator"],
        "Threshold": settings["Threshold"],
        "TreatMissingData": settings.get("TreatMissingData") or "missing",
        "EvaluateLowSampleCountPercentile": (
            settings.get("EvaluateLowSampleCountPercentile") or ""
        ),
    }
    if settings.get("Metrics"):
        trigger["Metrics"] = settings["Metrics"]
    else:
        trigger |= {
            "MetricName": settings["MetricName"],
            "Namespace": settings["Namespace"],
            "StatisticType": "Statistic" if settings.get("Statistic") else "ExtendedStatistic",
            "Statistic": str(
                settings.get("Statistic") or settings.get("ExtendedStatistic")
            ).upper(),
            "Unit": settings.get("Unit"),
            "Dimensions": [
                {"value": one["Value"], "name": one["Name"]}
                for one in settings.get("Dimensions") or ()
            ],
        }
    return {name: value for name, value in trigger.items() if value is not None}
