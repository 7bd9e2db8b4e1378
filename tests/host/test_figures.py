"""Figures: sketches, costs, and what is kept of invocations."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambent.host import figures
from lambent.host.contract import FunctionSpec, Invocation, InvocationResult
from lambent.host.figures import Figures
from lambent.host.sketch import Sketch

SPEC = FunctionSpec("arn", "f", "1", "r", "$LATEST", "b", "python3.11", "i.h", Path(), 3.0, 1024)


def _result(duration: float, *, hot: bool = True, error: str | None = None) -> InvocationResult:
    init = None if hot else 0.2
    return InvocationResult(
        b"", error, b"", duration, duration, init, 40, tier="hot" if hot else "cold"
    )


def test_percentiles_are_within_their_promised_error() -> None:
    sketch = Sketch()
    for number in range(1, 1001):
        sketch.add(number / 1000)
    for share, found in zip((0.5, 0.95, 0.99), sketch.quantiles((0.5, 0.95, 0.99)), strict=True):
        assert found == pytest.approx(share, rel=0.03)


def test_an_invocation_costs_its_request_and_its_gigabyte_seconds() -> None:
    assert figures.cost(1.0, 1024, "x86_64") == pytest.approx(2e-7 + 1.66667e-5)
    assert figures.cost(0.5, 512, "arm64") == pytest.approx(2e-7 + 0.25 * 1.33334e-5)


def test_a_summary_is_of_the_last_hour() -> None:
    kept = Figures()
    kept.add(SPEC, Invocation("old", b""), _result(9.0), 60.0)
    kept.add(SPEC, Invocation("a", b""), _result(0.01, hot=False), 7200.0)
    kept.add(SPEC, Invocation("b", b"", retries=1), _result(0.02, error="Unhandled"), 7201.0)
    shown = kept.summary("arn", 7230.0)
    assert (shown["last_hour"], shown["errors"], shown["retried"]) == (2, 1, 1)
    assert shown["cold_share"] == 0.5
    assert shown["p99_ms"] < 100
    assert [record.request_id for record in kept.last("arn")] == ["old", "a", "b"]
    assert [minute["minute"] for minute in kept.minutes("arn", 7230.0)] == [7200]


def test_only_the_last_invocations_are_kept() -> None:
    kept = Figures()
    for number in range(figures.LAST + 5):
        kept.add(SPEC, Invocation(str(number), b""), _result(0.01), 0.0)
    assert len(kept.last("arn")) == figures.LAST
