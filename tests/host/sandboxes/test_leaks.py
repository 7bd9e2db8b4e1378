"""What environments have of the machine is given back: groups, mounts, processes, folders."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.crash.killing import until
from tests.support.functions import packed
from tests.support.nodes import ProcessNode

from lambent.host.sandboxes.cgroups import find
from lambent.host.sandboxes.inside.rooted import host_user

ROLE = "arn:aws:iam::123456789012:role/lambda"
HANDLER = """
import subprocess
started = subprocess.Popen(["sleep", "1000"])

def handler(event, context):
    open("/tmp/file", "w").write("x" * 100_000)
    return event
"""
_FUNCTIONS = 4
_CALLS = 24


@dataclass(frozen=True)
class Traces:
    """What is there of a node's environments."""

    groups: list[str]
    processes: list[int]
    mounts: list[str]


def _traces(node_pid: int, data: Path) -> Traces:
    return Traces(
        sorted(str(group) for group in _groups(node_pid)),
        sorted(_processes(node_pid)),
        [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(data) in line],
    )


def _groups(node_pid: int) -> Iterator[Path]:
    _, parents = find(Path("/proc/self/cgroup").read_text(), Path("/proc/self/mounts").read_text())
    for parent in parents.values():
        for own in parent.glob(f"lambent-{node_pid}-*"):
            yield own
            yield from (each for each in own.iterdir() if each.is_dir())


def _processes(node_pid: int) -> Iterator[int]:
    """By the users that environments of this node are outside (`inside.rooted`)."""
    ranges = [host_user(node_pid * 16 + number, 0) for number in range(16)]
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            user = os.stat(f"/proc/{name}").st_uid
            status = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if status != "Z" and any(first <= user < first + 4096 for first in ranges):
            yield int(name)


@pytest.fixture
def busy(
    node_process: Callable[..., ProcessNode], connect: Callable[..., Any]
) -> tuple[ProcessNode, Any]:
    """A node with many environments, whose functions have started processes of their own."""
    if os.geteuid() != 0:
        pytest.skip("the environments of a rooted sandbox are told by their users")
    node = node_process()
    functions = connect(node.endpoint, "lambda")
    for number in range(_FUNCTIONS):
        functions.create_function(
            FunctionName=f"f{number}",
            Runtime="python3.11",
            Handler="app.handler",
            Role=ROLE,
            Timeout=60,
            Code={"ZipFile": packed({"app.py": HANDLER})},
        )
    with ThreadPoolExecutor(8) as pool:
        calls = [
            pool.submit(functions.invoke, FunctionName=name, Payload=b"1")
            for name, _ in itertools.product((f"f{n}" for n in range(_FUNCTIONS)), range(6))
        ]
        assert len(calls) == _CALLS
        assert all(call.result()["Payload"].read() == b"1" for call in calls)
    if not list(_processes(node.pid)):
        pytest.skip("functions are not isolated on this machine")
    return node, functions


def test_deleting_functions_gives_everything_back(busy: tuple[ProcessNode, Any]) -> None:
    node, functions = busy
    before = _traces(node.pid, node.data_dir)
    assert len(before.processes) >= 3 * _FUNCTIONS
    for number in range(_FUNCTIONS):
        functions.delete_function(FunctionName=f"f{number}")
    until(lambda: list(_processes(node.pid)), lambda left: left == [])
    after = _traces(node.pid, node.data_dir)
    own = [group for group in after.groups if group.count("lambent-") == 1]
    until(lambda: _environments(node.pid), lambda left: left == [])
    assert own and after.mounts == []
    assert list((node.data_dir / "cache" / "environments").iterdir()) == []


def _environments(node_pid: int) -> list[Path]:
    return [group for group in _groups(node_pid) if f"lambent-{node_pid}-" not in group.name]


def test_nothing_is_left_of_a_killed_node_once_the_next_one_is_up(
    busy: tuple[ProcessNode, Any],
) -> None:
    node, _ = busy
    killed = node.pid
    (node.data_dir / "cache" / "code" / "making-half").mkdir()
    node.kill()
    until(lambda: list(_processes(killed)), lambda left: left == [])
    node.start()
    assert _traces(killed, node.data_dir) == Traces([], [], [])
    cache = node.data_dir / "cache"
    assert list((cache / "environments").iterdir()) == []
    assert list(cache.glob("making-*")) + list((cache / "code").glob("making-*")) == []


def test_a_node_that_stops_leaves_nothing(busy: tuple[ProcessNode, Any]) -> None:
    node, _ = busy
    pid = node.pid
    node.stop()
    assert _traces(pid, node.data_dir) == Traces([], [], [])
