"""Sandboxes made ahead of the process that enters them: for environments of function zygotes.

A function zygote has run the function's code, so it is an environment like any other: without
privileges, and not trusted. What it forks must come into a sandbox of its own all the same.
So a program beside the base zygote makes an empty one, a shell (`make`), below the function
zygote's own namespaces, and hands its namespaces over; the fork enters them (`enter`). That
takes no privilege: whoever owns a user namespace and stands in its parent may enter it
(user_namespaces(7)), and only that program can make one. All the power that is in it by then
is over an empty sandbox, and the seccomp filter stays.

    maker (`maker`) ─forks─▶ in the function zygote's pid namespace: furnishes the mounts
                            └─forks─▶ founder: the namespaces, owned by the zygote's user
                                     └─forks─▶ first process of the pid namespace; stays

All are processes of the function's own user in the end, and more powerful than it: they let
nobody look into them.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

from . import firsts, kernel, limits, mounts, private_tmp
from .rooted import map_user

_KINDS = (
    # In the order in which they are entered: the first gives the right to enter the others.
    ("user", kernel.CLONE_NEWUSER),
    ("mnt", kernel.CLONE_NEWNS),
    ("ipc", kernel.CLONE_NEWIPC),
    ("uts", kernel.CLONE_NEWUTS),
    ("pid_for_children", kernel.CLONE_NEWPID),
)
_GROUPS = 8
"""Control groups that a process joins, at most."""


def make(
    launch: dict[str, Any],
    show: list[str],
    become: tuple[Callable[[int, int], None], int, int],
    owner: int,
    life: int,
    to_node: socket.socket,
    to_fork: socket.socket,
) -> None:
    """Make a shell, and hand it over; does not return.

    `become` turns a process into the user that the function zygote is outside, with all
    rights; `owner` is a pidfd of the zygote. The shell's first process ends when `life`, a
    pipe, does. The node gets a pidfd of it, by which it can end all.
    """
    # Whoever joins a group by itself needs no lock of the whole machine (milliseconds); by
    # whom the file was opened decides whether it may.
    groups = [os.open(mounts.HOST + path, os.O_WRONLY) for path in launch["tasks"]]
    kernel.unshare(kernel.CLONE_NEWNS)
    mounts.furnish(
        launch["code"], launch["layers"], launch["limits"]["ephemeral"], show, launch["address"]
    )
    founded, found = os.pipe()
    named, name = os.pipe()
    founder = os.fork()
    if founder == 0:
        os.close(name)
        try:
            change, *whom = become
            change(*whom)
            kernel.set_dumpable(False)
            _found(owner, found, named, life, groups, to_node, to_fork)
        except OSError as error:
            to_node.send(f"{error}".encode())
        os._exit(1)
    kernel.setns(owner, kernel.CLONE_NEWUSER)  # who names users must stand in the parent
    os.close(found)
    if os.read(founded, 1):
        try:
            map_user(mounts.USER, mounts.GROUP, founder)
            os.write(name, b"1")
        except OSError as error:
            to_node.send(f"{error}".encode())
    os._exit(0)


def _found(
    owner: int,
    found: int,
    named: int,
    life: int,
    groups: list[int],
    to_node: socket.socket,
    to_fork: socket.socket,
) -> None:
    """In the founder: the namespaces, and their first process."""
    kernel.setns(owner, kernel.CLONE_NEWUSER)
    kernel.unshare(
        kernel.CLONE_NEWUSER
        | kernel.CLONE_NEWNS
        | kernel.CLONE_NEWIPC
        | kernel.CLONE_NEWUTS
        | kernel.CLONE_NEWPID
    )
    os.write(found, b"1")
    os.close(found)
    if not os.read(named, 1):
        os._exit(1)
    kernel.sethostname("localhost")
    own = os.open("/proc/self/ns", os.O_PATH | os.O_DIRECTORY)
    ready, done = os.pipe()
    first = os.fork()
    if first == 0:
        kernel.mount("proc", "/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
        os.write(done, b"1")
        firsts.stay(life)
    os.close(done)
    if not os.read(ready, 1):
        raise OSError("its first process failed")
    pidfd = os.pidfd_open(first)
    namespaces = [os.open(name, os.O_RDONLY, dir_fd=own) for name, _ in _KINDS]
    socket.send_fds(to_node, [b"1"], [pidfd])
    socket.send_fds(to_fork, [b"1"], [*namespaces, *groups])
    os._exit(0)


def enter(shell: socket.socket) -> int:
    """In a fresh fork of the function zygote: enter the shell that comes by this socket.

    Returns the folder that was /tmp before, open. The pid namespace takes the children forked
    from now on. OSError when there is no shell.
    """
    before = os.open("/tmp", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)  # noqa: S108
    _, fds, _, _ = socket.recv_fds(shell, 1, len(_KINDS) + _GROUPS)
    if len(fds) < len(_KINDS):
        raise OSError("there is no sandbox for it")
    for fd in fds[len(_KINDS) :]:
        os.write(fd, b"0")
    for fd, (_, kind) in zip(fds, _KINDS, strict=False):
        kernel.setns(fd, kind)
    for fd in fds:
        os.close(fd)
    kernel.set_dumpable(True)
    return before


def settle(before: int, processes: int, filter_program: bytes) -> None:
    """In the environment's process: take over what the zygote has in /tmp, give up all
    power, and the right to enter anything else."""
    private_tmp.copy(before, "/tmp")  # noqa: S108 - its own
    os.close(before)
    limits.apply(processes)
    kernel.drop_capabilities()
    kernel.install_filter(filter_program)
    os.chdir(mounts.TASK)
