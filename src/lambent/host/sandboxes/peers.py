"""Whose socket is at the other end of a loopback connection, as the kernel says.

By a request to the kernel's socket table for exactly one socket (NETLINK_SOCK_DIAG), which
takes microseconds and no privilege. Used once per connection.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_SOCK_DIAG = 4
_DIAG_BY_FAMILY = 20
_REQUEST = 1
_ANY_STATE = 0xFFFFFFFF
_NO_COOKIE = 0xFFFFFFFF
_ERROR = 2
_HEADER = struct.Struct("=IHHII")
_UID_AND_INODE = struct.Struct("=II")
_UID_AT = _HEADER.size + 64

End = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Owner:
    """Who has a socket: the user outside all namespaces of environments, and the inode."""

    user: int
    inode: int


def owner(theirs: End, ours: End) -> Owner | None:
    """Who has the socket at `theirs` that is connected to `ours`; None when it is gone or the
    kernel does not say."""
    address = struct.pack("!HH", theirs[1], ours[1])
    for host in (theirs[0], ours[0]):
        address += socket.inet_aton(host).ljust(16, b"\0")
    identity = address + struct.pack("=III", 0, _NO_COOKIE, _NO_COOKIE)
    asked = struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, _ANY_STATE) + identity
    length = _HEADER.size + len(asked)
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel,
    ):
        kernel.send(_HEADER.pack(length, _DIAG_BY_FAMILY, _REQUEST, 1, 0) + asked)
        answer = kernel.recv(4096)
        _, kind, _, _, _ = _HEADER.unpack_from(answer)
        if kind == _DIAG_BY_FAMILY and len(answer) >= _UID_AT + _UID_AND_INODE.size:
            user, inode = _UID_AND_INODE.unpack_from(answer, _UID_AT)
            return Owner(user, inode) if inode else None
    return None


def namespace(pid: int) -> str:
    """The pid namespace of a process; "" when it is gone."""
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/ns/pid")
    return ""


def holds(pid: int, namespace: str, inode: int) -> bool:
    """Whether the process, or another of the pid namespace, has the socket open."""
    if _has(pid, inode):
        return True
    return bool(namespace) and any(_has(each, inode) for each in _members(namespace) if each != pid)


def _members(namespace: str) -> Iterator[int]:
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{name}/ns/pid") == namespace:
                    yield int(name)


def _has(pid: int, inode: int) -> bool:
    wanted = f"socket:[{inode}]"
    with contextlib.suppress(OSError):
        folder = f"/proc/{pid}/fd"
        for name in os.listdir(folder):
            with contextlib.suppress(OSError):
                if os.readlink(f"{folder}/{name}") == wanted:
                    return True
    return False
