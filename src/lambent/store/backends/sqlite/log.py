"""Logs: append-only, one table of all entries and an index of each log's positions.

Positions come from the store's sequence, so they go on after a trim. Entries' times never
go back within a log, which lets a time be found by bisecting positions, without an index.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from lambent.store.backends.sqlite.engine import Effect, Engine
from lambent.store.backends.sqlite.part import Part
from lambent.store.contract import LogEntry

MAX_POSITION = (1 << 63) - 1
INSERT = "INSERT INTO log (log, position, time, value) VALUES (?, ?, ?, ?)"


class Logs(Part):
    """The logs of a transaction."""

    __slots__ = ()

    async def append(self, log: str, values: Sequence[bytes]) -> list[int]:
        if not values:
            return []
        engine = self._engine
        engine.joining()
        engine.begin()
        number = engine.names.number(log)
        time = self._stamp(number)
        first = engine.sequence.take(len(values))
        if not engine.saved:
            engine.undo.append(partial(_remove, engine, number, first))
        positions = list(range(first, first + len(values)))
        engine.executemany(
            INSERT, [(number, at, time, value) for at, value in zip(positions, values, strict=True)]
        )
        engine.effects.append((Effect.GREW, log))
        return positions

    def _stamp(self, number: int) -> float:
        """Now; or the log's last time, if the clock was set back while the store was closed."""
        engine = self._engine
        if number in engine.appended:
            return self.now
        last = engine.execute(
            "SELECT time FROM log WHERE log = ? ORDER BY position DESC LIMIT 1", (number,)
        ).fetchall()
        engine.appended.add(number)
        if not last or last[0][0] <= self.now:
            return self.now
        engine.not_before(last[0][0])
        stamp: float = last[0][0]
        return stamp

    async def read(
        self, log: str, *, after: int = 0, limit: int = 1000, max_bytes: int | None = None
    ) -> list[LogEntry]:
        # A cursor of its own, because reading may end before the rows do.
        rows = self._engine.query(
            "SELECT position, time, value FROM log"
            " WHERE log = ? AND position > ? ORDER BY position LIMIT ?",
            (self._engine.names.find(log), after, limit),
        )
        entries: list[LogEntry] = []
        total = 0
        for position, time, value in rows:
            total += len(value)
            if max_bytes is not None and total > max_bytes and entries:
                break
            entries.append(LogEntry(position, time, value))
        rows.close()
        return entries

    async def tail(
        self, log: str, *, before: int | None = None, limit: int = 1000
    ) -> list[LogEntry]:
        rows = self._engine.execute(
            "SELECT position, time, value FROM log"
            " WHERE log = ? AND position < ? ORDER BY position DESC LIMIT ?",
            (self._engine.names.find(log), MAX_POSITION if before is None else before, limit),
        ).fetchall()
        return [LogEntry(*row) for row in rows]

    async def position_at(self, log: str, time: float) -> int:
        number = self._engine.names.find(log)
        first: int | None
        last: int
        first, last = self._engine.execute(
            "SELECT (SELECT min(position) FROM log WHERE log = ?),"
            " (SELECT max(position) FROM log WHERE log = ?)",
            (number, number),
        ).fetchall()[0]
        if first is None:
            return 0
        # Invariant: entries up to `low` are older than `time`, those from `high` on are not.
        low, high = first - 1, last + 1
        while high - low > 1:
            middle = (low + high) // 2
            position, stamped = self._engine.execute(
                "SELECT position, time FROM log WHERE log = ? AND position <= ?"
                " ORDER BY position DESC LIMIT 1",
                (number, middle),
            ).fetchall()[0]
            if stamped < time:
                low = middle
            else:
                high = position
        return low

    async def trim(self, log: str, *, before: float | None = None, limit: int | None = None) -> int:
        engine = self._engine
        engine.writing()
        number = engine.names.find(log)
        last = MAX_POSITION if before is None else await self.position_at(log, before)
        if limit is not None:
            beyond = engine.execute(
                "SELECT position FROM log WHERE log = ? AND position <= ?"
                " ORDER BY position LIMIT 1 OFFSET ?",
                (number, last, limit),
            ).fetchall()
            last = beyond[0][0] - 1 if beyond else last
        engine.execute("DELETE FROM log WHERE log = ? AND position <= ?", (number, last))
        return engine.db.changes()


def _remove(engine: Engine, number: int, first: int) -> None:
    engine.execute("DELETE FROM log WHERE log = ? AND position >= ?", (number, first))
