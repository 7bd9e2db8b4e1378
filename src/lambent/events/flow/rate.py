"""How many items may be taken per second: a leaky bucket.

Kept as one time, as in the generic cell rate algorithm (ITU-T I.371): when the bucket will
have run empty if nothing more is poured in.
"""

from __future__ import annotations

from lambent.events.flow.settings import Rate


def allowed(empty_at: float, rule: Rate, now: float) -> int:
    """How many items may be taken at once now."""
    room = rule.burst - max(empty_at - now, 0.0) * rule.per_second
    return max(int(room + 1e-6), 0)


def took(empty_at: float, rule: Rate, items: int, now: float) -> float:
    """When the bucket is empty after `items` more."""
    return max(empty_at, now) + items / rule.per_second


def wait(empty_at: float, rule: Rate, now: float, items: int = 1) -> float:
    """Seconds until `items` may be taken at once."""
    wanted = min(items, rule.burst)
    return max(empty_at - now - (rule.burst - wanted) / rule.per_second, 0.0)
