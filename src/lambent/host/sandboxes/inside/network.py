"""A network of an environment's own, with a loopback and nothing else.

What listens on the loopback are sockets that this process makes and gives away before it
becomes the function: whoever accepts on them, outside, is all that can be reached from here.
The other way round, what listens here is reached from outside by sockets that are made here and
given away before they are connected: they stay of this network, whoever has them.
"""

from __future__ import annotations

import fcntl
import socket
import struct
from collections.abc import Sequence

from . import kernel

_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1
_BACKLOG = 128


def enter(ports: Sequence[int], ways: int) -> list[socket.socket]:
    """Leave the machine's network; the sockets that listen on these ports of the loopback, and
    so many `ways` that are not connected."""
    kernel.unshare(kernel.CLONE_NEWNET)
    _up("lo")
    made: list[socket.socket] = []
    for port in ports:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.bind(("127.0.0.1", port))
        listener.listen(_BACKLOG)
        made.append(listener)
    made += (socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(ways))
    return made


def _up(name: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh22x", name.encode(), 0)
        request = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request)
        (flags,) = struct.unpack_from("h", request, 16)
        fcntl.ioctl(
            any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", name.encode(), flags | _IFF_UP)
        )
