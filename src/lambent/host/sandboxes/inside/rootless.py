"""The sandbox of a node that does not run as root: all by user namespaces.

The zygote is root of a user namespace of its own, where it may do what `rooted` does as
root; outside, it and all environments stay the node's user.
"""

from __future__ import annotations

import os
import signal

from . import kernel
from .rooted import map_user


def enter() -> None:
    """The zygote's own namespaces. Goes on in a child, since a process's own pid namespace
    never changes; what was started waits for it and ends with its status."""
    user, group = os.geteuid(), os.getegid()
    kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS | kernel.CLONE_NEWPID)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"0 {user} 1"),
        ("gid_map", f"0 {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    child = os.fork()
    if child:
        # What this process still holds would keep the child from seeing the node's end.
        os.closerange(3, 1 << 16)
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    kernel.die_with_parent(signal.SIGKILL)


def become(zygote: int, number: int) -> None:
    """Outside, all are the node's user anyway."""


def identify(zygote: int, number: int) -> None:
    """Become unprivileged, in a user namespace within the zygote's."""
    kernel.unshare(kernel.CLONE_NEWUSER)
    kernel.set_dumpable(True)
    map_user(0, 0)
