"""How often one event has invoked a function: the Lineage part of the X-Ray trace header.

    Root=1-…;Parent=…;Sampled=0;Lineage=1:4c2b9d1a:3|1:99f0e2aa:1

Each entry is a function's hash and how often the chain has invoked it. SDKs in functions pass
the header on, queues keep it. Plain functions. Source: Lambda Developer Guide, "Use Lambda
recursive loop detection to prevent infinite loops" (stopped after about 16 invocations).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import lru_cache

MOST = 16
"""Invocations of one function that one chain of requests may make."""
_KEPT = 16
"""Functions that a header remembers; the latest invoked are kept."""
_FIELD = "Lineage="


@lru_cache(maxsize=1024)
def _entry(function: str) -> str:
    return f"1:{zlib.crc32(function.encode()):08x}"


def follow(trace: str, function: str) -> tuple[str, int]:
    """The header for this invocation, and how many there were before it in the chain.

    `function` is the unqualified ARN.
    """
    own = _entry(function)
    if _FIELD not in trace:
        return f"{trace};{_FIELD}{own}:1", 0
    parts = trace.split(";")
    entries = next((part[len(_FIELD) :] for part in parts if part.startswith(_FIELD)), "")
    before = 0
    others: list[str] = []
    for entry in entries.split("|"):
        name, _, count = entry.rpartition(":")
        if name == own and count.isdigit():
            before = int(count)
        elif name:
            others.append(entry)
    entries = "|".join([*others[-_KEPT + 1 :], f"{own}:{before + 1}"])
    kept = [part for part in parts if part and not part.startswith(_FIELD)]
    return ";".join([*kept, _FIELD + entries]), before


def merged(lineages: Sequence[str]) -> str:
    """The entries of several headers as one: of each function, the most that any has."""
    most: dict[str, int] = {}
    for lineage in lineages:
        for entry in lineage.split("|"):
            name, _, count = entry.rpartition(":")
            if name and count.isdigit():
                most[name] = max(most.pop(name, 0), int(count))
    return "|".join(f"{name}:{count}" for name, count in list(most.items())[-_KEPT:])
