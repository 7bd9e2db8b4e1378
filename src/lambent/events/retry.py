"""When a failed delivery comes again: plain functions of how often it failed.

Source: Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous
invocation"; "Understanding the event source mapping backoff strategy" for SQS.
"""

from __future__ import annotations

FUNCTION_ERROR_DELAYS = (60.0, 120.0)
"""Seconds before the first and the second retry of an asynchronous function error."""

MAXIMUM_BACKOFF = 300.0


def after_function_error(errors: int) -> float:
    """Seconds until an asynchronous event that failed `errors` times (≥ 1) runs again."""
    return FUNCTION_ERROR_DELAYS[min(errors, len(FUNCTION_ERROR_DELAYS)) - 1]


def after_system_error(failures: int, maximum: float = MAXIMUM_BACKOFF) -> float:
    """Seconds to wait after the `failures`-th (≥ 1) throttle or system error in a row:
    1, 2, 4 ... up to `maximum`."""
    return min(2.0 ** min(failures - 1, 30), maximum)
