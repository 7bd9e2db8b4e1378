"""Control groups, version 1 or 2: an environment's wall of memory and its share of the CPU.

Each environment has a group in a folder of the node's own below the node's own group. The
wall lies at memory plus /tmp, since pages of a tmpfs count too; what the function itself
uses is watched (see `watch`). CPU shares are in proportion to memory, 1,769 MB being one
vCPU's (Lambda Developer Guide, "Configure Lambda function memory"); they matter when the
machine is busy, and an idle machine is all the function's.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lambent.host.sandboxes.contract import Limits

MIB = 1 << 20
_VCPU = 1769
_PREFIX = "lambent-"
_CONTROLLERS = ("memory", "cpu", "freezer")
_node_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Group:
    """One environment's group."""

    version: int
    folders: Mapping[str, Path]

    @property
    def tasks(self) -> list[str]:
        """The files that take members; a member enters by writing 0."""
        # Version 1's `tasks` moves the writing thread without the lock that makes
        # `cgroup.procs` take milliseconds.
        name = "tasks" if self.version == 1 else "cgroup.procs"
        return [str(folder / name) for folder in dict.fromkeys(self.folders.values())]

    def used(self) -> int:
        """Bytes of everything: anonymous memory, /tmp, files read."""
        name = "memory.usage_in_bytes" if self.version == 1 else "memory.current"
        return int((self.folders["memory"] / name).read_text())

    def anonymous(self) -> int:
        """Bytes that processes have for themselves."""
        key = "total_rss" if self.version == 1 else "anon"
        return _entry(self.folders["memory"] / "memory.stat", key)

    def killed(self) -> bool:
        """Whether the kernel ended a process at the wall."""
        name = "memory.oom_control" if self.version == 1 else "memory.events"
        try:
            return _entry(self.folders["memory"] / name, "oom_kill") > 0
        except OSError:
            return False

    @property
    def freezes(self) -> bool:
        """Whether it can be frozen: version 2 always can, 1 by a controller of its own."""
        return self.version == 2 or "freezer" in self.folders

    def freeze(self, frozen: bool) -> None:
        """Stop all its processes where they are, or let them go on. Nothing when it is gone."""
        if self.version == 2:
            file, text = self.folders["memory"] / "cgroup.freeze", b"1" if frozen else b"0"
        else:
            file = self.folders["freezer"] / "freezer.state"
            text = b"FROZEN" if frozen else b"THAWED"
        with contextlib.suppress(OSError):
            file.write_bytes(text)

    def remove(self) -> None:
        """Give the empty group back."""
        for folder in dict.fromkeys(self.folders.values()):
            with contextlib.suppress(OSError):
                folder.rmdir()


class Cgroups:
    """The node's own folder of groups."""

    def __init__(self, version: int, folders: Mapping[str, Path]) -> None:
        self.version = version
        self._folders = folders

    @property
    def freezes(self) -> bool:
        """Whether its groups can be frozen: version 2 always can, 1 by a controller for it."""
        return self.version == 2 or "freezer" in self._folders

    def make(self, name: str, limits: Limits) -> Group:
        """A group with its limits. OSError when the kernel refuses."""
        folders = {controller: folder / name for controller, folder in self._folders.items()}
        for folder in dict.fromkeys(folders.values()):
            folder.mkdir(exist_ok=True)
        wall = str((limits.memory + limits.ephemeral) * MIB)
        if self.version == 1:
            (folders["memory"] / "memory.limit_in_bytes").write_text(wall)
            with contextlib.suppress(OSError):
                (folders["memory"] / "memory.memsw.limit_in_bytes").write_text(wall)
            if "cpu" in folders:
                shares = max(1024 * limits.memory // _VCPU, 2)
                (folders["cpu"] / "cpu.shares").write_text(str(shares))
        else:
            (folders["memory"] / "memory.max").write_text(wall)
            with contextlib.suppress(OSError):
                (folders["memory"] / "memory.swap.max").write_text("0")
            if "cpu" in folders:
                weight = min(max(100 * limits.memory // _VCPU, 1), 10_000)
                (folders["cpu"] / "cpu.weight").write_text(str(weight))
        return Group(self.version, folders)

    def close(self) -> None:
        """Remove the node's folder, and groups that were left in it."""
        for folder in dict.fromkeys(self._folders.values()):
            _clear(folder)


def open_cgroups(
    groups: str | None = None, mounts: str | None = None, pid: int | None = None
) -> Cgroups | None:
    """The node's folder of groups; None where there are none for it to use.

    Groups that nodes left which are gone are removed. `groups` and `mounts` are the texts of
    /proc/self/cgroup and /proc/self/mounts.
    """
    if groups is None:
        groups = Path("/proc/self/cgroup").read_text()
    if mounts is None:
        mounts = Path("/proc/self/mounts").read_text()
    pid = os.getpid() if pid is None else pid
    version, parents = find(groups, mounts)
    made: dict[str, Path] = {}
    for controller, parent in parents.items():
        try:
            _sweep(parent)
            made[controller] = _own_folder(version, parent, pid)
        except OSError:
            if controller == "memory":
                break
    if "memory" not in made:
        for folder in made.values():
            _clear(folder)
        return None
    return Cgroups(version, made)


def find(groups: str, mounts: str) -> tuple[int, dict[str, Path]]:
    """The version to use and, by controller, the node's own group's folder: memory's at
    least, or nothing."""
    own: dict[str, str] = {}
    for line in groups.splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            own[name] = path
    found: dict[str, Path] = {}
    unified: Path | None = None
    for line in mounts.splitlines():
        _, place, kind, options = line.split(" ")[:4]
        if kind == "cgroup":
            for name in _CONTROLLERS:
                if name in options.split(",") and name in own:
                    found[name] = _group_folder(place, own[name])
        elif kind == "cgroup2" and "" in own:
            unified = _group_folder(place, own[""])
    if "memory" in found:
        return 1, found
    if unified is None:
        return 2, {}
    with contextlib.suppress(OSError):
        offered = (unified / "cgroup.controllers").read_text().split()
        if "memory" in offered:
            return 2, {name: unified for name in _CONTROLLERS if name in offered}
    return 2, {}


def _group_folder(place: str, path: str) -> Path:
    """A container sees its own group as the root, whatever it is called outside."""
    folder = Path(place + path)
    return folder if folder.is_dir() else Path(place)


def _own_folder(version: int, parent: Path, pid: int) -> Path:
    if version == 2:
        _offer(parent, pid)
    # A process may hold several nodes; one that closes must leave the others' groups alone.
    folder = parent / f"{_PREFIX}{pid}-{next(_node_numbers)}"
    folder.mkdir(exist_ok=True)
    if version == 2:
        _switch_on(folder)
    else:
        with contextlib.suppress(OSError):
            # One environment weighs as much as its memory says, not as their sum.
            (folder / "cpu.shares").write_text(str(1024 * (os.cpu_count() or 1)))
    return folder


def _offer(parent: Path, pid: int) -> None:
    """Let groups below the node's own have controllers. A group with members cannot, so a
    node that is alone in its group moves into one below."""
    try:
        _switch_on(parent)
    except OSError as error:
        members = (parent / "cgroup.procs").read_text().split()
        if error.errno != errno.EBUSY or members != [str(pid)]:
            raise
        aside = parent / f"{_PREFIX}node"
        aside.mkdir(exist_ok=True)
        (aside / "cgroup.procs").write_text(str(pid))
        _switch_on(parent)


def _switch_on(folder: Path) -> None:
    offered = (folder / "cgroup.controllers").read_text().split()
    wanted = " ".join(f"+{name}" for name in _CONTROLLERS if name in offered)
    (folder / "cgroup.subtree_control").write_text(wanted)


def _sweep(parent: Path) -> None:
    """Remove what nodes left that were killed."""
    for folder in parent.glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            _clear(folder)


def _clear(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for child in folder.iterdir():
            if child.is_dir():
                with contextlib.suppress(OSError):
                    child.rmdir()
                with contextlib.suppress(OSError):
                    # Someone frozen is in it still, who could not even die.
                    (child / "freezer.state").write_bytes(b"THAWED")
        folder.rmdir()


def _entry(file: Path, key: str) -> int:
    for line in file.read_text().splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return int(value)
    return 0
