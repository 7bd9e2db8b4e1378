"""Where tests write: in memory where the machine has room, since they sync tens of thousands of
times and a disk takes milliseconds for each. A kill is no different there; `tests/crash` stays
on the disk nevertheless, where commits wait for one.

`PYTEST_DEBUG_TEMPROOT` is pytest's own variable for the place of `tmp_path`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

VARIABLE = "PYTEST_DEBUG_TEMPROOT"
_MEMORY = Path("/dev/shm")
_ROOM = 4 << 30
"""Bytes; a run of all tests keeps some hundred millions."""


def choose() -> None:
    """Decide it, for this process and those that it starts."""
    if VARIABLE not in os.environ and os.access(_MEMORY, os.W_OK):
        found = os.statvfs(_MEMORY)
        executable = not found.f_flag & os.ST_NOEXEC
        if executable and shutil.disk_usage(_MEMORY).free >= _ROOM:
            os.environ[VARIABLE] = str(_MEMORY)


def chosen() -> str:
    """The folder in which temporary folders are to be made."""
    return os.environ.get(VARIABLE) or tempfile.gettempdir()
