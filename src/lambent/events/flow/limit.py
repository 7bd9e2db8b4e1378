"""How many calls may run at once: learned from how long they take and whether they fail.

The limit moves once per round: when about as many calls have ended as may run at once. Calls
that began before the last cut say nothing about the limit since, and are passed over, so one
overload cuts once.

- Too many items of the round failed: the limit is cut to `backoff` of itself, and what it was
  is remembered as the *ceiling*: growth stops just below it, until it is worth trying again
  (30 s later, twice as long each time it fails again, up to ten minutes).
- Gradient: the round's time per item is compared with the long-term one. Slower than
  `tolerance` times as usual lowers the limit in proportion (at most to a half, smoothed);
  otherwise it grows by a share of its square root.
- AIMD: the limit grows by one, and is cut when a round is slower than `latency`.

A limit that is not used (fewer than half as many calls ran) does not grow.

Sources: Netflix concurrency-limits (Gradient2Limit: long- and short-term latency, smoothing
0.2, a gradient between 0.5 and 1, no growth when the application limits itself; AIMDLimit);
Envoy's adaptive concurrency filter (gradient controller; headroom √limit). The ceiling is
after TCP CUBIC's, which also stays below the last loss for a time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from lambent.events.flow.settings import Concurrency

SMOOTHING = 0.2
LONG_ROUNDS = 100
"""Over how many rounds the usual latency is averaged."""
FEWEST = 4
"""The fewest calls of a round."""
HOLD = 30.0
LONGEST_HOLD = 600.0


@dataclass(frozen=True, slots=True)
class Limit:
    """The limit, what the present round holds, and what was learned. `since` is when the
    limit was last cut, `usual` the long-term seconds per item; times in seconds since the
    epoch."""

    value: float
    since: float = -math.inf
    calls: int = 0
    items: int = 0
    failed: int = 0
    seconds: float = 0.0
    busiest: int = 0
    usual: float | None = None
    ceiling: float | None = None
    hold: float = 0.0
    held_until: float = 0.0

    @property
    def places(self) -> int:
        """The limit as a whole number of calls."""
        return int(self.value + 1e-9)


@dataclass(frozen=True, slots=True)
class Sample:
    """A call that ended: when it began, how long it took, how many of its items failed, and
    how many calls ran when it ended, itself among them."""

    began: float
    seconds: float
    items: int
    failed: int
    running: int


def begin(rule: Concurrency) -> Limit:
    """How a lane starts."""
    return Limit(float(rule.initial))


def ended(limit: Limit, rule: Concurrency, sample: Sample, now: float) -> tuple[Limit, str]:
    """After a call; and why the limit moved, "" when the round goes on."""
    if sample.began < limit.since:
        return limit, ""
    limit = replace(
        limit,
        calls=limit.calls + 1,
        items=limit.items + sample.items,
        failed=limit.failed + sample.failed,
        seconds=limit.seconds + sample.seconds,
        busiest=max(limit.busiest, sample.running),
    )
    if limit.calls < max(limit.places, FEWEST):
        return limit, ""
    value, reason = _moved(limit, rule, now)
    per_item = limit.seconds / max(limit.items, 1)
    usual = _usual(limit.usual, per_item)
    cut = reason == "errors"
    ceiling, hold, held_until = limit.ceiling, limit.hold, limit.held_until
    if cut:
        # The same ceiling again: it is worth trying less and less often.
        again = ceiling is not None and limit.value >= ceiling - 1
        hold = min(hold * 2, LONGEST_HOLD) if again and hold else HOLD
        ceiling, held_until = limit.value, now + hold
    elif ceiling is not None and value > ceiling + 1:
        ceiling, hold = None, 0.0
    value = min(max(value, float(rule.minimum)), float(rule.maximum))
    moved = Limit(
        value,
        since=now if value < limit.value else limit.since,
        # What failed was slow or fast for its own reasons.
        usual=limit.usual if cut else usual,
        ceiling=ceiling,
        hold=hold,
        held_until=held_until,
    )
    return moved, reason


def _moved(limit: Limit, rule: Concurrency, now: float) -> tuple[float, str]:
    value = limit.value
    if limit.failed > limit.items * rule.error_share:
        return value * rule.backoff, "errors"
    per_item = limit.seconds / max(limit.items, 1)
    if rule.algorithm == "AIMD":
        if rule.latency is not None and per_item > rule.latency:
            return value * rule.backoff, "latency"
        grown = value + 1.0
    else:
        gradient = 1.0
        if limit.usual is not None and per_item > 0:
            gradient = max(0.5, min(1.0, rule.tolerance * limit.usual / per_item))
        target = value * gradient + math.sqrt(value)
        grown = value * (1 - SMOOTHING) + target * SMOOTHING
        if grown < value:
            return grown, "latency"
    if limit.busiest * 2 < value:
        return value, "unused"
    if limit.ceiling is not None and grown > limit.ceiling - 1:
        if now < limit.held_until:
            return max(min(grown, limit.ceiling - 1), min(value, limit.ceiling)), "ceiling"
        return max(grown, limit.ceiling), "probe"
    return grown, "grows"


def _usual(usual: float | None, per_item: float) -> float:
    if usual is None:
        return per_item
    usual += (per_item - usual) / LONG_ROUNDS
    # After a slow time the long average comes down sooner than it went up.
    return usual * 0.95 if per_item > 0 and usual > 2 * per_item else usual
