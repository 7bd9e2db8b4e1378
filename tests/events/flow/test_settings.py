"""What can be set, and what is said of what cannot."""

from __future__ import annotations

from typing import Any

import pytest

from lambent.events.flow import settings
from lambent.events.flow.settings import InvalidFlow, parse


def test_everything_is_off_unless_it_is_named() -> None:
    assert parse({}) == settings.OFF
    assert settings.shown(settings.OFF) == {}


def test_a_rule_that_is_named_has_sensible_defaults() -> None:
    flow = parse({"Concurrency": {}, "Circuit": {}, "Retry": {"Budget": {}}, "Loop": {}})
    assert flow.concurrency is not None and flow.concurrency.minimum == 1
    assert flow.circuit is not None and flow.circuit.failure_share == 0.5
    assert flow.retry is not None and flow.retry.budget is not None
    assert flow.rate is None
    assert parse(settings.shown(flow)) == flow


def test_numbers_may_be_text_as_templates_have_them() -> None:
    flow = parse({"Rate": {"PerSecond": "2.5", "Burst": "3"}})
    assert flow.rate == settings.Rate(per_second=2.5, burst=3)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            {"Rates": {}},
            "Flow has no member Rates, but Circuit, Concurrency, Deadline, Loop, Priority, Rate, "
            "Retry and Storm. Did you mean Rate?",
        ),
        (
            {"Retry": {"Budget": {"Persecond": 1}}},
            "Flow.Retry.Budget has no member Persecond, but Burst, PerSecond and Share. "
            "Did you mean PerSecond?",
        ),
        ({"Rate": {}}, "Flow.Rate: Object missing required field `PerSecond`."),
        ({"Rate": {"PerSecond": 0}}, "Flow.Rate.PerSecond: Expected `float` > 0.0."),
        ({"Rate": {"PerSecond": "x"}}, "Flow.Rate.PerSecond: Expected `float`, got `str`."),
        ({"Rate": 5}, "Flow.Rate: Expected `object | null`, got `int`."),
        (
            {"Concurrency": {"Algorithm": "Vegas"}},
            "Flow.Concurrency.Algorithm: Invalid enum value 'Vegas'.",
        ),
        ({"Concurrency": {"Minimum": 0}}, "Flow.Concurrency.Minimum: Expected `int` >= 1."),
        (
            {"Concurrency": {"Minimum": 9}},
            "Flow.Concurrency: Minimum 9, Initial 5 and Maximum 1250 must not decrease.",
        ),
        (
            {"Circuit": {"Open": 30, "MaximumOpen": 20}},
            "Flow.Circuit: MaximumOpen must be at least Open.",
        ),
        ({"Retry": {"Base": 60, "Maximum": 5}}, "Flow.Retry: Maximum must be at least Base."),
        (
            {"Retry": {"Budget": {"Share": -1}}},
            "Flow.Retry.Budget.Share: Expected `float` >= 0.0.",
        ),
        (
            {"Priority": {"Places": 2, "Reserve": 2}},
            "Flow.Priority: Reserve must be less than Places.",
        ),
    ],
)
def test_what_cannot_be_is_named(document: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidFlow) as caught:
        parse(document)
    assert str(caught.value) == message
