"""What both forms of `benchmarks.flow` share: the settings, and what a run did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

RECEIVES = 5
"""After so many receives a message goes to the dead-letter queue."""
FLOW: dict[str, Any] = {"Concurrency": {}, "Circuit": {}, "Retry": {"Budget": {}}}


@dataclass
class Result:
    """What one run did, by the second."""

    name: str
    messages: int
    done: dict[int, int] = field(default_factory=dict)
    failed: dict[int, int] = field(default_factory=dict)
    limit: dict[int, int] = field(default_factory=dict)
    dead: int = 0
    seconds: float = 0.0

    @property
    def summary(self) -> dict[str, Any]:
        """The figures of the table."""
        done, failed = sum(self.done.values()), sum(self.failed.values())
        return {
            "messages": self.messages,
            "done": done,
            "dead": self.dead,
            "calls_failed": failed,
            "failed_share": failed / max(done + failed, 1),
            "seconds": round(self.seconds, 1),
            "per_second": round(done / max(self.seconds, 1e-9), 1),
        }
