"""How many invocations of a function may run at once: a rule, and the count it looks at.

Source: Lambda Developer Guide, "Understanding Lambda function scaling": 1,000 per region,
of which functions can reserve all but 100; a reservation is also a ceiling.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

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


class Running:
    """The invocations that run now, by function ARN."""

    def __init__(self) -> None:
        self._count: Counter[str] = Counter()

    @contextmanager
    def one(self, arn: str, reserved: int | None) -> Iterator[None]:
        """Count an invocation; TooManyRequestsException when the reservation is used up."""
        if reserved is not None and self._count[arn] >= reserved:
            raise errors.throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
        self._count[arn] += 1
        try:
            yield
        finally:
            self._count[arn] -= 1
            if not self._count[arn]:
                del self._count[arn]
