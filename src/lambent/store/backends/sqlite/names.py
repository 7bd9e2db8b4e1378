"""Names of collections, queues and logs, kept as small integers in the tables.

The cache is only ever a copy of what the open transaction sees: what a transaction added
is forgotten when it is rolled back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

CACHE_LIMIT = 100_000
UNKNOWN = -1
"""A number that no row carries."""


class Names:
    """name → number. One name space for all three kinds."""

    __slots__ = ("_begin", "_execute", "_numbers", "_undo")

    def __init__(
        self,
        execute: Callable[..., Any],
        begin: Callable[[], None],
        undo: list[Callable[[], None]],
    ) -> None:
        self._execute = execute
        self._begin = begin
        self._undo = undo
        self._numbers: dict[str, int] = {}

    def find(self, name: str) -> int:
        """The number of a name; UNKNOWN when it was never written to."""
        number = self._numbers.get(name)
        if number is None:
            rows = self._execute("SELECT number FROM name WHERE name = ?", (name,)).fetchall()
            if not rows:
                return UNKNOWN
            number = self._remember(name, rows[0][0])
        return number

    def number(self, name: str) -> int:
        """The number of a name, given now if it has none. Only inside a write transaction."""
        number = self._numbers.get(name)
        if number is None:
            number = self.find(name)
            if number == UNKNOWN:
                self._begin()
                rows = self._execute(
                    "INSERT INTO name (name) VALUES (?) RETURNING number", (name,)
                ).fetchall()
                number = self._remember(name, rows[0][0])
                self._undo.append(self.reset)
        return number

    def reset(self) -> None:
        """Forget everything: some of it was undone."""
        self._numbers.clear()

    def _remember(self, name: str, number: int) -> int:
        if len(self._numbers) >= CACHE_LIMIT:
            self._numbers.clear()
        self._numbers[name] = number
        return number
