"""PutMetricAlarm's parameters, checked together. Plain.

Source: CloudWatch API Reference, PutMetricAlarm. What single values may be is checked by the
model before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from lambent.services.cloudwatch import datum, errors, queries
from lambent.services.cloudwatch import statistics as stats
from lambent.services.cloudwatch.evaluating import COMPARISONS

_DAY: Final = 86_400
_TREATMENTS: Final = ("breaching", "notBreaching", "ignore", "missing")
_ACTIONS: Final = ("OKActions", "AlarmActions", "InsufficientDataActions")
_OF_ONE_METRIC: Final = (
    *("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit"),
)
_NOT_HERE: Final = (
    *("ThresholdMetricId", "EvaluationWindow", "EvaluationCriteria", "WarmUpConfiguration"),
    "EvaluationInterval",
)
_ARN: Final = re.compile(r"arn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]*:(?:\d{12})?:.+")


def check(params: Mapping[str, Any], account: str) -> None:
    """AwsError for the first thing that is wrong."""
    errors.required(params, "AlarmName")
    for name in _NOT_HERE:
        if params.get(name) is not None:
            raise errors.validation(f"The parameter {name} is not supported here.")
    for name in ("EvaluationPeriods", "ComparisonOperator"):
        if params.get(name) is None:
            raise errors.missing(name)
    if params["ComparisonOperator"] not in COMPARISONS:
        raise errors.validation(
            f"The comparison {params['ComparisonOperator']} needs anomaly detection, which is not "
            "supported here."
        )
    if params.get("Metrics"):
        _several(params, account)
        period = period_of(params)
    else:
        period = _single(params)
    if params.get("Threshold") is None:
        raise errors.missing("Threshold")
    evaluations, needed = params["EvaluationPeriods"], params.get("DatapointsToAlarm")
    if needed is not None and needed > evaluations:
        raise errors.validation(
            "The parameter DatapointsToAlarm must be less than or equal to EvaluationPeriods."
        )
    longest = 7 * _DAY if period >= 3600 else _DAY
    if evaluations * period > longest:
        raise errors.validation(
            "Metrics cannot be checked across more than "
            f"{'7 days' if longest > _DAY else 'a day'} (EvaluationPeriods * Period must be "
            f"<= {longest})."
        )
    treat = params.get("TreatMissingData")
    if treat is not None and treat not in _TREATMENTS:
        raise errors.validation(
            f"The value {treat} for parameter TreatMissingData is not one of "
            f"{', '.join(_TREATMENTS)}."
        )
    few = params.get("EvaluateLowSampleCountPercentile")
    if few is not None and (few not in ("evaluate", "ignore") or not _percentile(params)):
        raise errors.validation(
            "The parameter EvaluateLowSampleCountPercentile is evaluate or ignore, for alarms on "
            "percentiles."
        )
    check_actions(params)


def check_actions(params: Mapping[str, Any]) -> None:
    """AwsError for an action that is no ARN."""
    for name in _ACTIONS:
        for arn in params.get(name) or ():
            if not _ARN.fullmatch(arn):
                raise errors.validation(f"Invalid arn syntax: {arn}")


def period_of(settings: Mapping[str, Any]) -> int:
    """The period of an alarm in seconds: its metric's, or that of its expression."""
    if not settings.get("Metrics"):
        return int(settings["Period"])
    found = [
        one.get("Period") or (one.get("MetricStat") or {}).get("Period")
        for one in settings["Metrics"]
    ]
    return max((int(period) for period in found if period), default=60)


def _percentile(params: Mapping[str, Any]) -> bool:
    return str(params.get("ExtendedStatistic", "")).startswith("p")


def _several(params: Mapping[str, Any], account: str) -> None:
    for name in _OF_ONE_METRIC:
        if params.get(name):
            raise errors.exclusive(name, "Metrics")
    parsed = queries.parse(params["Metrics"], account)
    if sum(query.returned for query in parsed) != 1:
        raise errors.validation("Exactly one element of the metrics list should return data.")


def _single(params: Mapping[str, Any]) -> int:
    if not params.get("MetricName"):
        raise errors.combination(
            "At least one of the parameters MetricName and Metrics must be specified."
        )
    errors.required(params, "Namespace", "Period")
    statistic, extended = params.get("Statistic"), params.get("ExtendedStatistic")
    if statistic and extended:
        raise errors.exclusive("Statistic", "ExtendedStatistic")
    if not statistic and not extended:
        raise errors.combination(
            "At least one of the parameters Statistic and ExtendedStatistic must be specified."
        )
    if extended and (extended in stats.SIMPLE or stats.parse(extended) is None):
        raise errors.invalid_value(extended, "ExtendedStatistic")
    period: int = params["Period"]
    if period not in (10, 20, 30) and (period < 60 or period % 60):
        raise errors.validation("Period must be 10, 20, 30 or a multiple of 60")
    datum.dimensions(params.get("Dimensions"))
    return period
