"""Numbers that were measured, in little memory: count, sum, extremes, and how they spread.

Up to `EXACT` different numbers are kept as they are; beyond that each is rounded to 1 %, so
that percentiles stay within 1 % of the true ones and no measurement grows without bound.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

EXACT: Final = 200
"""How many different numbers are kept as they are."""
_GROWTH: Final = math.log(1.02)


class Distribution:
    """Numbers that were added. `values` counts how often each came; None when that is not
    known (a sum of numbers that nobody told one by one)."""

    __slots__ = ("count", "high", "low", "rounded", "total", "values")

    def __init__(self) -> None:
        self.count = 0.0
        self.total = 0.0
        self.low = math.inf
        self.high = -math.inf
        self.values: dict[float, float] | None = {}
        self.rounded = False

    def add(self, value: float, times: float = 1.0) -> None:
        """Count a number, `times` over."""
        self.count += times
        self.total += value * times
        if value < self.low:
            self.low = value
        if value > self.high:
            self.high = value
        values = self.values
        if values is not None:
            if self.rounded:
                value = _rounded(value)
            values[value] = values.get(value, 0.0) + times
            if len(values) > EXACT and not self.rounded:
                self._round()

    def add_set(self, count: float, total: float, low: float, high: float) -> None:
        """Count numbers of which only this is known."""
        if low == high or count == 1:
            self.add(low if low == high else total / count, count)
            return
        self.count += count
        self.total += total
        self.low = min(self.low, low)
        self.high = max(self.high, high)
        self.values = None

    def merge(self, other: Distribution) -> None:
        """Add all that another one counted."""
        self.count += other.count
        self.total += other.total
        self.low = min(self.low, other.low)
        self.high = max(self.high, other.high)
        if other.values is None:
            self.values = None
        if self.values is None or other.values is None:
            return
        if other.rounded and not self.rounded:
            self._round()
        for value, times in other.values.items():
            place = _rounded(value) if self.rounded else value
            self.values[place] = self.values.get(place, 0.0) + times
        if len(self.values) > EXACT and not self.rounded:
            self._round()

    def quantiles(self, shares: Iterable[float]) -> list[float]:
        """The numbers below which these shares lie, interpolated; zeros when there is none.
        Of a set that nobody told one by one, what lies between its extremes in proportion."""
        if not self.count:
            return [0.0 for _ in shares]
        if self.values is None:
            return [self.low + (self.high - self.low) * share for share in shares]
        ordered = sorted(self.values.items())
        return [self._quantile(ordered, share) for share in shares]

    def _quantile(self, ordered: list[tuple[float, float]], share: float) -> float:
        rank = share * (self.count - 1)
        seen = 0.0
        for index, (value, times) in enumerate(ordered):
            seen += times
            if rank <= seen - 1 or index == len(ordered) - 1:
                break
            if rank < seen:
                value += (ordered[index + 1][0] - value) * (rank - (seen - 1))
                break
        return min(max(value, self.low), self.high)

    def _round(self) -> None:
        self.rounded = True
        assert self.values is not None
        values, self.values = self.values, {}
        for value, times in values.items():
            place = _rounded(value)
            self.values[place] = self.values.get(place, 0.0) + times

    def plain(self) -> Plain:
        """As plain data, for `restored`."""
        values = None if self.values is None else list(self.values.items())
        return (self.count, self.total, self.low, self.high, values, self.rounded)


Plain = tuple[float, float, float, float, list[tuple[float, float]] | None, bool]


def restored(plain: Plain) -> Distribution:
    """From plain data."""
    made = Distribution()
    made.count, made.total, made.low, made.high, values, made.rounded = plain
    made.values = None if values is None else dict(values)
    return made


def of(values: Mapping[float, float]) -> Distribution:
    """Of numbers and how often each came."""
    made = Distribution()
    for value, times in values.items():
        if times:
            made.add(value, times)
    return made


def _rounded(value: float) -> float:
    if value == 0 or not math.isfinite(value):
        return value
    place = math.exp(round(math.log(abs(value)) / _GROWTH) * _GROWTH)
    return place if value > 0 else -place
