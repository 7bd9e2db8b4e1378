"""Tickets of messages that were claimed under a key: the source's own, and what belongs to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Keyed:
    """A source's ticket with the key that is held for it, None for none. `followers` are the
    tickets of its duplicates in the same claim: what becomes of it becomes of them."""

    ticket: Any
    key: str | None = None
    holder: str = ""
    followers: tuple[Any, ...] = ()


def plain(tickets: Iterable[Any]) -> list[Any]:
    """The tickets as their source gave them, followers too."""
    found: list[Any] = []
    for one in tickets:
        if isinstance(one, Keyed):
            found += (one.ticket, *one.followers)
        else:
            found.append(one)
    return found
