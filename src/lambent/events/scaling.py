"""How many deliveries of one lane may run at once: a plain rule over its own history.

A lane starts with a few places, gains more at a steady rate for as long as all of them are
busy and work waits, gives half of them up when an invocation fails, and wins them back one
success at a time.

Source: Lambda Developer Guide, "Configuring scaling behavior for SQS event source mappings"
(5 batches at first, up to 300 more per minute, up to 1,250; MaximumConcurrency) and
"backoff strategy" (concurrency is reduced after function errors and throttles).
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Rule:
    """`start` places at first, `per_minute` more while all are busy, never over `maximum`."""

    start: int
    per_minute: int
    maximum: int


SQS = Rule(start=5, per_minute=300, maximum=1250)
ASYNCHRONOUS = Rule(start=50, per_minute=6000, maximum=1000)


@dataclass(frozen=True, slots=True)
class Scale:
    """The places now; `busy_since` is when all of them became busy (seconds since the
    epoch), None while one is free."""

    places: int
    busy_since: float | None = None


def part(rule: Rule, rank: int, nodes: int) -> Rule:
    """The part of a rule that holds on one of several nodes, by its rank: together they start
    with, gain and have what the rule says, but for a node's least, which is 1 of each.

    >>> part(SQS, 0, 3)
    Rule(start=2, per_minute=100, maximum=417)
    """
    start, per_minute, maximum = (
        max(1, whole // nodes + (rank < whole % nodes))
        for whole in (rule.start, rule.per_minute, rule.maximum)
    )
    return Rule(start, per_minute, maximum)


def begin(rule: Rule) -> Scale:
    """How a lane starts."""
    return Scale(min(rule.start, rule.maximum))


def saturated(scale: Scale, rule: Rule, now: float) -> Scale:
    """All places are busy and more work may wait."""
    if scale.busy_since is None:
        return replace(scale, busy_since=now)
    gained = int((now - scale.busy_since) * rule.per_minute / 60.0 + 1e-6)
    if gained <= 0:
        return scale
    return Scale(
        min(scale.places + gained, rule.maximum),
        scale.busy_since + gained * 60.0 / rule.per_minute,
    )


def next_place(scale: Scale, rule: Rule, now: float) -> float | None:
    """Seconds until a saturated lane gains a place; None when it has all it may have."""
    if scale.places >= rule.maximum or scale.busy_since is None:
        return None
    return max(scale.busy_since + 60.0 / rule.per_minute - now, 0.0)


def free(scale: Scale) -> Scale:
    """A place is free."""
    return scale if scale.busy_since is None else replace(scale, busy_since=None)


def idle(scale: Scale, rule: Rule) -> Scale:
    """Nothing runs and nothing waits: what was gained is given back."""
    return Scale(min(scale.places, max(rule.start, 1), rule.maximum))


def failed(scale: Scale) -> Scale:
    """An invocation failed or found no place: half as many from now on, at least one."""
    return Scale(max(scale.places // 2, 1))


def succeeded(scale: Scale, rule: Rule) -> Scale:
    """An invocation went well: win one place back, up to what a lane starts with."""
    if scale.places >= min(rule.start, rule.maximum):
        return scale
    return replace(scale, places=scale.places + 1)
