"""The functions of metric math.

Source: CloudWatch User Guide, "Metric math syntax and functions". Left out are those that
need what is not here: ANOMALY_DETECTION_BAND, DB_PERF_INSIGHTS, INSIGHT_RULE_METRIC, LAMBDA,
RUM and SERVICE_QUOTA.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from lambent.services.cloudwatch.math.tree import Broken
from lambent.services.cloudwatch.math.values import Series, Value, each, many, number

Function = Callable[[Sequence[Value]], Value]


def _simple(change: Callable[[float], float | None]) -> Function:
    def function(arguments: Sequence[Value]) -> Value:
        return each(_only(arguments), change)

    return function


def _only(arguments: Sequence[Value]) -> Value:
    if len(arguments) != 1:
        raise Broken("One argument is needed.")
    return arguments[0]


def _over(fold: Callable[[list[float]], float]) -> Function:
    """Over an array: a series of each time's values; over one series: a number."""

    def function(arguments: Sequence[Value]) -> Value:
        value = _only(arguments) if len(arguments) == 1 else _all(arguments)
        if isinstance(value, float):
            return fold([value])
        if isinstance(value, Series):
            return fold(list(value.points.values())) if value.points else float("nan")
        series = many(value)
        if not series:
            return []
        times = sorted({at for one in series for at in one.points})
        points = {at: fold([s.points[at] for s in series if at in s.points]) for at in times}
        return series[0].with_points(points)

    return function


def _all(arguments: Sequence[Value]) -> list[Series]:
    return [series for argument in arguments for series in many(argument)]


def _log(base: float | None) -> Callable[[float], float | None]:
    def log(value: float) -> float | None:
        if value <= 0:
            return None
        return math.log(value) if base is None else math.log10(value)

    return log


def _by_series(change: Callable[[Series], dict[int, float]]) -> Function:
    def function(arguments: Sequence[Value]) -> Value:
        value = _only(arguments)
        found = [one.with_points(change(one)) for one in many(value)]
        return found if isinstance(value, list) else found[0]

    return function


def _steps(series: Series) -> list[tuple[int, int, float, float]]:
    ordered = series.ordered()
    return [(before, at, old, new) for (before, old), (at, new) in itertools.pairwise(ordered)]


def _running(series: Series) -> dict[int, float]:
    total, points = 0.0, {}
    for at, value in series.ordered():
        total += value
        points[at] = total
    return points


def _of_time(part: Callable[[datetime], float]) -> Function:
    def change(series: Series) -> dict[int, float]:
        return {at: part(datetime.fromtimestamp(at, UTC)) for at in series.times}

    return _by_series(change)


def _fill(arguments: Sequence[Value]) -> Value:
    if len(arguments) != 2:
        raise Broken("FILL needs a time series and what to fill with.")
    value, filling = arguments
    return _mapped(value, lambda one: one.with_points(_filled(one, filling)))


def _mapped(value: Value, change: Callable[[Series], Series]) -> Value:
    found = [change(one) for one in many(value)]
    return found if isinstance(value, list) else found[0]


def _filled(series: Series, filling: Value) -> dict[int, float]:
    if isinstance(filling, list):
        raise Broken("FILL fills with a number, a time series, REPEAT or LINEAR.")
    points = dict(series.points)
    known = sorted(points)
    for at in series.times:
        if at in points:
            continue
        if isinstance(filling, float):
            points[at] = filling
        elif isinstance(filling, Series):
            if at in filling.points:
                points[at] = filling.points[at]
        else:
            before = max((t for t in known if t < at), default=None)
            after = min((t for t in known if t > at), default=None)
            if before is None:
                continue
            if filling == "REPEAT":
                points[at] = series.points[before]
            elif after is not None:
                share = (at - before) / (after - before)
                low, high = series.points[before], series.points[after]
                points[at] = low + (high - low) * share
    return points


def _if(arguments: Sequence[Value]) -> Value:
    if len(arguments) not in (2, 3):
        raise Broken("IF needs a condition and one or two values.")
    condition, then = arguments[0], arguments[1]
    otherwise = arguments[2] if len(arguments) == 3 else None
    if isinstance(condition, float):
        if condition:
            return then
        if otherwise is None:
            raise Broken("IF of a number needs both values.")
        return otherwise
    if isinstance(condition, list):
        raise Broken("The condition of IF is a number or one time series.")
    series = many(condition)[0]
    points: dict[int, float] = {}
    for at, holds in series.points.items():
        chosen = then if holds else otherwise
        if chosen is None:
            continue
        if isinstance(chosen, Series):
            if at in chosen.points:
                points[at] = chosen.points[at]
        else:
            points[at] = number(chosen)
    return series.with_points(points)


def _first(last: bool) -> Function:
    def function(arguments: Sequence[Value]) -> Value:
        series = many(_only(arguments))
        if not series:
            raise Broken("There is no time series.")
        return series[-1 if last else 0]

    return function


def _slice(arguments: Sequence[Value]) -> Value:
    if len(arguments) not in (2, 3):
        raise Broken("SLICE needs an array and where to begin.")
    series = many(arguments[0])
    begin = int(number(arguments[1]))
    if len(arguments) == 2:
        return series[begin:]
    return series[begin : int(number(arguments[2]))]


_SORTING: Final[dict[str, Callable[[list[float]], float]]] = {
    "AVG": lambda values: sum(values) / len(values),
    "MIN": min,
    "MAX": max,
    "SUM": sum,
}


def _sort(arguments: Sequence[Value]) -> Value:
    if len(arguments) not in (3, 4):
        raise Broken("SORT needs an array, a function and an order.")
    function, order = arguments[1], arguments[2]
    if function not in _SORTING or order not in ("ASC", "DESC"):
        raise Broken("SORT needs AVG, MIN, MAX or SUM, and ASC or DESC.")
    fold = _SORTING[str(function)]
    series = [one for one in many(arguments[0]) if one.points]
    ordered = sorted(
        series, key=lambda one: fold(list(one.points.values())), reverse=order == "DESC"
    )
    return ordered[: int(number(arguments[3]))] if len(arguments) == 4 else ordered


def _time_series(arguments: Sequence[Value]) -> Value:
    raise Broken("TIME_SERIES needs a query with a period.")


FUNCTIONS: Final[dict[str, Function]] = {
    "ABS": _simple(abs),
    "AVG": _over(lambda values: sum(values) / len(values)),
    "CEIL": _simple(math.ceil),
    "DATAPOINT_COUNT": _over(lambda values: float(len(values))),
    "DATE": _of_time(lambda at: at.day),
    "DAY": _of_time(lambda at: at.isoweekday()),
    "DIFF": _by_series(lambda one: {at: new - old for _, at, old, new in _steps(one)}),
    "DIFF_TIME": _by_series(
        lambda one: {at: float(at - before) for before, at, _, _ in _steps(one)}
    ),
    "EPOCH": _of_time(lambda at: at.timestamp()),
    "FILL": _fill,
    "FIRST": _first(last=False),
    "FLOOR": _simple(math.floor),
    "HOUR": _of_time(lambda at: at.hour),
    "IF": _if,
    "LAST": _first(last=True),
    "LOG": _simple(_log(None)),
    "LOG10": _simple(_log(10)),
    "MAX": _over(max),
    "METRIC_COUNT": lambda arguments: float(len(many(_only(arguments)))),
    "MIN": _over(min),
    "MINUTE": _of_time(lambda at: at.minute),
    "MONTH": _of_time(lambda at: at.month),
    "PERIOD": lambda arguments: float(many(_only(arguments))[0].period),
    "RATE": _by_series(
        lambda one: {at: (new - old) / (at - before) for before, at, old, new in _steps(one)}
    ),
    "REMOVE_EMPTY": lambda arguments: [s for s in many(_only(arguments)) if s.points],
    "RUNNING_SUM": _by_series(_running),
    "SLICE": _slice,
    "SORT": _sort,
    "STDDEV": _over(statistics.pstdev),
    "SUM": _over(sum),
    "TIME_SERIES": _time_series,
    "YEAR": _of_time(lambda at: at.year),
}
