"""How many items each queue holds, kept beside the items instead of counted.

An item becomes due, or its lease ends, by the passing of time alone, without a write. So a
queue's depth is kept as of a moment, its `mark`: how many items are due later than the
mark, leased and not. To bring it up to now, only the items whose due time lies between the
mark and now are counted, in the index; each passes the mark once per delay or lease, so
that this costs next to nothing per item however long the queue is.

Depths change in memory and are written once per commit, in the same transaction as the
items, so they hold after a crash too.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

STEP = 1.0
"""Seconds after which a depth in use is brought up to now, so that no single call has
many items to count."""

Row = tuple[int, int, int, int, int, int, int, float]

_FIGURES: Final = ("total", "loose", "tenanted", "dated", "waiting", "leased", "mark")
"""What is kept of a depth, in the order in which one is made."""
_COLUMNS: Final = ", ".join(_FIGURES)
_figures: Final[Callable[[Depth], tuple[int, int, int, int, int, int, float]]] = attrgetter(
    *_FIGURES
)


class Depth:
    """One queue's depth. `loose` are the items without a group, `tenanted` those with a
    tenant, `dated` those that are found by when they were created (`dated.py`).

    `horizons` is kept in memory alone: for a number n, the id of what was the queue's n-th
    item, and how many of those up to it are gone since. Items are only added at the end.
    """

    __slots__ = (
        "body",
        "dated",
        "dirty",
        "horizons",
        "leased",
        "loose",
        "mark",
        "tenanted",
        "total",
        "waiting",
    )

    def __init__(
        self,
        total: int,
        loose: int,
        tenanted: int,
        dated: int,
        waiting: int,
        leased: int,
        mark: float,
    ) -> None:
        self.total = total
        self.loose = loose
        self.tenanted = tenanted
        self.dated = dated
        self.waiting = waiting
        self.leased = leased
        self.mark = mark
        self.body = 0
        self.dirty = False
        self.horizons: dict[int, tuple[int, int]] = {}

    def entered(self, due: float, leased: bool) -> None:
        """An item is due at `due` from now on."""
        if due > self.mark:
            if leased:
                self.leased += 1
            else:
                self.waiting += 1

    def left(self, due: float, leased: bool) -> None:
        """An item that was due at `due` is so no longer."""
        if due > self.mark:
            if leased:
                self.leased -= 1
            else:
                self.waiting -= 1

    def removed(self, id: int) -> None:
        """An item is gone."""
        for count, (last_id, gone) in self.horizons.items():
            if id <= last_id:
                self.horizons[count] = last_id, gone + 1


class Depths:
    """The depths of the queues in use, as the open transaction sees them."""

    __slots__ = ("_changed", "_depths", "_execute", "_undo", "body")

    WRITE: Final = (
        f"REPLACE INTO work_depth (queue, {_COLUMNS}) VALUES (?, {', '.join('?' * len(_FIGURES))})"
    )

    def __init__(self, execute: Callable[..., Any], undo: list[Callable[[], None]]) -> None:
        self._execute = execute
        self._undo = undo
        self._depths: dict[int, Depth] = {}
        self._changed: list[tuple[int, Depth]] = []
        self.body = 0

    def of(self, queue: int, now: float) -> Depth:
        """The depth of a queue, brought up to `now` or nearly so.

        To be asked for before items change: what it counts must be what it already knows.
        """
        depth = self._depths.get(queue)
        if depth is None:
            rows = self._execute(
                f"SELECT {_COLUMNS} FROM work_depth WHERE queue = ?",
                (queue,),
            ).fetchall()
            depth = self._depths[queue] = Depth(*(rows[0] if rows else (0, 0, 0, 0, 0, 0, now)))
        if depth.body != self.body:
            depth.body = self.body
            self._undo.append(_restoring(depth))
        if now > depth.mark + STEP:
            self.bring_up(queue, depth, now)
        return depth

    def changing(self, queue: int, now: float) -> Depth:
        """The same, to be changed: it is written with the next commit."""
        depth = self.of(queue, now)
        if not depth.dirty:
            depth.dirty = True
            self._changed.append((queue, depth))
        return depth

    def bring_up(self, queue: int, depth: Depth, now: float) -> None:
        """Move the mark to `now`."""
        if now <= depth.mark:
            return
        if depth.waiting or depth.leased:
            passed, leased = self._execute(
                "SELECT count(*), coalesce(sum(leased), 0) FROM work INDEXED BY work_due"
                " WHERE queue = ? AND due > ? AND due <= ?",
                (queue, depth.mark, now),
            ).fetchall()[0]
            depth.leased -= leased
            depth.waiting -= passed - leased
        depth.mark = now

    def take(self) -> list[Row]:
        """What changed, to be written as the last step before the commit."""
        rows: list[Row] = []
        for queue, depth in self._changed:
            rows.append((queue, *_figures(depth)))
            depth.dirty = False
        self._changed.clear()
        return rows

    def reset(self) -> None:
        """Forget everything: the transaction was undone."""
        self._depths.clear()
        self._changed.clear()


def _restoring(depth: Depth) -> Callable[[], None]:
    kept = _figures(depth)

    def restore() -> None:
        for name, figure in zip(_FIGURES, kept, strict=True):
            setattr(depth, name, figure)
        depth.horizons.clear()

    return restore
