"""What a lane asks before it claims, and tells after a call: the contract of flow control, of
permits, and of the fence around a definition that was changed.

A lane without a control asks nothing and pays nothing. One control serves one lane at a time;
all methods are quick, synchronous, and called on the event loop's thread.

    grant ──▶ claim ──▶ took ──▶ call ──▶ ended ──▶ settle ──▶ release
      │         │                  ▲────────┘ (called again under the same claim)
      │         └─ nothing there ─────────────────────────────▶ release
      └─ None: not now; ask again after `wait`, or when woken
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lambent.events.contract import Batch
from lambent.events.policy import Attempt, Verdict
from lambent.store.contract import Transaction


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave for one more call with at most `items` items. `probe`: it tests whether the
    function works again; `placed`: it holds one of the places that mappings share."""

    items: int
    probe: bool = False
    placed: bool = False


class Control(Protocol):
    """Decides for one lane whether, and how much, may be claimed now."""

    @property
    def adapts(self) -> bool:
        """Whether it answers failures with a limit of its own, in place of the lane's scale."""
        ...

    @property
    def screens(self) -> bool:
        """Whether `screen` is to be asked at all."""
        ...

    def attach(self, wake: Callable[[], None]) -> None:
        """Call `wake` when `grant` may answer otherwise than it did."""
        ...

    def detach(self, wake: Callable[[], None]) -> None:
        """The lane that attached with `wake` claims no more. Another may have attached."""
        ...

    def grant(self, items: int, running: int) -> Grant | None:
        """Whether one more call may be made with up to `items` items, while `running` calls
        run. What it needs is taken until `release`."""
        ...

    def wait(self) -> float | None:
        """After no grant: seconds until it is worth asking again; None: when woken. After no
        `more`: the same; None: this call gets no more."""
        ...

    def withdraw(self) -> None:
        """After no grant: the lane does not want one any more."""
        ...

    def more(self, grant: Grant, items: int) -> int:
        """How many more items the call that was granted may claim."""
        ...

    def took(self, batch: Batch, now: float) -> None:
        """These were claimed for the granted call."""
        ...

    def screen(self, record: Mapping[str, Any], now: float) -> tuple[str, str, bool] | None:
        """Whether a claimed item is not to be tried: rule, reason, and whether it is to be
        parked even where there is a dead-letter queue (see `policy.Aside`)."""
        ...

    def ended(self, attempt: Attempt, verdict: Verdict, running: int) -> Verdict:
        """A call ended, while `running` calls ran, itself among them; the verdict as flow
        control has it: other delays, or items put aside."""
        ...

    def release(self, grant: Grant) -> None:
        """What was granted is over, or was not used."""
        ...


class Permits(Protocol):
    """A limit that lanes share, also with those of other nodes: one permit for each call."""

    @property
    def freed(self) -> asyncio.Event:
        """Set when a permit may be had after one was refused."""
        ...

    async def enter(self) -> bool:
        """Take a permit, if there is one. StoreError when that cannot be found out."""
        ...

    def leave(self) -> None:
        """Give one back."""
        ...


class Fence(Protocol):
    """What keeps a lane from claiming by a definition that is not in force any more.

    It is asked in the transaction of the claim itself, so that once a change of the definition
    is committed nothing is claimed by the former one, on any node.
    """

    async def holds(self, tx: Transaction) -> bool:
        """Whether the lane may claim, by what is stored now."""
        ...

    def lost(self) -> None:
        """The lane may not: let it be stopped, or made again as it is to be now. It claims
        no more until it is told to look again, or a while has passed."""
        ...
