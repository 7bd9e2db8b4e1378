"""Metrics inside of log events: the embedded metric format. Plain.

Source: CloudWatch User Guide, "Specification: Embedded metric format". A directive that breaks
the specification is passed over, as CloudWatch does; the event stays a log event.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

_MARK: Final = '"CloudWatchMetrics"'
_MOST_METRICS: Final = 100
_MOST_VALUES: Final = 100
_MOST_DIMENSIONS: Final = 30


class Measured(NamedTuple):
    """One metric of one set of dimensions. `at` in seconds since the epoch."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    unit: str
    at: float
    values: tuple[float, ...]


def measured(message: str) -> Iterator[Measured]:
    """The metrics that a log event holds; most hold none, which is seen at a glance."""
    if _MARK not in message or not message.lstrip().startswith("{"):
        return
    try:
        document = json.loads(message)
    except (ValueError, RecursionError):
        return
    if not isinstance(document, dict):
        return
    about = document.get("_aws")
    if not isinstance(about, Mapping) or not _number(about.get("Timestamp")):
        return
    directives = about.get("CloudWatchMetrics")
    if isinstance(directives, list):
        for directive in directives:
            if isinstance(directive, Mapping):
                yield from _directive(document, directive, about["Timestamp"] / 1000)


def _directive(
    document: Mapping[str, Any], directive: Mapping[str, Any], at: float
) -> Iterator[Measured]:
    namespace, listed = directive.get("Namespace"), directive.get("Metrics")
    if not isinstance(namespace, str) or not 1 <= len(namespace) <= 255:
        return
    if namespace.startswith(("AWS/", ":")) or not isinstance(listed, list):
        return
    sets = [found for one in directive.get("Dimensions") or [[]] if (found := _set(document, one))]
    for metric in listed[:_MOST_METRICS]:
        if not isinstance(metric, Mapping) or not isinstance(metric.get("Name"), str):
            continue
        values = _values(document.get(metric["Name"]))
        unit = metric.get("Unit")
        for (dimensions,) in sets:
            if values:
                shown = unit if isinstance(unit, str) else "None"
                yield Measured(namespace, metric["Name"], dimensions, shown, at, values)


def _set(document: Mapping[str, Any], names: Any) -> tuple[tuple[tuple[str, str], ...]] | None:
    """The dimensions of those names, as a tuple of one (so that none is not nothing)."""
    if not isinstance(names, list) or len(names) > _MOST_DIMENSIONS:
        return None
    found: dict[str, str] = {}
    for name in names:
        value = document.get(name) if isinstance(name, str) else None
        if not isinstance(value, str) or not 1 <= len(value) <= 1024:
            return None
        found[name] = value
    return (tuple(sorted(found.items())),)


def _values(value: Any) -> tuple[float, ...]:
    several = value if isinstance(value, list) else [value]
    if len(several) > _MOST_VALUES or not all(_number(one) for one in several):
        return ()
    return tuple(float(one) for one in several)


def _number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
