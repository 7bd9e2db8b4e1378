"""What metric math calculates with: numbers, time series, and several series at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from lambent.services.cloudwatch.math.tree import Broken


@dataclass(frozen=True, slots=True)
class Series:
    """Values by time (seconds since the epoch). `period` in seconds; `times` are all that the
    query covers, for filling gaps."""

    points: dict[int, float]
    label: str = ""
    period: int = 60
    times: tuple[int, ...] = field(default=(), repr=False)

    def ordered(self) -> list[tuple[int, float]]:
        """Oldest first."""
        return sorted(self.points.items())

    def with_points(self, points: dict[int, float]) -> Series:
        """The same of other values."""
        return replace(self, points=points)


Value = float | str | Series | list[Series]


def many(value: Value) -> list[Series]:
    """Time series, however many."""
    if isinstance(value, Series):
        return [value]
    if isinstance(value, list):
        return value
    raise Broken("A time series is needed.")


def number(value: Value) -> float:
    """A plain number."""
    if isinstance(value, float):
        return value
    raise Broken("A number is needed.")


def each(value: Value, change: Callable[[float], float | None]) -> Value:
    """A number changed, or each value of series; those that become None fall out."""
    if isinstance(value, float):
        changed = change(value)
        return float("nan") if changed is None else changed
    found = []
    for one in many(value):
        changed_points = {at: change(number) for at, number in one.points.items()}
        found.append(one.with_points({at: n for at, n in changed_points.items() if n is not None}))
    return found if isinstance(value, list) else found[0]


def pairwise(left: Value, right: Value, change: Callable[[float, float], float | None]) -> Value:
    """Combine two values: numbers with everything; series where both have a value; arrays of
    the same length one by one, or each of an array with the one other."""
    if isinstance(left, str) or isinstance(right, str):
        raise Broken("Text cannot be calculated with.")
    if isinstance(right, float):
        if isinstance(left, float):
            combined = change(left, right)
            return float("nan") if combined is None else combined
        return each(left, lambda one: change(one, right))
    if isinstance(left, float):
        return each(right, lambda one: change(left, one))
    if isinstance(left, Series) and isinstance(right, Series):
        return _joined(left, right, change)
    ones, others = many(left), many(right)
    if isinstance(left, Series):
        ones = ones * len(others)
    elif isinstance(right, Series):
        others = others * len(ones)
    if len(ones) != len(others):
        raise Broken("Arrays of different lengths cannot be combined.")
    return [_joined(one, other, change) for one, other in zip(ones, others, strict=True)]


def _joined(left: Series, right: Series, change: Callable[[float, float], float | None]) -> Series:
    combined = {
        at: change(value, right.points[at])
        for at, value in left.points.items()
        if at in right.points
    }
    return left.with_points({at: n for at, n in combined.items() if n is not None})
