"""DurableConfig: what makes a function durable. Pure.

Source: Lambda API Reference, DurableConfig; Lambda Developer Guide, "Configure Lambda durable
functions" (a function is durable from its creation on, or never).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambent.services.lambda_ import errors

MEMBER = "DurableConfig"
LONGEST = 31_622_400
"""Seconds: 366 days."""
LONGEST_RETENTION = 90
RETENTION = 14
"""Days that an ended execution is kept, where nothing else is said."""
SYNCHRONOUS = 900
"""Seconds that a caller waits at most, and so the longest timeout of what callers wait for."""


def create(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a new function. AwsError when it cannot be."""
    check(wanted)
    if wanted.get("ExecutionTimeout") is None:
        raise errors.invalid(
            "You cannot create a function with a durable configuration without an executionTimeout"
        )
    return _chosen({"RetentionPeriodInDays": RETENTION}, wanted)


def update(present: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration after an update that names some of it."""
    check(wanted)
    if present is None:
        raise errors.invalid(
            "You cannot add a durable configuration to an existing function: durable execution "
            "can only be enabled when a function is created."
        )
    return _chosen(present, wanted)


def check(wanted: Mapping[str, Any]) -> None:
    """AwsError when a value is out of its range."""
    _within(wanted, "ExecutionTimeout", "durableConfig.executionTimeout", LONGEST)
    _within(
        wanted, "RetentionPeriodInDays", "durableConfig.retentionPeriodInDays", LONGEST_RETENTION
    )


def of(settings: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The configuration in a function's settings; None when it is not durable."""
    found: Mapping[str, Any] | None = settings.get(MEMBER)
    return found


def _chosen(present: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    chosen = {**present, **{name: value for name, value in wanted.items() if value is not None}}
    if not chosen.get("KMSKeyArn"):
        chosen.pop("KMSKeyArn", None)
    return chosen


def _within(wanted: Mapping[str, Any], member: str, shown: str, most: int) -> None:
    value = wanted.get(member)
    if value is None:
        return
    if value > most:
        raise errors.validation(
            value, shown, f"Member must have value less than or equal to {most}"
        )
    if value < 1:
        raise errors.validation(value, shown, "Member must have value greater than or equal to 1")
