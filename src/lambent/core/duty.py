"""What a node does behind the requests: a step, again and again, whatever fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from lambent.core.clock import Clock
from lambent.core.errors import StoreError

_log = logging.getLogger("lambent.duties")

Step = Callable[[], Awaitable[float | None]]
"""Does a part of the duty. Gives the seconds until the next step is due (0 or less: at once);
None: there is nothing to do until the duty is woken."""


class Duty:
    """Takes steps from `start` to `stop`, one after the other.

    `name` is what the log calls it ("dropping old messages"). The first step is taken `first`
    seconds after the start. `woken_by` gives the event that brings the next step forward; it is
    asked before each step, so that nothing that comes meanwhile is missed. After a step that
    failed the next one comes within `retry` seconds.
    """

    def __init__(
        self,
        clock: Clock,
        name: str,
        step: Step,
        *,
        retry: float,
        first: float = 0.0,
        woken_by: Callable[[], asyncio.Event] = asyncio.Event,
    ) -> None:
        self._clock = clock
        self._name = name
        self._step = step
        self._retry = retry
        self._first = first
        self._woken_by = woken_by
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._running = asyncio.get_running_loop().create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """Cut off the step that is being taken, and take no more."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self) -> None:
        if self._first > 0:
            await self._clock.sleep(self._first)
        while True:
            woken = self._woken_by()
            try:
                again = await self._step()
            except StoreError as error:
                _log.warning("%s is put off: %s", self._name, error)
                again = self._retry
            except Exception:
                _log.exception("%s failed", self._name)
                again = self._retry
            if again is None or again > 0:
                await self._clock.wait(woken, again)
