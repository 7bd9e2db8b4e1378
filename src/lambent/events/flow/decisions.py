"""What was decided and from what: the last few hundred decisions of one mapping.

In memory alone: after a restart the rules begin anew, and so does their record.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KEPT = 256


@dataclass(slots=True)
class Decision:
    """One decision of a rule. `at` in seconds since the epoch; the same decision made again
    at once only counts (`times`, `last`)."""

    number: int
    at: float
    rule: str
    what: str
    why: str
    inputs: Mapping[str, Any]
    times: int = 1
    last: float = 0.0


class Decisions:
    """The ring."""

    def __init__(self) -> None:
        self._ring: deque[Decision] = deque(maxlen=KEPT)
        self._count = 0

    def add(self, at: float, rule: str, what: str, why: str, **inputs: Any) -> None:
        """Write a decision down."""
        last = self._ring[-1] if self._ring else None
        if last is not None and (last.rule, last.what, last.why) == (rule, what, why):
            last.times += 1
            last.last = at
            last.inputs = inputs
            return
        self._count += 1
        self._ring.append(Decision(self._count, at, rule, what, why, inputs, last=at))

    def latest(self, rule: str | None = None) -> Decision | None:
        """The last one, or the last one of a rule."""
        return next((one for one in reversed(self._ring) if rule in (None, one.rule)), None)

    def after(self, number: int = 0) -> list[Decision]:
        """Those after a number, oldest first; and the last one, which may have been made
        again."""
        return [one for one in self._ring if one.number > number]
