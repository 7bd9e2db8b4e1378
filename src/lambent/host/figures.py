"""What invocations took and would cost on AWS: by function and minute, and the last ones.

Kept in memory, within bounds: an hour of minutes and the last hundred invocations of each
function. Knows nothing of how functions are run.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from lambent.host.contract import FunctionSpec, Invocation, InvocationResult
from lambent.host.sketch import Sketch

MINUTES = 60
"""How many minutes are kept of each function."""
LAST = 100
"""How many single invocations are kept of each function."""


class Record(msgspec.Struct, frozen=True):
    """One invocation. `at` in seconds since the epoch, durations in milliseconds, memory in
    MiB, cost in the price table's currency. `retries` counts the tries before this one."""

    request_id: str
    at: float
    version: str
    tier: str
    queue_ms: float
    init_ms: float | None
    duration_ms: float
    billed_ms: float
    memory_mib: int
    cost: float
    retries: int
    error: bool


@cache
def prices() -> dict[str, Any]:
    """The price table, with its source and date."""
    table: dict[str, Any] = json.loads(files(__package__).joinpath("prices.json").read_text())
    return table


def cost(billed: float, memory: int, architecture: str) -> float:
    """What an invocation of `billed` seconds with `memory` MiB costs."""
    request, rate = _rates(architecture)
    return request + billed * memory / 1024 * rate


@cache
def _rates(architecture: str) -> tuple[float, float]:
    """What a request costs, and a gigabyte for a second."""
    table = prices()
    rate = table["gb_second"].get(architecture, table["gb_second"]["x86_64"])
    return float(table["request"]), float(rate)


@dataclass(slots=True)
class _Minute:
    """The sums of one minute."""

    number: int
    invocations: int = 0
    errors: int = 0
    cold: int = 0
    retries: int = 0
    cost: float = 0.0
    memory: int = 0
    duration: Sketch = field(default_factory=Sketch)
    queue: Sketch = field(default_factory=Sketch)
    init: Sketch = field(default_factory=Sketch)


class Figures:
    """All functions' figures, by ARN."""

    def __init__(self) -> None:
        self._minutes: dict[str, deque[_Minute]] = {}
        self._last: dict[str, deque[Record]] = {}

    def add(
        self, spec: FunctionSpec, invocation: Invocation, result: InvocationResult, now: float
    ) -> None:
        """Note an invocation that ended now."""
        price = cost(result.billed, spec.memory, spec.architecture)
        minutes = self._minutes.get(spec.arn)
        if minutes is None:
            minutes = self._minutes[spec.arn] = deque(maxlen=MINUTES)
            self._last[spec.arn] = deque(maxlen=LAST)
        number = int(now // 60)
        if not minutes or minutes[-1].number != number:
            minutes.append(_Minute(number))
        minute = minutes[-1]
        minute.invocations += 1
        minute.errors += result.error is not None
        minute.cold += result.tier != "hot"
        minute.retries += invocation.retries > 0
        minute.cost += price
        minute.memory = max(minute.memory, result.memory_peak)
        minute.duration.add(result.duration)
        minute.queue.add(result.waited)
        if result.init is not None:
            minute.init.add(result.init)
        self._last[spec.arn].append(
            Record(
                invocation.request_id,
                now,
                spec.version,
                result.tier,
                _ms(result.waited),
                None if result.init is None else _ms(result.init),
                _ms(result.duration),
                _ms(result.billed),
                result.memory_peak,
                price,
                invocation.retries,
                result.error is not None,
            )
        )

    def forget(self, arn: str) -> None:
        """The function is gone."""
        self._minutes.pop(arn, None)
        self._last.pop(arn, None)

    def last(self, arn: str) -> list[Record]:
        """The last invocations, oldest first."""
        return list(self._last.get(arn, ()))

    def summary(self, arn: str, now: float) -> dict[str, Any]:
        """The last hour in one line: rates, percentiles, cold starts, cost per million."""
        minutes = [m for m in self._minutes.get(arn, ()) if m.number > now // 60 - MINUTES]
        whole = _Minute(0)
        for minute in minutes:
            whole.invocations += minute.invocations
            whole.errors += minute.errors
            whole.cold += minute.cold
            whole.retries += minute.retries
            whole.cost += minute.cost
            whole.memory = max(whole.memory, minute.memory)
            whole.duration.merge(minute.duration)
            whole.init.merge(minute.init)
            whole.queue.merge(minute.queue)
        return _shown(whole, minutes, now)

    def minutes(self, arn: str, now: float) -> list[dict[str, Any]]:
        """The last hour minute by minute, oldest first; minutes without calls are left out."""
        return [
            {"minute": minute.number * 60, **_shown(minute, [minute], now)}
            for minute in self._minutes.get(arn, ())
            if minute.number > now // 60 - MINUTES
        ]


def _shown(whole: _Minute, minutes: list[_Minute], now: float) -> dict[str, Any]:
    count = whole.invocations
    p50, p95, p99 = whole.duration.quantiles((0.5, 0.95, 0.99))
    spanned = max(1, int(now // 60) - minutes[0].number + 1) if minutes else 1
    return {
        "last_hour": count,
        "per_minute": round(count / spanned, 3),
        "errors": whole.errors,
        "retried": whole.retries,
        "cold_share": round(whole.cold / count, 4) if count else 0.0,
        "p50_ms": _ms(p50),
        "p95_ms": _ms(p95),
        "p99_ms": _ms(p99),
        "init_p50_ms": _ms(whole.init.quantiles((0.5,))[0]),
        "queue_p99_ms": _ms(whole.queue.quantiles((0.99,))[0]),
        "memory_peak_mib": whole.memory,
        "cost": whole.cost,
        "cost_per_million": round(whole.cost / count * 1e6, 4) if count else 0.0,
    }


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
