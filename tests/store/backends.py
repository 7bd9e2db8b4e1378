"""The backends under test. A new backend is one more entry in `BACKENDS`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from lambent.core.clock import Clock
from lambent.core.ids import Ids
from lambent.store.backends.sqlite import open_sqlite
from lambent.store.contract import Store


@dataclass(frozen=True)
class Backend:
    """How to open a store in a folder of its own.

    `virtual_time` is whether the store takes its time from the clock it is given; the tests
    that drive time need that.
    """

    name: str
    open: Callable[[Path, Clock, Ids], Awaitable[Store]]
    virtual_time: bool


async def _in_memory(folder: Path, clock: Clock, ids: Ids) -> Store:
    return await open_sqlite(None, clock, ids)


BACKENDS = (
    Backend("sqlite", open_sqlite, virtual_time=True),
    Backend("sqlite-memory", _in_memory, virtual_time=True),
)
