"""What differs from one kind of delivery to another; the engine in `delivery` knows no more.

A policy says how much makes a batch, which items are wanted, how to run one, and what an
outcome means. Its decisions are plain functions: `judge` gets everything it may look at and
does nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lambent.core.arns import Arn
from lambent.events.contract import Batch, Event, Outcome
from lambent.events.history import Failure
from lambent.events.scaling import Rule


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a batch, for `Policy.judge`.

    `tries` counts the calls made under this claim (1 the first time). `claimed` is when the
    batch was claimed and `lease` for how long, by the source's own setting, whether or not
    the lease was extended since. `now` in seconds since the epoch; the call took `seconds`.
    """

    batch: Batch
    outcome: Outcome
    tries: int
    claimed: float
    lease: float
    now: float
    extended: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Aside:
    """A ticket that leaves its source without having been done: for the source's dead-letter
    queue where it has one, and otherwise, or with `park`, to be kept until it is resumed.
    `rule` and `reason` say why, for people."""

    ticket: Any
    rule: str
    reason: str
    park: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a batch; applied in one transaction.

    `done` tickets are settled. `again` tickets come again after a delay (None: when their
    lease ends). `sends` are events for other resources (a dead-letter queue, a
    destination). With `retry_after` nothing is settled: the lease is kept and the call made
    again after so many seconds. `healthy` False makes the lane give up places. `failure` is
    kept with what comes again, by sources that can. What is put `aside` leaves the source.
    """

    done: Sequence[Any] = ()
    again: Sequence[tuple[Any, float | None]] = ()
    sends: Sequence[tuple[Arn, Event]] = ()
    retry_after: float | None = None
    healthy: bool = True
    failure: Failure | None = None
    aside: Sequence[Aside] = ()


class Policy(Protocol):
    """One kind of delivery. Its settings do not change: a changed mapping gets a new one."""

    @property
    def batch_size(self) -> int:
        """The most items of one call."""
        ...

    @property
    def window(self) -> float:
        """Seconds to wait for a batch to fill after its first item came."""
        ...

    @property
    def max_bytes(self) -> int:
        """The most bytes of one call's items together."""
        ...

    @property
    def rule(self) -> Rule:
        """How many calls may run at once."""
        ...

    def lease(self, source: Mapping[str, Any]) -> float:
        """For how many seconds items are leased, given `Source.describe`."""
        ...

    def wants(self, record: Mapping[str, Any]) -> bool:
        """Whether the function is to see the item; others are settled unseen."""
        ...

    def encode(self, record: Mapping[str, Any]) -> bytes:
        """The item as `call` will send it."""
        ...

    async def call(self, batch: Batch, parts: Sequence[bytes]) -> Outcome:
        """Run the target with the encoded items."""
        ...

    def judge(self, attempt: Attempt) -> Verdict:
        """What becomes of the batch."""
        ...
