"""What can be heard of a lane: the moments of each delivery, as they happen.

An observer belongs to one lane and is called on the event loop's thread, synchronously and
in order, so it is quick, awaits nothing and never raises. What it is given is not its own:
it keeps no reference to a batch or an outcome beyond the call.

    claimed ──▶ called ──▶ ended ──▶ settled
       │           ▲         │
       │           └─────────┘ (called again under the same claim: `Verdict.retry_after`)
       ├──▶ dead_lettered (by the source, of what was received too often)
       └──▶ suppressed (duplicates)

Everything but `called` and `ended` is told after its commit: it has happened for good.
"""

from __future__ import annotations

from lambent.events.contract import Batch, Event
from lambent.events.policy import Attempt, Verdict


class Observer:
    """Hears nothing; a real one overrides the moments that it wants."""

    def claimed(self, batch: Batch, filtered: int, at: float) -> None:
        """A claim gave `batch`, and `filtered` more that no filter wanted, or that flow
        control put aside, left the source unseen (one of both is not empty). `at` in seconds
        since the epoch."""

    def dead_lettered(self, count: int, at: float) -> None:
        """The claim moved `count` items, received too often, to the dead-letter queue."""

    def suppressed(self, count: int, at: float) -> None:
        """The claim found `count` duplicates (`events.once`): they are settled unseen, now or
        with the one that they repeat."""

    def called(self, batch: Batch, at: float) -> None:
        """The function is about to be called with these."""

    def ended(self, attempt: Attempt, verdict: Verdict, seconds: float) -> None:
        """The call took `seconds` and ended as `attempt.outcome` says; `verdict` is what is
        to become of the batch (with `retry_after`, another call)."""

    def settled(self, batch: Batch, verdict: Verdict, at: float) -> None:
        """The verdict is carried out: done tickets are gone, the others wait, what it sends
        (to destinations and dead-letter queues) was accepted or refused, what it puts aside
        is dead-lettered or parked."""

    def refused(self, event: Event) -> None:
        """What the verdict sent could not be taken by where it was sent: it is lost to it."""


SILENT = Observer()
"""For lanes that nobody listens to."""
