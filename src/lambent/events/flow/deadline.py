"""Until when an event may be tried."""

from __future__ import annotations

from lambent.events.flow.settings import Deadline


def passed(rule: Deadline, sent: float, at: float) -> bool:
    """Whether an event sent at `sent` is not to be tried at `at` any more; both in seconds
    since the epoch."""
    return at - sent >= rule.seconds
