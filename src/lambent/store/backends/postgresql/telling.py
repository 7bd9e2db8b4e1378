"""What the other nodes are told of a commit, and when.

A notification wakes every node. So each queue and log is told of at once when it was quiet,
and at most once in `QUIET_SECONDS` while it is busy: what comes meanwhile is put off, and told
with a later commit, or in a transaction of its own when there is none. The own node hears of
every commit directly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from lambent.core.clock import Clock
from lambent.core.errors import StoreError
from lambent.store.backends.postgresql.overlay import Effect

QUIET_SECONDS: Final = 0.02
NOTICE_BYTES: Final = 7900
"""What one notification may carry (PostgreSQL's own limit is 8,000 bytes)."""
_LEAST_SECONDS: Final = 0.001
_REMEMBERED: Final = 1000


class Telling:
    """One node's. `tell` runs a transaction that tells what is due."""

    def __init__(self, tell: Callable[[], Awaitable[None]], clock: Clock) -> None:
        self._tell = tell
        self._clock = clock
        self._quiet_until: dict[str, float] = {}
        self._put_off: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    def due(self, news: set[str]) -> set[str]:
        """What a commit that brings these news should tell."""
        now = self._clock.monotonic()
        until = self._quiet_until
        return {line for line in news | self._put_off if self._closing or until.get(line, 0) <= now}

    def committed(self, news: set[str], told: set[str]) -> None:
        """A commit brought these news, and told so much."""
        now = self._clock.monotonic()
        until = self._quiet_until
        if len(until) > _REMEMBERED:
            for line in [line for line, end in until.items() if end <= now]:
                del until[line]
        for line in told:
            until[line] = now + QUIET_SECONDS
        self._put_off |= news
        self._put_off -= told
        if self._put_off and self._task is None and not self._closing:
            self._task = asyncio.get_running_loop().create_task(self._tell_later())

    async def close(self) -> None:
        """Tell what was put off."""
        self._closing = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._put_off:
            await self._try()

    async def _tell_later(self) -> None:
        while self._put_off:
            soonest = min(self._quiet_until.get(line, 0) for line in self._put_off)
            await self._clock.sleep(max(soonest - self._clock.monotonic(), _LEAST_SECONDS))
            if self.due(set()):
                await self._try()
        self._task = None

    async def _try(self) -> None:
        try:
            await self._tell()
        except StoreError:
            # Those who listen lost their connections too, and look when they are back.
            self._put_off.clear()


def news_of(effects: Iterable[tuple[Effect, str]]) -> set[str]:
    """A line for each queue and log of these effects."""
    return {
        effect.value + name for effect, name in effects if effect in (Effect.ARRIVED, Effect.GREW)
    }


def notifications(news: Iterable[str]) -> list[str]:
    """These lines in few messages."""
    messages: list[str] = []
    size = NOTICE_BYTES
    for line in sorted(news):
        length = len(line.encode()) + 1
        if size + length > NOTICE_BYTES:
            messages.append(line)
            size = length
        else:
            messages[-1] += "\n" + line
            size += length
    return messages
