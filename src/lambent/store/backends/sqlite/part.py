"""What the four parts of a transaction share."""

from __future__ import annotations

from lambent.store.backends.sqlite.engine import Engine


class Part:
    """A transaction's access to the engine, and its time. It ends when the body does."""

    __slots__ = ("_engine", "now")

    def __init__(self, engine: Engine, now: float) -> None:
        self._engine = engine
        self.now = now
