"""What one call of a lane will carry: what its claims gave, as it is gathered and cut."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lambent.events.contract import Batch
from lambent.events.control import Control, Grant
from lambent.events.in_flight import Note


@dataclass(slots=True)
class Load:
    """What one call will carry, as it is gathered."""

    claimed: float
    lease: float
    records: list[Mapping[str, Any]] = field(default_factory=list)
    identifiers: list[str] = field(default_factory=list)
    tickets: list[Any] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    size: int = 0
    following: int = 0
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    keeper: asyncio.Task[None] | None = None
    extended: bool = False
    control: Control | None = None
    grant: Grant | None = None

    def batch(self, begin: int, end: int) -> Batch:
        """A part of it, as one call gets it."""
        return Batch(self.records[begin:end], self.identifiers[begin:end], self.tickets[begin:end])


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim's result. `wait` is how long until something is due (None: nothing waits)."""

    batch: Batch
    claimed: int
    lease: float
    at: float
    wait: float | None
    note: Note | None = None


def pick(batch: Batch, indexes: Sequence[int]) -> Batch:
    """Some of a batch's items, with all its counts."""
    return Batch(
        [batch.records[index] for index in indexes],
        [batch.identifiers[index] for index in indexes],
        [batch.tickets[index] for index in indexes],
        batch.dead_lettered,
        batch.suppressed,
        batch.following,
    )


def slices(parts: Sequence[bytes], limit: int) -> list[tuple[int, int]]:
    """Cut into runs of at most `limit` bytes (but at least one item) each."""
    found: list[tuple[int, int]] = []
    begin = 0
    size = 0
    for index, part in enumerate(parts):
        if index > begin and size + len(part) > limit:
            found.append((begin, index))
            begin, size = index, 0
        size += len(part)
    if begin < len(parts):
        found.append((begin, len(parts)))
    return found
