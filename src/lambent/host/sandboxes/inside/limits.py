"""What an environment may use, as far as the process itself can say so."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterable

_FILES = 1024


def join(tasks: Iterable[str]) -> None:
    """Enter cgroups: each is given by the file that takes its members."""
    for path in tasks:
        with open(path, "w") as file:
            file.write("0")


def thaw(tasks: Iterable[str]) -> None:
    """Let frozen members of these cgroups go on: in version 1, the frozen do not even die."""
    for path in tasks:
        state = f"{os.path.dirname(path)}/freezer.state"
        with contextlib.suppress(OSError), open(state, "r+") as file:
            file.write("THAWED")


def apply(processes: int) -> None:
    """Set the limits that cannot be raised again without privileges."""
    for kind, limit in (
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_NOFILE, _FILES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 65536),
        (resource.RLIMIT_MSGQUEUE, 819200),
    ):
        _, most = resource.getrlimit(kind)
        limit = limit if most == resource.RLIM_INFINITY else min(limit, most)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit, limit))
