"""The sandbox of a node that runs as root: each environment is a user of its own outside."""

from __future__ import annotations

import os

from . import kernel
from .mounts import GROUP, USER

_FIRST_USER = 300_000_000
"""Far above what machines give to people, services and containers."""
_USERS_PER_ZYGOTE = 4096


def enter() -> None:
    """The zygote's own namespaces."""
    kernel.unshare(kernel.CLONE_NEWNS)


def host_user(zygote: int, number: int) -> int:
    """Who the zygote's environment of this number is outside."""
    return _FIRST_USER + (zygote % 65536) * _USERS_PER_ZYGOTE + number % _USERS_PER_ZYGOTE


def become(zygote: int, number: int) -> None:
    """Become the user of an environment, with all rights still."""
    user = host_user(zygote, number)
    os.setgroups([])
    os.setresgid(user, user, user)
    kernel.keep_capabilities()
    os.setresuid(user, user, user)
    kernel.raise_capabilities()


def identify(zygote: int, number: int) -> None:
    """Become an unprivileged user, in a user namespace that knows no other."""
    # Where only the privileged may make user namespaces, this one still may.
    become(zygote, number)
    user = host_user(zygote, number)
    kernel.unshare(kernel.CLONE_NEWUSER)
    kernel.set_dumpable(True)  # its own files in /proc belong to it again
    map_user(user, user)


def map_user(user: int, group: int, process: int | str = "self") -> None:
    """Name the one user and group of a process's new user namespace as Lambda names them."""
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{USER} {user} 1"),
        ("gid_map", f"{GROUP} {group} 1"),
    ):
        with open(f"/proc/{process}/{name}", "w") as file:
            file.write(text)
