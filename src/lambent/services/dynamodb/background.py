"""Work behind the requests that is done once, and taken up again after whatever fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from lambent.core.clock import Clock
from lambent.core.errors import StoreError

_RETRY_SECONDS = 5.0
_log = logging.getLogger("lambent.dynamodb")

Work = Callable[[], Awaitable[object]]


class Background:
    """The tasks of one node. What a stop cuts off is taken up by the next start."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tasks: set[asyncio.Task[Any]] = set()

    def begin(self, work: Work) -> asyncio.Task[None]:
        """Do something once; when the store cannot, try again later."""
        task = asyncio.get_running_loop().create_task(self._until_done(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def stop(self) -> None:
        """Cut off what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _until_done(self, work: Work) -> None:
        while True:
            try:
                await work()
            except StoreError as error:
                _log.warning("background work of DynamoDB is put off: %s", error)
                await self._clock.sleep(_RETRY_SECONDS)
                continue
            except Exception:
                _log.exception("background work of DynamoDB failed")
            return
