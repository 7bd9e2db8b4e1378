"""Whether more arrives than anyone can have meant.

First attempts are counted by the minute, and what is usual is the average of the minutes
before, each weighing a sixtieth less than the next. A minute that exceeds both bounds is a
storm.
"""

from __future__ import annotations

from dataclasses import dataclass

from lambent.events.flow import settings

MINUTE = 60.0
MEMORY = 60
"""Over about how many minutes the usual is averaged."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """`minute` is the present one, counted from the epoch; `usual` items a minute before it
    (None: nothing to compare with yet)."""

    minute: int
    count: int = 0
    usual: float | None = None


def begin(now: float) -> Arrivals:
    """How a lane starts, and how it goes on after it was parked."""
    return Arrivals(int(now / MINUTE))


def arrived(arrivals: Arrivals, firsts: int, now: float) -> Arrivals:
    """So many items were tried for the first time."""
    minute = int(now / MINUTE)
    passed = minute - arrivals.minute
    if passed <= 0:
        return Arrivals(arrivals.minute, arrivals.count + firsts, arrivals.usual)
    usual = arrivals.usual
    usual = arrivals.count if usual is None else usual + (arrivals.count - usual) / MEMORY
    # The minutes in between had none.
    usual *= (1 - 1 / MEMORY) ** min(passed - 1, 100_000)
    return Arrivals(minute, firsts, usual)


def is_storm(arrivals: Arrivals, rule: settings.Storm) -> bool:
    """Whether the present minute is one."""
    if arrivals.count <= rule.per_minute:
        return False
    return arrivals.usual is None or arrivals.count > rule.factor * arrivals.usual
