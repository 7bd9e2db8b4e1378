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


class Jobs:
    """Longer work, each with an id: what one node has begun, or found unfinished."""

    def __init__(self, clock: Clock) -> None:
        self._background = Background(clock)
        self._under_way: set[str] = set()
        self._started = False

    def start(self) -> None:
        """Take up what an earlier run left."""
        self._started = True
        self._background.begin(self._take_up)

    async def stop(self) -> None:
        """Leave what is unfinished to the next start, or to another node."""
        self._started = False
        await self._background.stop()

    def members_changed(self) -> None:
        """Another node came or went, perhaps in the middle of a job."""
        if self._started:
            self._background.begin(self._take_up)

    def _begin(self, id: str, work: Work) -> None:
        """Do a job, unless it is being done here."""
        if id not in self._under_way:
            self._under_way.add(id)
            task = self._background.begin(work)
            task.add_done_callback(lambda done: self._under_way.discard(id))

    async def _take_up(self) -> None:
        """Begin every job that the store has as unfinished."""
        raise NotImplementedError
