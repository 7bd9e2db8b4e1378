"""Time, injected. The only module that may read the system clock or sleep.

`SystemClock` is real time. `VirtualClock` stands still until it is advanced, so a
fourteen-day retention is tested in microseconds.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from typing import Protocol


class Clock(Protocol):
    """What Lambent asks of time. All durations and instants are in seconds."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never going back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; at once (but after a switch) when zero or negative."""
        ...

    async def wait(self, event: asyncio.Event, timeout: float | None) -> bool:
        """Wait until `event` is set; False when `timeout` seconds passed first."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        return time.time()  # noqa: TID251 - this module owns the system clock

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never going back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        await asyncio.sleep(max(seconds, 0.0))  # noqa: TID251

    async def wait(self, event: asyncio.Event, timeout: float | None) -> bool:
        """Wait until `event` is set; False when `timeout` seconds passed first."""
        if event.is_set():
            return True
        if timeout is None:
            await event.wait()
            return True
        if timeout <= 0:
            return False
        alarm = _Alarm(timeout)
        try:
            await event.wait()
        except asyncio.CancelledError:
            if not alarm.was_mine():
                raise
            return event.is_set()
        finally:
            alarm.off()
        return True


class _Alarm:
    """Cancels the task that makes it after some seconds: `asyncio.timeout` at half its cost,
    which counts where each request waits for something."""

    __slots__ = ("_handle", "_rang", "_task")

    def __init__(self, seconds: float) -> None:
        task = asyncio.current_task()
        assert task is not None, "waiting with a timeout is for tasks"
        self._task = task
        self._rang = False
        self._handle = asyncio.get_running_loop().call_later(seconds, self._ring)

    def _ring(self) -> None:
        self._rang = True
        self._task.cancel()

    def was_mine(self) -> bool:
        """Whether the cancellation that just came is the alarm's, and nobody else's too."""
        return self._rang and self._task.uncancel() <= 0

    def off(self) -> None:
        """It does not ring any more."""
        self._handle.cancel()


class VirtualClock:
    """A clock that moves only when told to; sleepers wake in due order.

    `advance` lets every task that became ready run before time goes on, so the
    order of events depends on due times alone.
    """

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._now = start
        self._start = start
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> float:
        """Seconds since the epoch, as last advanced."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since this clock was made."""
        return self._now - self._start

    async def sleep(self, seconds: float) -> None:
        """Return once the clock was advanced by `seconds`."""
        if seconds <= 0:
            await asyncio.sleep(0)  # noqa: TID251
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), future))
        await future

    async def wait(self, event: asyncio.Event, timeout: float | None) -> bool:
        """Wait until `event` is set; False when `timeout` virtual seconds passed first."""
        if event.is_set():
            return True
        if timeout is None:
            await event.wait()
            return True
        if timeout <= 0:
            return False
        sleeper = asyncio.ensure_future(self.sleep(timeout))
        waiter = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait({sleeper, waiter}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
            waiter.cancel()
        return event.is_set()

    def next_due(self) -> float | None:
        """When the next sleeper wakes, in seconds since the epoch; None without one."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    async def advance(self, seconds: float) -> None:
        """Move time on by `seconds`, waking each sleeper at its own instant."""
        target = self._now + seconds
        await self._settle()
        while (due := self.next_due()) is not None and due <= target:
            self._now = max(self._now, due)
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)
            await self._settle()
        self._now = target
        await self._settle()

    async def jump(self, seconds: float) -> None:
        """Move time on by `seconds` at once: who slept meanwhile wakes late, and once, as when a
        machine was suspended."""
        self._now += seconds
        await self.advance(0.0)

    async def _settle(self) -> None:
        # A few turns of the loop let chains of ready callbacks finish; a chain of several
        # commits, each two turns long, is the longest.
        for _ in range(60):
            await asyncio.sleep(0)  # noqa: TID251
