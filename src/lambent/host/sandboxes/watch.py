"""Watching what environments use: whoever uses more memory than it has is ended.

Control groups stop at a wall that includes /tmp; this finds who went past its own memory, and
is all there is where the machine gives the node no control groups. It watches real processes,
so it runs by the machine's time whatever the node's clock says.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from lambent.host.sandboxes.cgroups import MIB, Group

INTERVAL = 0.1
"""Seconds between two looks."""
_ANONYMOUS = re.compile(rb"RssAnon:\s+(\d+) kB")


class Meter:
    """One environment's use of memory."""

    def __init__(self, pid: int, memory: int, group: Group | None) -> None:
        self._pid = pid
        self._limit = memory * MIB
        self._group = group
        # What it shares with the zygote that it came from is not its own.
        self._shared = 0 if group is not None else self._resident()

    def over(self) -> bool:
        """Whether it uses more than it has; False when it is gone."""
        try:
            if self._group is None:
                return self._resident() - self._shared > self._limit
            return self._group.used() > self._limit and self._group.anonymous() > self._limit
        except OSError:
            return False

    def _resident(self) -> int:
        """Bytes that the process and those it started have for themselves."""
        total = 0
        for pid in family(self._pid):
            with contextlib.suppress(OSError):
                match = _ANONYMOUS.search(Path(f"/proc/{pid}/status").read_bytes())
                total += int(match[1]) * 1024 if match else 0
        return total


def family(pid: int) -> Iterator[int]:
    """A process and all its descendants, as far as their parents are still there."""
    yield pid
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split():
                yield from family(int(child))


class Watcher:
    """Looks at all environments at intervals, while there are any."""

    def __init__(self) -> None:
        self._watched: dict[Meter, Callable[[], None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, meter: Meter, end: Callable[[], None]) -> None:
        """Call `end` once when this environment uses too much."""
        self._watched[meter] = end
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._look)

    def remove(self, meter: Meter) -> None:
        """It is gone."""
        self._watched.pop(meter, None)
        if not self._watched and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        for meter, end in list(self._watched.items()):
            if meter.over():
                del self._watched[meter]
                end()
        if self._watched:
            self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._look)
