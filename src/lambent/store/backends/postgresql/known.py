"""What a node knows without asking: numbers of names, and records that have not changed.

A name keeps its number for ever. A record changes, so the store's one row holds a stamp for
each of `BUCKETS` sets of collections: whoever changes a record puts a new stamp there in the
same transaction. Every transaction begins by reading that row; an answer that was found beside
the stamp that it shows still holds. So what seldom changes, such as the definitions that every
request reads, is asked for once, and is yet never older than the transaction that uses it.

Beside that it is known which items of a queue were claimed together. Who settles or extends
one of them is about to do so with the others, so all are asked for at once; that is a hint of
what to ask, and no answer.

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
_MOST_CLAIMED: Final = 20_000
"""How many items it is known of with which others they were claimed."""


class Known:
    """What is known; see the module."""

    __slots__ = ("_claims", "_rows", "names")

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self._rows: dict[Question, tuple[int, tuple[int, bytes] | None]] = {}
        self._claims: dict[Question, list[Question]] = {}

    def forget(self) -> None:
        """Forget everything."""
        self.names.clear()
        self._rows.clear()
        self._claims.clear()

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

    def claimed(self, queue: int, ids: list[int]) -> None:
        """These items were claimed together."""
        together: list[Question] = [("head", queue, id) for id in ids]
        claims = self._claims
        if len(together) > 1:
            claims.update(dict.fromkeys(together, together))
            while len(claims) > _MOST_CLAIMED:
                del claims[next(iter(claims))]

    def beside(self, question: Question) -> list[Question]:
        """What will be asked next by who asks this, this too."""
        return self._claims.get(question) or [question]


def bucket(collection: int) -> int:
    """Which stamp is a collection's."""
    return collection % BUCKETS
