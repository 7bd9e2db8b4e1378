"""When a failed item comes again: exponential backoff with full jitter.

Source: "Exponential Backoff And Jitter", AWS Architecture Blog: a random time between zero
and the exponential bound spreads retries best.
"""

from __future__ import annotations

from lambent.events.flow.settings import Retry


def delay(rule: Retry, failures: int, random: float) -> float:
    """Seconds after the `failures`-th (≥ 1) failure; `random` in [0, 1)."""
    bound = min(rule.base * 2.0 ** min(max(failures, 1) - 1, 60), rule.maximum)
    return random * bound
