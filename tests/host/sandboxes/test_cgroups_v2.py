"""Version 2 of control groups, against a folder that looks like one.

The kernel makes the files of a group when its folder is made; here a test does. What the
kernel does with what is written into them is not shown by this.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from lambent.host.sandboxes.cgroups import MIB, Cgroups, Group, find, open_cgroups
from lambent.host.sandboxes.contract import Limits

GROUPS = "0::/system.slice/lambent.service\n"


@pytest.fixture
def unified(tmp_path: Path) -> Path:
    """The node's own group, with memory and cpu to give away."""
    own = tmp_path / "system.slice" / "lambent.service"
    own.mkdir(parents=True)
    (own / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    (own / "cgroup.subtree_control").write_text("")
    (own / "cgroup.procs").write_text("4711\n")
    return own


def _mounts(tmp_path: Path) -> str:
    return f"proc /proc proc rw 0 0\ncgroup2 {tmp_path} cgroup2 rw,nsdelegate 0 0\n"


def test_the_nodes_own_group_is_found_with_the_controllers_that_it_has(
    unified: Path, tmp_path: Path
) -> None:
    version, folders = find(GROUPS, _mounts(tmp_path))
    assert version == 2
    assert folders == {"memory": unified, "cpu": unified}
    (unified / "cgroup.controllers").write_text("cpu io\n")
    assert find(GROUPS, _mounts(tmp_path)) == (2, {})


def test_memory_in_version_1_comes_before_version_2(unified: Path, tmp_path: Path) -> None:
    old = tmp_path / "memory"
    old.mkdir()
    mounts = _mounts(tmp_path) + f"cgroup {old} cgroup rw,memory 0 0\n"
    assert find(GROUPS + "4:memory:/\n", mounts) == (1, {"memory": old})


def test_what_a_group_below_lacks_is_no_group(unified: Path, tmp_path: Path) -> None:
    # No kernel makes the files of the folder below, so the node does without groups.
    assert open_cgroups(GROUPS, _mounts(tmp_path), 4711) is None
    assert (unified / "cgroup.subtree_control").read_text().split() == ["+memory", "+cpu"]


@pytest.mark.parametrize(
    ("memory", "ephemeral", "weight"), [(128, 512, "7"), (1769, 512, "100"), (10240, 1024, "578")]
)
def test_limits_are_written_as_version_2_has_them(
    tmp_path: Path, memory: int, ephemeral: int, weight: str
) -> None:
    group = Cgroups(2, {"memory": tmp_path, "cpu": tmp_path}).make("one", Limits(memory, ephemeral))
    own = tmp_path / "one"
    assert (own / "memory.max").read_text() == str((memory + ephemeral) * MIB)
    assert (own / "memory.swap.max").read_text() == "0"
    assert (own / "cpu.weight").read_text() == weight
    assert group.tasks == [str(own / "cgroup.procs")]


def test_a_group_tells_what_it_uses_and_is_frozen_by_its_own_file(tmp_path: Path) -> None:
    group = Group(2, {"memory": tmp_path, "cpu": tmp_path})
    (tmp_path / "memory.current").write_text("3000000\n")
    (tmp_path / "memory.stat").write_text("anon 2000000\nfile 1000000\n")
    (tmp_path / "memory.events").write_text("low 0\noom 1\noom_kill 0\n")
    assert (group.used(), group.anonymous(), group.killed()) == (3_000_000, 2_000_000, False)
    (tmp_path / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")
    assert group.killed()
    assert group.freezes
    group.freeze(True)
    assert (tmp_path / "cgroup.freeze").read_text() == "1"
    group.freeze(False)
    assert (tmp_path / "cgroup.freeze").read_text() == "0"
