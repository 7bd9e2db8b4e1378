"""The operations on metrics.

Source: CloudWatch API Reference, PutMetricData, GetMetricData, GetMetricStatistics,
ListMetrics.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from lambent.core.context import Params, RequestContext, Result
from lambent.core.distribution import Distribution
from lambent.services.cloudwatch import (
    datum,
    errors,
    listing,
    periods,
    points,
    queries,
    selection,
)
from lambent.services.cloudwatch import statistics as stats
from lambent.services.cloudwatch.model import UNITS, Dimensions, key, path
from lambent.services.cloudwatch.points import Point
from lambent.services.cloudwatch.queries import Answered, Window
from lambent.services.cloudwatch.recorder import Recorder
from lambent.store.contract import Store, Transaction

MOST_DATAPOINTS: Final = 100_800
_MOST_STATISTICS: Final = 1440
_SCANS: Final = ("TimestampDescending", "TimestampAscending")


class MetricOperations:
    """Put, get and list."""

    def __init__(self, store: Store, recorder: Recorder) -> None:
        self._store = store
        self._recorder = recorder

    async def put_metric_data(self, context: RequestContext, params: Params) -> Result:
        namespace = datum.namespace_of(params)
        if namespace.startswith("AWS/"):
            raise errors.invalid_value(namespace, "Namespace")
        together: dict[tuple[str, Dimensions], list[Point]] = {}
        for one in datum.parse(params, context.now):
            if one.point.values.count:
                together.setdefault((one.name, one.dimensions), []).append(one.point)

        async def body(tx: Transaction) -> None:
            for (name, dimensions), found in together.items():
                await points.add(
                    tx, context.account, context.region, namespace, name, dimensions, found
                )

        await self._store.transact(body)
        return None

    async def list_metrics(self, context: RequestContext, params: Params) -> Result:
        if params.get("RecentlyActive") not in (None, "PT3H"):
            raise errors.not_one_of("RecentlyActive", ("PT3H",))
        if params.get("Namespace") is not None:
            datum.namespace_of(params)
        if len(params.get("Dimensions") or ()) > 10:
            raise errors.invalid("The collection Dimensions must not have a size greater than 10.")
        for at, one in enumerate(params.get("Dimensions") or (), 1):
            if not one.get("Name"):
                raise errors.missing(f"Dimensions.member.{at}.Name")
        await self._recorder.flush()
        found, token = await self._store.transact(
            lambda tx: listing.page(tx, context.account, context.region, params)
        )
        return {"Metrics": [metric.wire() for metric in found], "NextToken": token}

    async def get_metric_statistics(self, context: RequestContext, params: Params) -> Result:
        namespace = datum.namespace_of(params)
        errors.required(params, "MetricName")
        for name in ("StartTime", "EndTime", "Period"):
            if params.get(name) is None:
                raise errors.missing(name)
        start, end, period = params["StartTime"], params["EndTime"], params["Period"]
        _check_times(start, end)
        _check_period(period, start, context.now)
        chosen = _statistics(params)
        if (end - start) / period > _MOST_STATISTICS:
            raise errors.combination(
                f"You have requested up to {int((end - start) / period):,} datapoints, which "
                f"exceeds the limit of {_MOST_STATISTICS:,}. You may reduce the datapoints "
                "requested by increasing Period, or decreasing the time range."
            )
        unit = params.get("Unit")
        if unit is not None and unit not in UNITS:
            raise errors.not_one_of("Unit", UNITS)
        dimensions = datum.dimensions(params.get("Dimensions"))
        partition = key(
            context.account, context.region, path(namespace, params["MetricName"], dimensions)
        )
        begin = periods.rounded_start(start, period, context.now)
        await self._recorder.flush()
        found = await self._store.transact(lambda tx: points.read(tx, partition, begin, end, unit))
        datapoints: list[dict[str, Any]] = []
        for own in sorted({point.unit for point in found}):
            of_unit = [point for point in found if point.unit == own]
            for at, spread in selection.by_period(of_unit, begin, period).items():
                datapoint = _datapoint(spread, chosen, period)
                if datapoint:
                    datapoints.append({"Timestamp": at, **datapoint, "Unit": own})
        datapoints.sort(key=lambda one: one["Timestamp"])
        return {"Label": params["MetricName"], "Datapoints": datapoints}

    async def get_metric_data(self, context: RequestContext, params: Params) -> Result:
        parsed = queries.parse(params.get("MetricDataQueries"), context.account)
        for name in ("StartTime", "EndTime"):
            if params.get(name) is None:
                raise errors.missing(name)
        start, end = params["StartTime"], params["EndTime"]
        if start >= end:
            raise errors.validation(
                "The parameter StartTime must be less than the parameter EndTime."
            )
        order = params.get("ScanBy") or _SCANS[0]
        if order not in _SCANS:
            raise errors.not_one_of("ScanBy", _SCANS)
        most = params.get("MaxDatapoints")
        if most is not None and not 1 <= most <= MOST_DATAPOINTS:
            raise errors.invalid_value(most, "MaxDatapoints")
        skip = _skipped(params.get("NextToken"))
        window = Window(context.account, context.region, start, end, context.now)
        for query in parsed:
            if query.selected is not None:
                periods_asked = (end - start) / query.selected.period
                if periods_asked > MOST_DATAPOINTS * 10:
                    raise errors.validation(
                        "The request covers too many periods. Increase the period, or decrease "
                        "the time range."
                    )
        await self._recorder.flush()
        found = await self._store.transact(lambda tx: queries.answer(tx, parsed, window))
        return _page(found, order == _SCANS[0], skip, most or MOST_DATAPOINTS)


def _check_times(start: float, end: float) -> None:
    if start >= end:
        raise errors.combination("The parameter StartTime must be less than the parameter EndTime.")


def _check_period(period: int, start: float, now: float) -> None:
    if not periods.allowed(period):
        raise errors.invalid("The parameter Period must be 1, 5, 10, 20, 30, or a multiple of 60.")
    least = periods.least(start, now)
    if least > 60 and period % least:
        raise errors.invalid(
            f"The parameter Period must be a multiple of {least} for data of this age."
        )


def _statistics(params: Mapping[str, Any]) -> list[str]:
    simple, extended = params.get("Statistics") or [], params.get("ExtendedStatistics") or []
    if not simple and not extended:
        raise errors.combination(
            "At least one of the parameters Statistics and ExtendedStatistics must be specified."
        )
    if simple and extended:
        raise errors.exclusive("Statistics", "ExtendedStatistics")
    for at, name in enumerate(simple, 1):
        if name not in stats.SIMPLE:
            raise errors.not_one_of(f"Statistics.member.{at}", stats.SIMPLE)
    for at, name in enumerate(extended, 1):
        if name in stats.SIMPLE or stats.parse(name) is None:
            raise errors.invalid_value(name, f"ExtendedStatistics.member.{at}")
    if len(extended) > 10:
        raise errors.invalid(
            "The collection ExtendedStatistics must not have a size greater than 10."
        )
    return [*simple, *extended]


def _datapoint(spread: Distribution, chosen: list[str], period: int) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name in chosen:
        statistic = stats.parse(name)
        value = None if statistic is None else statistic(spread, period)
        if value is None:
            continue
        if name in stats.SIMPLE:
            shown[name] = value
        else:
            shown.setdefault("ExtendedStatistics", {})[name] = value
    return shown


def _page(found: list[Answered], descending: bool, skip: int, most: int) -> dict[str, Any]:
    """A page of `most` datapoints, after the first `skip`."""
    results: list[dict[str, Any]] = []
    total = sum(len(one.points) for one in found)
    seen = 0
    for one in found:
        ordered = sorted(one.points.items(), reverse=descending)
        begin, end = max(skip - seen, 0), max(min(skip + most - seen, len(ordered)), 0)
        seen += len(ordered)
        part = ordered[begin:end]
        if not part and (ordered or skip):
            continue
        status = one.status
        if status == "Complete" and end < len(ordered):
            status = "PartialData"
        results.append(
            {
                "Id": one.id,
                "Label": one.label,
                "Timestamps": [at for at, _ in part],
                "Values": [value for _, value in part],
                "StatusCode": status,
            }
        )
    token = listing.token_made(json.dumps(skip + most).encode()) if skip + most < total else None
    return {"MetricDataResults": results, "Messages": [], "NextToken": token}


def _skipped(token: str | None) -> int:
    read = listing.token_read(token)
    if read is None:
        return 0
    if not read.isdigit() or len(read) > 12:
        raise errors.bad_token()
    return int(read)
