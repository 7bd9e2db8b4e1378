"""Folders for as long as a process lives, that do not outlast it for long when it is killed.

Each is held by a lock that ends with its process, however that ends; the next process that
takes one of the same kind removes those which nobody holds.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

_HELD = "held"
_CONTENT = "content"


class TemporaryFolder:
    """A new folder of this process's own, at `path`; `kind` begins its name."""

    def __init__(self, kind: str) -> None:
        within = Path(tempfile.gettempdir())
        _sweep(within, kind)
        # Under a name that is not swept until it is held.
        made = Path(tempfile.mkdtemp(prefix="lambent-making-", dir=within))
        self._lock = os.open(made / _HELD, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        (made / _CONTENT).mkdir(mode=0o700)
        self._whole = within / f"{kind}{made.name.removeprefix('lambent-making-')}"
        made.rename(self._whole)
        self.path = self._whole / _CONTENT

    def release(self) -> None:
        """Remove it."""
        shutil.rmtree(self._whole, ignore_errors=True)
        os.close(self._lock)


def _sweep(within: Path, kind: str) -> None:
    for folder in within.glob(f"{kind}*"):
        with contextlib.suppress(OSError):
            lock = os.open(folder / _HELD, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
