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
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from lambent.host.sandboxes.cgroups import MIB, Group

INTERVAL = 0.1
"""Seconds between two looks."""
_RESIDENT = re.compile(rb"RssAnon:\s+(\d+) kB")
_SHARE = re.compile(rb"Pss_Anon:\s+(\d+) kB")


class Meter:
    """One environment's use of memory."""

    def __init__(self, pid: int, memory: int, group: Group | None) -> None:
        self.pid = pid
        self._limit = memory * MIB
        self._group = group

    def over(self, apart: Collection[int]) -> bool:
        """Whether it uses more than it has; False when it is gone. Its descendants count,
        but for those in `apart`, which are environments of their own."""
        try:
            if self._group is None:
                # Forked processes share pages, which is slower to find out.
                return self._total("status", _RESIDENT, apart) > self._limit and (
                    self._total("smaps_rollup", _SHARE, apart) > self._limit
                )
            return self._group.used() > self._limit and self._group.anonymous() > self._limit
        except OSError:
            return False

    def _total(self, name: str, pattern: re.Pattern[bytes], apart: Collection[int]) -> int:
        """Bytes of anonymous memory of the process and those it started."""
        total = 0
        for pid in family(self.pid, apart):
            with contextlib.suppress(OSError):
                match = pattern.search(Path(f"/proc/{pid}/{name}").read_bytes())
                total += int(match[1]) * 1024 if match else 0
        return total


def family(pid: int, apart: Collection[int] = ()) -> Iterator[int]:
    """A process and all its descendants, as far as their parents are still there; without
    those in `apart` and theirs."""
    yield pid
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split():
                if int(child) not in apart:
                    yield from family(int(child), apart)


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
        apart = {meter.pid for meter in self._watched}
        for meter, end in list(self._watched.items()):
            if meter.over(apart):
                del self._watched[meter]
                end()
        if self._watched:
            self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._look)
