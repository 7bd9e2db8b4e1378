"""Whose turn it is: the rule by which tenants share what a fair claim takes.

Pure, and the same for every backend. The tenant with the fewest leased items gives next,
and what it gives counts from then on; among equals, the one that gave longest ago. So one
that holds many consumers, because it sends much or takes long, yields to those that hold few.

Source: SQS developer guide, "How Amazon SQS fair queues work".
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

_LATEST = 1 << 62
"""Beyond every turn that a store has given out."""


def take_turns(tenants: Iterable[tuple[int, int, Iterator[T]]], limit: int) -> list[T]:
    """Up to `limit` items in the order in which they are to be taken.

    A tenant is how many of its items are leased, when it gave last (any number that grows),
    and its items, first come first.
    """
    line = [(leased, turn, number, items) for number, (leased, turn, items) in enumerate(tenants)]
    heapq.heapify(line)
    taken: list[T] = []
    for turn in itertools.count(_LATEST):
        if not line or len(taken) >= limit:
            break
        leased, _, number, items = line[0]
        for item in items:
            taken.append(item)
            heapq.heapreplace(line, (leased + 1, turn, number, items))
            break
        else:
            heapq.heappop(line)
    return taken
