"""Events by name that a commit sets: what `work_arrived` and `log_grew` give."""

from __future__ import annotations

import asyncio
import weakref


class Wakeups:
    """One event for each name that is waited for; one that nobody holds is gone."""

    __slots__ = ("_events",)

    def __init__(self) -> None:
        self._events: weakref.WeakValueDictionary[str, asyncio.Event] = (
            weakref.WeakValueDictionary()
        )

    def event(self, name: str) -> asyncio.Event:
        """The event that the next `wake` of this name sets."""
        event = self._events.get(name)
        if event is None:
            event = self._events[name] = asyncio.Event()
        return event

    def wake(self, name: str) -> None:
        """Set the event of a name; who asks from now on gets a new one."""
        event = self._events.pop(name, None)
        if event is not None:
            event.set()

    def wake_all(self) -> None:
        """Set all events."""
        for name in list(self._events):
            self.wake(name)
