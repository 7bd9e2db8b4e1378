"""Which idle environments end now: a contract for policies, and the one there is.

A policy is a pure decision over what is idle at this moment. A learned one (by a function's
own rhythm, by what a start costs it) takes the place of `KeepAlive` in `local.open_host`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Idle:
    """Something idle: an environment, or the zygote of a function without environments.
    `since` and every `now` in seconds of one monotonic clock."""

    arn: str
    since: float
    zygote: bool = False


class ReclaimPolicy(Protocol):
    """Decides which idle environments end."""

    def reclaim(self, idle: Sequence[Idle], now: float) -> tuple[Sequence[int], float | None]:
        """The places in `idle` (which is in order of idleness, the longest first) of those
        that end now, and in how many seconds to ask again at the latest; None: not before
        something else becomes idle."""
        ...


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Ends what was idle for `seconds`, and of more than `most` the longest idle."""

    seconds: float
    most: int

    def reclaim(self, idle: Sequence[Idle], now: float) -> tuple[Sequence[int], float | None]:
        """See `ReclaimPolicy`."""
        old = sum(1 for each in idle if each.since + self.seconds <= now)
        count = max(old, len(idle) - self.most)
        again = idle[count].since + self.seconds - now if count < len(idle) else None
        return range(count), again
