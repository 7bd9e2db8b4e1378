"""Version 2 of control groups: most of it against a folder that looks like one, where a test
makes the files that the kernel would; and against the kernel's own hierarchy, which many machines
have beside version 1, what it does there without the controllers that version 1 holds.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambent.host.sandboxes import cgroups
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


@pytest.fixture
def hierarchy() -> Path:
    """The kernel's own, if we may make groups in it."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split(" ")
        if kind == "cgroup2" and os.access(place, os.W_OK) and os.geteuid() == 0:
            return Path(place)
    pytest.skip("there is no hierarchy of version 2 to make groups in")


@pytest.fixture
def own(hierarchy: Path) -> Iterator[Path]:
    """A group in it."""
    folder = hierarchy / f"lambent-test-{os.getpid()}"
    folder.mkdir()
    yield folder
    for each in sorted(folder.rglob("*"), reverse=True):
        if each.is_dir():
            each.rmdir()
    folder.rmdir()


@pytest.fixture
def member(own: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that went into the group as an environment does, and then answers each line."""
    enter = f"echo 0 > {own}/cgroup.procs && echo in && exec cat"
    process = subprocess.Popen(
        ["/bin/sh", "-c", enter], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None and process.stdin is not None
    assert process.stdout.readline() == b"in\n"
    yield process
    process.stdin.close()
    process.stdout.close()
    process.wait()


def _entry(file: Path, key: str) -> str:
    return dict(line.split() for line in file.read_text().splitlines())[key]


def test_the_kernel_freezes_a_group_and_thaws_it(
    own: Path, member: subprocess.Popen[bytes]
) -> None:
    group = Group(2, {"memory": own})
    assert group.tasks == [f"{own}/cgroup.procs"]
    assert (own / "cgroup.procs").read_text().split() == [str(member.pid)]
    assert member.stdin is not None and member.stdout is not None
    group.freeze(True)
    while _entry(own / "cgroup.events", "frozen") != "1":
        os.sched_yield()
    member.stdin.write(b"hello\n")
    member.stdin.flush()
    assert _entry(own / "cgroup.events", "frozen") == "1"
    group.freeze(False)
    assert member.stdout.readline() == b"hello\n"


def test_a_node_alone_in_its_group_moves_aside_so_that_groups_below_have_controllers(
    hierarchy: Path,
    own: Path,
    member: subprocess.Popen[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    offered = (hierarchy / "cgroup.controllers").read_text().split()
    if not offered:
        pytest.skip("version 1 holds all controllers")
    controller = offered[0]
    monkeypatch.setattr(cgroups, "_CONTROLLERS", (controller,))
    switch = hierarchy / "cgroup.subtree_control"
    was = controller in switch.read_text().split()
    switch.write_text(f"+{controller}")
    try:
        below = cgroups._own_folder(2, own, member.pid)
        assert (own / "cgroup.procs").read_text() == ""
        assert (own / "lambent-node" / "cgroup.procs").read_text().split() == [str(member.pid)]
        environment = below / "one"
        environment.mkdir()
        assert controller in (environment / "cgroup.controllers").read_text().split()
        assert list(environment.glob(f"{controller}.*"))
        environment.rmdir()
        below.rmdir()
    finally:
        member.kill()
        member.wait()
        if not was:
            for folder in (own / "lambent-node", own):
                (folder / "cgroup.subtree_control").write_text(f"-{controller}")
            switch.write_text(f"-{controller}")
