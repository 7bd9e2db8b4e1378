"""What a tree of processes uses: processor time and memory. Linux's /proc alone."""

from __future__ import annotations

import os
from pathlib import Path

_TICK = 1 / os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """The process and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        fields = _fields(stat)
        if fields:
            parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = [pid]
    for member in found:
        found.extend(parents.get(member, []))
    return found


def processor_seconds(pid: int) -> float:
    """What the tree's living processes, and those they have waited for, have used so far."""
    total = 0
    for member in tree(pid):
        fields = _fields(Path(f"/proc/{member}/stat"))
        total += sum(map(int, fields[11:15]))
    return total * _TICK


def memory(pid: int) -> float:
    """The tree's proportional set size in MB (millions of bytes): shared pages count once."""
    total = 0
    for member in tree(pid):
        try:
            text = Path(f"/proc/{member}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total * 1024 / 1e6


def _fields(stat: Path) -> list[str]:
    """The fields of a stat file from the state on; none when the process is gone."""
    try:
        return stat.read_text().rpartition(")")[2].split()
    except OSError:
        return []
