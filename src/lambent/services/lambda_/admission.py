"""Whether one more invocation is admitted: the account's concurrency and the request rate.

The rules are plain functions; `Admission` counts what runs on this node for them. Source:
Lambda Developer Guide, "Understanding Lambda function scaling" and "Lambda quotas": what is
not reserved is shared by all functions without a reservation; synchronous requests come at
most ten times a second for each unit of concurrency. How fast a function may gain environments
is the host's to decide, which makes them (`host.scaling`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lambent.core.clock import Clock
from lambent.services.lambda_ import errors
from lambent.services.lambda_.concurrency import REGIONAL, UNRESERVED_MINIMUM
from lambent.services.lambda_.names import Reference

REQUESTS_PER_UNIT = 10
"""Synchronous requests per second for each unit of concurrency."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """Requests that may still come at an instant (monotonic seconds): at most a second's."""

    left: float
    at: float


def spend(allowance: Allowance | None, units: int, now: float) -> Allowance | None:
    """What is left after one request of something with so much concurrency; None: it is one
    too many. An allowance that is None is full.

    >>> spend(None, 1, 0.0)
    Allowance(left=9.0, at=0.0)
    """
    rate = float(units * REQUESTS_PER_UNIT)
    left = rate
    if allowance is not None:
        left = min(allowance.left + (now - allowance.at) * rate, rate)
    # Instants are sums of floats: a request that comes when the tenth of a second is over is in.
    return Allowance(max(left - 1, 0.0), now) if left >= 1 - 1e-6 else None


def has_room(running: int, reserved_by_all: int) -> bool:
    """Whether functions without a reservation, of which `running` invocations run, may have
    one more, where others have reserved so much."""
    return running < REGIONAL - reserved_by_all


class Admission:
    """Admits invocations on this node. `reserved_by_all` gives what is reserved in an account
    and region."""

    def __init__(
        self, clock: Clock, reserved_by_all: Callable[[Reference], Awaitable[int]]
    ) -> None:
        self._clock = clock
        self._reserved_by_all = reserved_by_all
        self._running: Counter[tuple[str, str]] = Counter()
        self._allowances: dict[tuple[str, ...], Allowance] = {}

    async def enter(self, reference: Reference, reserved: int | None, *, synchronous: bool) -> None:
        """Begin an invocation; TooManyRequestsException when it is one too many."""
        scope = (reference.account, reference.region)
        if reserved is None:
            running = self._running[scope]
            # So many are left whatever is reserved: most invocations need not ask.
            if running >= UNRESERVED_MINIMUM and not has_room(
                running, await self._reserved_by_all(reference)
            ):
                raise errors.throttled("ConcurrentInvocationLimitExceeded")
            if synchronous:
                self._spend(scope, REGIONAL, "FunctionInvocationRateLimitExceeded")
            self._running[scope] += 1
        elif synchronous:
            whose = (*scope, reference.name)
            self._spend(whose, reserved, "ReservedFunctionInvocationRateLimitExceeded")

    def leave(self, reference: Reference, reserved: int | None) -> None:
        """End what was entered with the same arguments."""
        if reserved is None:
            scope = (reference.account, reference.region)
            self._running[scope] -= 1
            if not self._running[scope]:
                del self._running[scope]

    def _spend(self, whose: tuple[str, ...], units: int, reason: str) -> None:
        left = spend(self._allowances.get(whose), units, self._clock.monotonic())
        if left is None:
            raise errors.throttled(reason)
        self._allowances[whose] = left
