"""The first process of an environment's pid namespace: it does nothing but end when it should,
and take all others with it.

What is forked has a copy of whatever its parent changes afterwards. So where the zygote is
large, it has a small program fork these (`maker`): that costs less time, and no memory.
"""

from __future__ import annotations

import os
import signal
import socket

from . import kernel, mounts


def make(life: int) -> tuple[int, int]:
    """A new pid namespace: its first process, a child of this one, and the namespace, open.
    This process's next children are in it. `life` is a pipe, with which it ends."""
    kernel.unshare(kernel.CLONE_NEWPID)
    first = os.fork()
    if first == 0:
        stay(life)
    # It is not there before it has a process.
    path = f"{mounts.HOST}/proc/self/ns/pid_for_children"
    return first, os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def stay(life: int) -> None:
    """Be that process; does not return."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps orphans itself
    kernel.set_dumpable(False)
    life = os.dup2(life, 0, inheritable=False)
    os.closerange(1, 1 << 16)
    os.read(life, 1)
    os._exit(0)


def give(life: int, to: socket.socket) -> None:
    """Make one, hand it over, and end: so it becomes the child of whoever adopts orphans."""
    first, namespace = make(life)
    socket.send_fds(to, [str(first).encode()], [namespace])
    os._exit(0)


def take(given: socket.socket) -> tuple[int, int]:
    """What `give` hands over. OSError when nobody does any more."""
    text, fds, _, _ = socket.recv_fds(given, 32, 1)
    if not fds:
        raise OSError("nobody makes namespaces")
    return int(text), fds[0]
