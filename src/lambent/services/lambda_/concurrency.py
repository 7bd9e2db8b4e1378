"""How many invocations of a function may run at once: a rule, and who is in.

Source: Lambda Developer Guide, "Understanding Lambda function scaling": 1,000 per region,
of which functions can reserve all but 100; a reservation is also a ceiling.
"""

from __future__ import annotations

from lambent.cluster.places import Places
from lambent.services.lambda_ import errors

REGIONAL = 1000
UNRESERVED_MINIMUM = 100


def check_reservation(wanted: int, others: int) -> None:
    """InvalidParameterValueException when reserving `wanted`, besides the `others` that are
    reserved already, leaves too few for functions without a reservation."""
    if REGIONAL - others - wanted < UNRESERVED_MINIMUM:
        raise errors.invalid(
            "Specified ReservedConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{UNRESERVED_MINIMUM}]."
        )


def check_provisioned(wanted: int, provisioned: int) -> None:
    """InvalidParameterValueException when so little cannot be reserved for a function with as
    much provisioned."""
    if wanted < provisioned:
        raise errors.invalid(
            f"ReservedConcurrentExecutions  {wanted} should not be lower than function's total "
            f"provisioned concurrency [{provisioned}]."
        )


class Reservations:
    """The reserved concurrency of functions, which holds for all nodes together."""

    def __init__(self, places: Places) -> None:
        self._places = places

    async def enter(self, arn: str, reserved: int | None) -> None:
        """Begin an invocation; TooManyRequestsException when the reservation is used up."""
        if reserved is not None and not await self._places.enter(_key(arn), reserved):
            raise errors.throttled("ReservedFunctionConcurrentInvocationLimitExceeded")

    def held(self, arn: str) -> int:
        """How much of it this node holds, which is at least 1 during an invocation."""
        return self._places.held(_key(arn))

    def leave(self, arn: str, reserved: int | None) -> None:
        """End what was entered with the same arguments."""
        if reserved is not None:
            self._places.leave(_key(arn))


def _key(arn: str) -> str:
    return f"lambda.reserved/{arn}"
