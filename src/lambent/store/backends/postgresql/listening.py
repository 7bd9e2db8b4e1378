"""Hears from the other nodes what their commits wake, by LISTEN on a connection of its own.

Notifications that came while the connection was cut are lost. So whenever it is made anew,
and once in `SAFETY_SECONDS` besides, everyone who waits is woken to look again; that also
finds out when the connection is dead without having been closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import asyncpg

from lambent.core.clock import SystemClock
from lambent.store.backends.postgresql.connecting import Connection, Target, connect

SAFETY_SECONDS: Final = 20.0
AGAIN_SECONDS: Final = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Pauses between attempts to connect."""
_LOST: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


class Listener:
    """`heard` is called with a notification's text and the sender's process id, `missed`
    when some may have been lost."""

    def __init__(
        self,
        to: Target,
        channel: str,
        heard: Callable[[str, int], None],
        missed: Callable[[], None],
    ) -> None:
        self._to = to
        self._channel = channel
        self._heard = heard
        self._missed = missed
        self._clock = SystemClock()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return once it listens."""
        listening = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run(listening))
        await listening.wait()

    async def close(self) -> None:
        """Hang up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, listening: asyncio.Event) -> None:
        failures = 0
        while True:
            try:
                connection = await connect(self._to)
                try:
                    failures = 0
                    await self._listen(connection, listening)
                finally:
                    connection.terminate()
            except _LOST:
                await self._clock.sleep(AGAIN_SECONDS[min(failures, len(AGAIN_SECONDS) - 1)])
                failures += 1

    async def _listen(self, connection: Connection, listening: asyncio.Event) -> None:
        """Listen until the connection is lost."""
        closed = asyncio.Event()
        connection.add_termination_listener(lambda _: closed.set())

        def hear(_: object, pid: int, channel: str, payload: object) -> None:
            self._heard(str(payload), pid)

        await connection.add_listener(self._channel, hear)
        self._missed()
        listening.set()
        while not await self._clock.wait(closed, SAFETY_SECONDS):
            await connection.execute("SELECT 1", timeout=SAFETY_SECONDS)
            self._missed()
