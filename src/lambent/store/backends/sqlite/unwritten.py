"""Work that was enqueued and is not in the tables yet: written when its group ends.

Many rows to a statement cost half of what each costs alone, and a thread that runs such a
statement lets the event loop's thread go on meanwhile. Only items without group and tenant,
which nothing but the two tables has to know of, are kept here, and only until somebody looks
at work (`engine.py::Engine.catch_up`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from lambent.store.contract import NewWork

_AT_ONCE: Final = (512, 64, 8, 1)
"""Rows of a statement. Each is kept prepared, so there are few; and a thread waits for its turn
with the interpreter after each, so some are large."""


def _many(columns: str, row: str) -> dict[int, str]:
    return {count: f"{columns} VALUES {','.join([row] * count)}" for count in _AT_ONCE}


_INSERT: Final = _many(
    "INSERT INTO work (queue, id, due, leased, created, token, attempts, dated)",
    "(?,?,?,0,?,0,0,?)",
)
_INSERT_PAYLOAD: Final = _many("INSERT INTO work_payload (id, payload)", "(?,?)")
_ITEM: Final = 5
"""How many values an item has in its table, and its payload in the other."""
_PAYLOAD: Final = 2


class Unwritten:
    """Items in order of their ids, as the values that statements are to bind: `items` for their
    own table, others for their payloads'. `size` is how many bytes they have, those that were
    removed included."""

    __slots__ = ("_payloads", "items", "size")

    def __init__(self) -> None:
        self.items: list[Any] = []
        self._payloads: list[Any] = []
        self.size = 0

    def add(
        self, queue: int, first: int, now: float, mark: float, new: Sequence[NewWork], dated: bool
    ) -> int:
        """New items, the ids of which begin with `first`; ids grow. How many are due after
        `mark`."""
        items, payloads, size, after = self.items, self._payloads, self.size, 0
        for id, item in enumerate(new, first):
            due = now + item.delay if item.delay > 0 else now
            if due > mark:
                after += 1
            items += (queue, id, due, now if item.created is None else item.created, dated)
            payload = item.payload
            payloads += (id, payload)
            size += len(payload)
        self.size = size
        return after

    def remove(self, first: int) -> bool:
        """Forget the items from the id `first` on; whether there was any."""
        keep = len(self.items)
        while keep and self.items[keep - _ITEM + 1] >= first:
            keep -= _ITEM
        found = keep < len(self.items)
        del self.items[keep:]
        del self._payloads[keep // _ITEM * _PAYLOAD :]
        return found

    def write(self, execute: Callable[[str, Sequence[Any]], object]) -> None:
        """Put them all into the tables."""
        left, at = len(self.items) // _ITEM, 0
        for count in _AT_ONCE:
            while left >= count:
                end = at + count
                execute(_INSERT[count], self.items[at * _ITEM : end * _ITEM])
                execute(_INSERT_PAYLOAD[count], self._payloads[at * _PAYLOAD : end * _PAYLOAD])
                at, left = end, left - count

    def clear(self) -> None:
        """They are written, or given up."""
        self.items.clear()
        self._payloads.clear()
        self.size = 0
