"""PutMetricData's parameters, checked: from MetricData to points.

Source: CloudWatch API Reference, PutMetricData and MetricDatum.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from lambent.core.distribution import Distribution
from lambent.services.cloudwatch import errors
from lambent.services.cloudwatch.model import UNITS, Dimensions
from lambent.services.cloudwatch.points import Point

MOST_DATA: Final = 1000
MOST_VALUES: Final = 150
MOST_DIMENSIONS: Final = 30
_LARGEST: Final = 2.0**360
_PAST: Final = 14 * 86_400
_AHEAD: Final = 2 * 3600


class Datum(NamedTuple):
    """One checked entry of MetricData."""

    name: str
    dimensions: Dimensions
    point: Point


def namespace_of(params: Mapping[str, Any]) -> str:
    """The namespace, checked as one that may be asked about."""
    errors.required(params, "Namespace")
    namespace: str = params["Namespace"]
    if not 1 <= len(namespace) <= 255 or namespace.startswith(":"):
        raise errors.invalid_value(namespace, "Namespace")
    return namespace


def parse(params: Mapping[str, Any], now: float) -> list[Datum]:
    """All entries; AwsError for the first that is wrong. `now` in seconds since the epoch."""
    data = list(params.get("MetricData") or ())
    for entity in params.get("EntityMetricData") or ():
        data += entity.get("MetricData") or ()
    if not data:
        raise errors.missing("MetricData")
    if len(data) > MOST_DATA:
        raise errors.invalid(
            f"The collection MetricData must not have a size greater than {MOST_DATA}."
        )
    return [_datum(one or {}, f"MetricData.member.{at}", now) for at, one in enumerate(data, 1)]


def _datum(given: Mapping[str, Any], where: str, now: float) -> Datum:
    name = given.get("MetricName")
    if not name:
        raise errors.missing(f"{where}.MetricName")
    if len(name) > 255:
        raise errors.invalid_value(name, f"{where}.MetricName")
    unit = given.get("Unit") or "None"
    if unit not in UNITS:
        raise errors.not_one_of(f"{where}.Unit", UNITS)
    resolution = given.get("StorageResolution")
    if resolution not in (None, 1, 60):
        raise errors.invalid(
            f"The value {resolution} for parameter {where}.StorageResolution is invalid: "
            "it must be 1 or 60."
        )
    at = given.get("Timestamp")
    if at is None:
        at = now
    elif at < now - _PAST:
        raise errors.invalid(
            f"The parameter {where}.Timestamp must specify a time no more than two weeks in the "
            "past."
        )
    elif at > now + _AHEAD:
        raise errors.invalid(
            f"The parameter {where}.Timestamp must specify a time no more than two hours in the "
            "future."
        )
    step = resolution or 60
    point = Point(int(at // step * step), step, unit, _values(given, where))
    return Datum(name, dimensions(given.get("Dimensions"), where), point)


def _values(given: Mapping[str, Any], where: str) -> Distribution:
    one, many, sums = given.get("Value"), given.get("Values"), given.get("StatisticValues")
    named = [
        name
        for name, value in (("Value", one), ("Values", many), ("StatisticValues", sums))
        if value is not None
    ]
    if len(named) > 1:
        raise errors.exclusive(f"{where}.{named[0]}", f"{where}.{named[1]}")
    if one is not None:
        made = Distribution()
        made.add(_number(one, f"{where}.Value"))
        return made
    if many is not None:
        return _listed(many, given.get("Counts"), where)
    if sums is not None:
        return _summed(sums, where)
    raise errors.combination(
        f"At least one of the parameters {where}.Value, {where}.Values and "
        f"{where}.StatisticValues must be specified."
    )


def _listed(values: Sequence[Any], counts: Sequence[Any] | None, where: str) -> Distribution:
    if not 1 <= len(values) <= MOST_VALUES:
        raise errors.invalid(
            f"The collection {where}.Values must have between 1 and {MOST_VALUES} members."
        )
    if counts is not None and len(counts) != len(values):
        raise errors.invalid(
            f"The parameters {where}.Values and {where}.Counts must be of the same size."
        )
    made = Distribution()
    for at, value in enumerate(values):
        times = 1.0 if counts is None else _number(counts[at], f"{where}.Counts.member.{at + 1}")
        if times < 0:
            raise errors.invalid_value(times, f"{where}.Counts.member.{at + 1}")
        if times:
            made.add(_number(value, f"{where}.Values.member.{at + 1}"), times)
    return made


def _summed(sums: Mapping[str, Any], where: str) -> Distribution:
    where = f"{where}.StatisticValues"
    numbers = []
    for name in ("SampleCount", "Sum", "Minimum", "Maximum"):
        if sums.get(name) is None:
            raise errors.missing(f"{where}.{name}")
        numbers.append(_number(sums[name], f"{where}.{name}"))
    count, total, low, high = numbers
    if low > high:
        raise errors.invalid(
            f"The parameter {where}.Minimum must not be greater than {where}.Maximum."
        )
    if count < 0:
        raise errors.invalid_value(count, f"{where}.SampleCount")
    made = Distribution()
    if count:
        made.add_set(count, total, low, high)
    return made


def _number(value: Any, where: str) -> float:
    number = float(value)
    if not math.isfinite(number) or abs(number) > _LARGEST:
        raise errors.invalid_value(number, where)
    return number


def dimensions(given: Sequence[Mapping[str, Any]] | None, where: str = "") -> Dimensions:
    """Dimensions in order of their names; AwsError for bad ones."""
    prefix = f"{where}.Dimensions" if where else "Dimensions"
    given = given or ()
    if len(given) > MOST_DIMENSIONS:
        raise errors.invalid(
            f"The collection {prefix} must not have a size greater than {MOST_DIMENSIONS}."
        )
    found: dict[str, str] = {}
    for at, one in enumerate(given, 1):
        name, value = one.get("Name"), one.get("Value")
        for part, text, most in (("Name", name, 255), ("Value", value, 1024)):
            if not text:
                raise errors.missing(f"{prefix}.member.{at}.{part}")
            if len(text) > most or not text.isascii() or not text.strip() or "\0" in text:
                raise errors.invalid_value(text, f"{prefix}.member.{at}.{part}")
        assert name is not None and value is not None
        if name.startswith(":"):
            raise errors.invalid_value(name, f"{prefix}.member.{at}.Name")
        if name in found:
            raise errors.invalid(f"No two dimensions of a metric may have the name {name}.")
        found[name] = value
    return tuple(sorted(found.items()))
