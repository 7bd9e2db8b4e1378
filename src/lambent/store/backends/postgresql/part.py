"""What the four parts of a transaction share."""

from __future__ import annotations

from lambent.store.backends.postgresql.overlay import Overlay


class Part:
    """A transaction's access to the shared state, and its time. It ends when the body does."""

    __slots__ = ("_state", "now")

    def __init__(self, state: Overlay) -> None:
        self._state = state
        self.now = state.now
