"""From stored points to a time series: by period, by statistic. Plain functions.

Periods begin at the (rounded) start of what is asked for. Source: CloudWatch API Reference,
GetMetricStatistics.
"""

from __future__ import annotations

from collections.abc import Iterable

from lambent.core.distribution import Distribution
from lambent.services.cloudwatch.points import Point
from lambent.services.cloudwatch.statistics import Statistic


def by_period(points: Iterable[Point], start: int, period: int) -> dict[int, Distribution]:
    """What was measured in each period, by its beginning."""
    found: dict[int, Distribution] = {}
    for point in points:
        at = start + (point.at - start) // period * period
        found.setdefault(at, Distribution()).merge(point.values)
    return found


def series(
    points: Iterable[Point], start: int, period: int, statistic: Statistic
) -> dict[int, float]:
    """The statistic of each period that has data and tells it."""
    values = {
        at: statistic(spread, period) for at, spread in by_period(points, start, period).items()
    }
    return {at: value for at, value in values.items() if value is not None}


def times(start: int, end: float, period: int) -> tuple[int, ...]:
    """The beginnings of all periods with start ≤ time < end."""
    last = int(-(-(end - start) // period))
    return tuple(start + number * period for number in range(max(0, last)))
