"""What a node knows without asking: numbers of names, and records that have not changed.

A name keeps its number for ever. A record changes, so the store's one row holds a stamp for
each of `BUCKETS` sets of collections: whoever changes a record puts a new stamp there in the
same transaction. Every transaction begins by reading that row; an answer that was found beside
the stamp that it shows still holds. So what seldom changes, such as the definitions that every
request reads, is asked for once, and is yet never older than the transaction that uses it.

A database that was set back to an earlier moment would give stamps and numbers out again, so
all is forgotten whenever a connection is made anew.
"""

from __future__ import annotations

from typing import Any, Final

Question = tuple[Any, ...]
"""What to ask the database: the kind, then its arguments; see `reads.py`."""

BUCKETS: Final = 64
"""How many stamps there are; a collection's is found by its number."""
UNKNOWN: Final = object()

_MOST: Final = 4096
_LARGEST: Final = 8192
"""Longer values, in bytes, are not kept."""


class Known:
    """What is known; see the module."""

    __slots__ = ("_rows", "names")

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self._rows: dict[Question, tuple[int, tuple[int, bytes] | None]] = {}

    def forget(self) -> None:
        """Forget everything."""
        self.names.clear()
        self._rows.clear()

    def find(self, question: Question, stamps: list[int]) -> Any:
        """The answer to a `get`, if it is known and holds beside these stamps, or UNKNOWN."""
        found = self._rows.get(question)
        if found is None or found[0] != stamps[bucket(question[1])]:
            return UNKNOWN
        return found[1]

    def learn(self, question: Question, answer: Any, stamps: list[int]) -> None:
        """Keep what the database answered beside these stamps."""
        if question[0] == "name":
            if answer is not None:
                self.names[question[1]] = answer
        elif question[0] == "get" and (answer is None or len(answer[1]) <= _LARGEST):
            rows = self._rows
            if len(rows) >= _MOST and question not in rows:
                del rows[next(iter(rows))]
            rows[question] = stamps[bucket(question[1])], answer


def bucket(collection: int) -> int:
    """Which stamp is a collection's."""
    return collection % BUCKETS
