"""Which periods can be asked for, how times are rounded, and how long data is kept.

Plain functions; all times in seconds since the epoch. Source: CloudWatch User Guide, "Metrics
retention"; CloudWatch API Reference, GetMetricStatistics and GetMetricData.
"""

from __future__ import annotations

from typing import Final

HOUR: Final = 3600
DAY: Final = 86_400
HIGH: Final = (1, 5, 10, 20, 30)
"""Periods of high-resolution metrics, in seconds."""

KEPT: Final = ((1, 3 * HOUR), (60, 15 * DAY), (300, 63 * DAY), (3600, 455 * DAY))
"""Resolution of points, and how old they become before they are summed up to the next."""


def allowed(period: int) -> bool:
    """Whether data can be asked for by this period, in seconds."""
    return period in HIGH or (period >= 60 and period % 60 == 0)


def least(start: float, now: float) -> int:
    """Of what a period must be a multiple, given the oldest time asked for."""
    age = now - start
    if age >= 63 * DAY:
        return 3600
    if age >= 15 * DAY:
        return 300
    return 1 if age < 3 * HOUR else 60


def rounded_start(start: float, period: int, now: float) -> int:
    """The beginning of the first period: on the second for short periods of the last hours,
    else on the minute, five minutes or hour, by age."""
    step = least(start, now)
    if period in HIGH:
        step = period
    elif step == 1:
        step = 60
    return int(start // step * step)
