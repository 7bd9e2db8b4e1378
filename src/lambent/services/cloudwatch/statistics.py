"""Statistics of a period: from their names in requests to numbers.

Source: CloudWatch User Guide, "CloudWatch statistics definitions": the five simple ones, pNN,
and trimmed and winsorized means, percentile ranks, trimmed counts and sums with ranges of
percentiles (`tm10`, `TM(10%:90%)`) or of values (`TM(100:2000)`), and IQM.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from lambent.core.distribution import Distribution

Statistic = Callable[[Distribution, float], float | None]
"""Of what was measured, in a period of so many seconds; None when it cannot be told."""

SIMPLE: Final = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
_SHORT: Final = re.compile(r"(p|tm|wm|tc|ts)(\d{1,3}(?:\.\d{1,10})?)")
_RANGE: Final = re.compile(r"(PR|TM|WM|TC|TS)\(([^:()]*):([^:()]*)\)")
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


@lru_cache(maxsize=1024)
def parse(name: str) -> Statistic | None:
    """The statistic of that name; None when there is none."""
    if name in SIMPLE:
        return _SIMPLE[name]
    if name == "IQM":
        return _ranged("TM", (0.25, True), (0.75, True))
    short = _SHORT.fullmatch(name)
    if short:
        share = float(short[2]) / 100
        if share > 1:
            return None
        if short[1] == "p":
            return lambda spread, _: _percentile(spread, share)
        return _ranged(short[1].upper(), None, (share, True))
    ranged = _RANGE.fullmatch(name)
    if ranged is None or not (ranged[2] or ranged[3]):
        return None
    try:
        low, high = _bound(ranged[2]), _bound(ranged[3])
    except ValueError:
        return None
    if low and high and low[1] != high[1]:
        return None
    if ranged[1] == "PR" and any(bound and bound[1] for bound in (low, high)):
        return None
    return _ranged(ranged[1], low, high)


def needs_values(name: str) -> bool:
    """Whether the statistic looks at single values, not only at their sums."""
    return name not in SIMPLE


_SIMPLE: Final[dict[str, Statistic]] = {
    "SampleCount": lambda spread, _: spread.count,
    "Average": lambda spread, _: spread.total / spread.count if spread.count else None,
    "Sum": lambda spread, _: spread.total,
    "Minimum": lambda spread, _: spread.low,
    "Maximum": lambda spread, _: spread.high,
}

_Bound = tuple[float, bool] | None
"""A number, and whether it is a share (a percentile) rather than a value."""


def _bound(text: str) -> _Bound:
    text = text.strip()
    if not text:
        return None
    share = text.endswith("%")
    number = text[:-1] if share else text
    if not _NUMBER.fullmatch(number):
        raise ValueError(text)
    value = float(number)
    if share and not 0 <= value <= 100:
        raise ValueError(text)
    return (value / 100, True) if share else (value, False)


def _percentile(spread: Distribution, share: float) -> float | None:
    if spread.values is None or not spread.count:
        return None
    return spread.quantiles((share,))[0]


def _ranged(kind: str, low: _Bound, high: _Bound) -> Statistic:
    def value(spread: Distribution, period: float) -> float | None:
        if spread.values is None or not spread.count:
            return None
        begin, end = _edge(spread, low), _edge(spread, high)
        inside = [
            (number, times)
            for number, times in spread.values.items()
            if (begin is None or number > begin or (low and low[1] and number == begin))
            and (end is None or number <= end)
        ]
        count = sum(times for _, times in inside)
        total = sum(number * times for number, times in inside)
        if kind == "TC":
            return count
        if kind == "TS":
            return total
        if kind == "PR":
            return 100 * count / spread.count
        if kind == "WM":
            for number, times in spread.values.items():
                if begin is not None and number < begin:
                    total, count = total + begin * times, count + times
                elif end is not None and number > end:
                    total, count = total + end * times, count + times
        return total / count if count else None

    return value


def _edge(spread: Distribution, bound: _Bound) -> float | None:
    if bound is None:
        return None
    number, share = bound
    return spread.quantiles((number,))[0] if share else number
