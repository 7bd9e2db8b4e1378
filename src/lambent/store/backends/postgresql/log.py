"""Logs: one table in order of log and position.

Positions come from the store's one sequence, which a transaction holds until it has
committed: so nobody ever sees a later position before an earlier one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lambent.store.backends.postgresql.overlay import Effect
from lambent.store.backends.postgresql.part import Part
from lambent.store.contract import LogEntry


class Logs(Part):
    """The logs of a transaction."""

    __slots__ = ()

    async def append(self, log: str, values: Sequence[bytes]) -> list[int]:
        if not values:
            return []
        state = self._state
        await state.writing()
        number = await state.numbered(log)
        first = state.take(len(values))
        entries = state.logs.setdefault(number, {})
        for position, value in enumerate(values, first):
            state.set(entries, position, value)
        state.effects.append((Effect.GREW, log))
        return list(range(first, first + len(values)))

    async def read(
        self, log: str, *, after: int = 0, limit: int = 1000, max_bytes: int | None = None
    ) -> list[LogEntry]:
        found: list[LogEntry] = await self._over_log(log, "read", [], after, limit, max_bytes)
        return found

    async def tail(
        self, log: str, *, before: int | None = None, limit: int = 1000
    ) -> list[LogEntry]:
        found: list[LogEntry] = await self._over_log(log, "tail", [], before, limit)
        return found

    async def position_at(self, log: str, time: float) -> int:
        position: int = await self._over_log(log, "position_at", 0, time)
        return position

    async def trim(self, log: str, *, before: float | None = None, limit: int | None = None) -> int:
        state = self._state
        await state.writing()
        if not await self._over_log(log, "old", False, before):
            return 0
        await state.writing_alone()
        trimmed: int = await self._over_log(log, "trim", 0, before, limit)
        return trimmed

    async def _over_log(self, log: str, kind: str, unknown: Any, *arguments: Any) -> Any:
        state = self._state
        number = await state.find(log)
        if number is None:
            return unknown
        await state.clean(state.logs, number)
        return await state.ask((kind, number, *arguments))
