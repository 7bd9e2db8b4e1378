"""Who gets the next place of a function that several mappings share.

Together they may have so many calls at once. What a mapping reserves is kept free from those
of a lower level, and nobody takes a place that one of a higher level is waiting for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(slots=True)
class Sharer:
    """One mapping at the shared function. `waits`: it was refused a place and wants one."""

    level: int
    places: int
    reserve: int
    running: int = 0
    waits: bool = False


def free(sharer: Sharer, others: Iterable[Sharer]) -> bool:
    """Whether `sharer` may take one more place. The fewest places that any of them was given
    counts for all."""
    places = sharer.places
    taken = sharer.running
    for other in others:
        places = min(places, other.places)
        taken += other.running
        if other.level > sharer.level:
            kept = other.reserve - other.running
            if kept > 0:
                taken += kept
            elif other.waits:
                # Beyond its reserve, the higher still comes first.
                taken += 1
    return taken < places
