"""What delivery has in common where each claimed item is one call of a function that Lambent holds
for itself: asynchronous events, and runs of durable executions.

The lease is short, since it is extended while the function runs: so a crash is noticed soon.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lambent.events import scaling
from lambent.events.contract import Outcome

LEASE: Final = 10.0
"""Seconds until what a dead node was running is run again."""

MOST_LOST: Final = 20
"""How often an item may be lost with its node before it counts as one that kills nodes."""

LOST: Final = Outcome(
    b"", "Failed", retryable=False, message="The invocation was lost with its node."
)
"""How that ends."""


class OneCall:
    """The part of a policy that is the same for both."""

    batch_size = 1
    window = 0.0
    max_bytes = 1 << 30
    rule = scaling.ASYNCHRONOUS

    def lease(self, source: Mapping[str, Any]) -> float:
        """See the module's docstring."""
        return LEASE

    def wants(self, record: Mapping[str, Any]) -> bool:
        """Every item that was accepted."""
        return True
