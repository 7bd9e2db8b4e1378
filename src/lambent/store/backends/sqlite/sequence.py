"""The one sequence behind work ids, fencing tokens, versions and positions.

Numbers are reserved in blocks, so that counting costs a write only once per block; those
left over when the process ends are never used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

BLOCK = 100_000


class Sequence:
    """Numbers that grow, and are never given twice, whatever is rolled back or crashes."""

    __slots__ = ("_begin", "_execute", "_next", "_reserved", "_undo")

    def __init__(
        self,
        execute: Callable[..., Any],
        begin: Callable[[], None],
        undo: list[Callable[[], None]],
    ) -> None:
        self._execute = execute
        self._begin = begin
        self._undo = undo
        self._next: int = execute("SELECT reserved FROM sequence").fetchall()[0][0]
        self._reserved = 0

    def take(self, count: int) -> int:
        """The first of `count` new numbers in a row. Only inside a write transaction."""
        first = self._next
        self._next = first + count
        if self._next > self._reserved:
            self._begin()
            self._undo.append(self.reset)
            self._reserved = self._next + BLOCK
            self._execute("UPDATE sequence SET reserved = ?", (self._reserved,))
        return first

    def reset(self) -> None:
        """Forget the reservation: it was undone."""
        self._reserved = 0
