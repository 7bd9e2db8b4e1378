"""Whether one more invocation is admitted: the account's concurrency and the request rate.

The rules are plain functions; `Admission` applies them, for all nodes together. Source: Lambda
Developer Guide, "Understanding Lambda function scaling" and "Lambda quotas": what is not
reserved is shared by all functions without a reservation; synchronous requests come at most
ten times a second for each unit of concurrency. How fast a function may gain environments is
the host's to decide, which makes them (`host.scaling`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from lambent.cluster.places import Places
from lambent.core.clock import Clock
from lambent.core.errors import AwsError
from lambent.services.lambda_ import errors
from lambent.services.lambda_.concurrency import REGIONAL, UNRESERVED_MINIMUM, Reservations
from lambent.services.lambda_.names import Reference

REQUESTS_PER_UNIT = 10
"""Synchronous requests per second for each unit of concurrency."""
_STEP = 25
"""Places of an account's concurrency that a node takes at once."""
_PATIENCE = 1.0
"""Seconds to wait for places that other nodes hold and do not use."""


class Allowance(NamedTuple):
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


class Admission:
    """Admits invocations. `reserved_by_all` gives what is reserved in an account and region.

    The concurrency is held in places of the cluster, some at a time, so that few invocations
    ask for them. Requests are counted by node: each may have as many as belong to its places
    of a reservation, and its part of the account's.
    """

    def __init__(
        self,
        clock: Clock,
        places: Places,
        reservations: Reservations,
        reserved_by_all: Callable[[Reference], Awaitable[int]],
    ) -> None:
        self._clock = clock
        self._places = places
        self._reservations = reservations
        self._reserved_by_all = reserved_by_all
        self._allowances: dict[tuple[str, ...], Allowance] = {}

    async def enter(self, reference: Reference, reserved: int | None, *, synchronous: bool) -> None:
        """Begin an invocation, of which the reservation (if any) is entered; it is
        TooManyRequestsException when it is one too many."""
        scope = (reference.account, reference.region)
        if reserved is not None:
            if synchronous:
                units = min(reserved, self._reservations.held(reference.arn))
                whose = (*scope, reference.name)
                self._spend(whose, units, "ReservedFunctionInvocationRateLimitExceeded")
            return
        key = _key(scope)
        # So many are left whatever is reserved: most invocations need not ask.
        if not self._places.try_enter(key, UNRESERVED_MINIMUM):
            limit = REGIONAL - await self._reserved_by_all(reference)
            if not await self._places.enter(key, limit, _STEP, _PATIENCE):
                raise errors.throttled("ConcurrentInvocationLimitExceeded")
        if synchronous:
            try:
                units = max(1, REGIONAL // self._places.nodes)
                self._spend(scope, units, "FunctionInvocationRateLimitExceeded")
            except AwsError:
                self._places.leave(key)
                raise

    def leave(self, reference: Reference, reserved: int | None) -> None:
        """End what was entered with the same arguments."""
        if reserved is None:
            self._places.leave(_key((reference.account, reference.region)))

    def _spend(self, whose: tuple[str, ...], units: int, reason: str) -> None:
        left = spend(self._allowances.get(whose), units, self._clock.monotonic())
        if left is None:
            raise errors.throttled(reason)
        self._allowances[whose] = left


def _key(scope: tuple[str, str]) -> str:
    return "lambda.account/" + "/".join(scope)
