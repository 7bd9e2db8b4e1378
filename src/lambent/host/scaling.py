"""Where an invocation may run: pure decisions."""

from __future__ import annotations

import enum
from dataclasses import dataclass

REGIONAL_CONCURRENCY = 1000
"""Invocations at once per account and region (Lambda's default quota)."""
GROWTH = 1000
"""Environments that a function may gain at once..."""
GROWTH_SECONDS = 10.0
"""... and in so many seconds; what was not used is not saved up (Lambda Developer Guide, "Lambda
scaling behavior")."""
KEEP_ALIVE = 600.0
"""Seconds that an environment may stay idle."""
_ENVIRONMENT_MIB = 64
"""What an environment is reckoned with when a machine's limit is worked out."""


class Place(enum.Enum):
    """The decision for one invocation."""

    REUSE = "reuse"
    """An idle environment of its own takes it."""
    START = "start"
    """A new environment is started."""
    EVICT = "evict"
    """An idle environment of another function ends, then a new one is started."""
    WAIT = "wait"
    """The machine is full of busy environments: it waits in line."""


@dataclass(frozen=True, slots=True)
class Load:
    """What the decision depends on. `environments` counts all of the machine, of which
    `idle_others` are idle and of other functions."""

    idle_own: int
    idle_others: int
    environments: int
    limit: int


def admits(running: int, concurrency: int = REGIONAL_CONCURRENCY) -> bool:
    """Whether the account may have one more invocation in the region; `running` counts those
    in line too."""
    return running < concurrency


def grow(full_at: float, now: float) -> float | None:
    """Whether a function may gain an environment now: None if not, else when it may gain as many
    at once as ever, if it gains no more until then (as `full_at` was before; monotonic seconds).

    The allowance comes back bit by bit, not all at once every ten seconds.

    >>> grow(0.0, 50.0)
    50.01
    >>> grow(60.0, 50.0)
    """
    used = max(full_at - now, 0.0) * GROWTH / GROWTH_SECONDS
    # Instants are sums of floats: what comes when its hundredth of a second is over is in.
    if used > GROWTH - 1 + 1e-6:
        return None
    return max(full_at, now) + GROWTH_SECONDS / GROWTH


def place(load: Load) -> Place:
    """Where an invocation that was admitted runs."""
    if load.idle_own:
        return Place.REUSE
    if load.environments < load.limit:
        return Place.START
    return Place.EVICT if load.idle_others else Place.WAIT


def machine_limit(memory: int) -> int:
    """How many environments a machine with `memory` bytes holds: half of it, and at most
    the regional concurrency."""
    return max(8, min(REGIONAL_CONCURRENCY, memory // 2 // (_ENVIRONMENT_MIB << 20)))
