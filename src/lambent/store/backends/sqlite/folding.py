"""Folds the write-ahead log back into the database, when it has grown, on another thread.

SQLite does it at the end of a commit, unless it is told otherwise: 10 to 20 ms on a quick disk,
during which the event loop would stand still.
"""

from __future__ import annotations

from typing import Final

import apsw

PAGES: Final = 4000
"""How large the log grows before it is folded back (16 MiB). It costs two more syncs, which
matters on slow disks."""


class Folding:
    """Knows when a database's log is to be folded back, and does it."""

    __slots__ = ("_db", "_pages")

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._pages = 0
        db.set_wal_hook(self._grew)

    def _grew(self, db: apsw.Connection, name: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK

    @property
    def due(self) -> bool:
        """Whether it is time."""
        return self._pages >= PAGES

    def fold(self) -> None:
        """Do it, while nobody else uses the connection. What fails is tried again after the
        next commit: until then the log has it all."""
        self._pages = 0
        try:
            self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error:
            return
