"""What an environment with a network of its own can reach: its Runtime API and the gateway.

The environment makes the listening sockets in its own network and hands them out; here they
are served as if they were the node's. Nothing is copied between networks, and there is no
way out of that network but these two. A few more sockets of it lead in, to its listeners for
telemetry.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import socket
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from lambent.host.runtimes.contract import Network

Gateway = Callable[[socket.socket], Awaitable[asyncio.AbstractServer]]
"""Serves the node's API on a listening socket, until the server is closed."""
_API_PORT = 9001
"""As on Lambda."""
_UNSPECIFIED = bytes(16)
_libc = ctypes.CDLL(None, use_errno=True)


class Alone:
    """One environment's network. `api` serves its Runtime API on a listening socket; `endpoint`
    is the node's URL as it is inside. At most so many `ways` lead in at a time."""

    def __init__(
        self,
        api: Callable[[socket.socket], Awaitable[None]],
        endpoint: str,
        gateway: Gateway | None,
        ways: int,
    ) -> None:
        port = urlsplit(endpoint).port or 80
        self._api = api
        self._gateway = gateway
        self._servers: list[asyncio.AbstractServer] = []
        self._serving: asyncio.Task[None] | None = None
        self._ways: deque[socket.socket] = deque()
        self.endpoint = f"http://127.0.0.1:{port}"
        api_port = _API_PORT if port != _API_PORT else _API_PORT + 1
        self.api_address = f"127.0.0.1:{api_port}"
        self.offered = Network((api_port, port), ways, self._take)

    async def close(self) -> None:
        """Serve no more."""
        if self._serving is not None:
            await self._serving
        for server in self._servers:
            server.close()
        self.close_ways()

    def close_ways(self) -> None:
        """Nobody in there will be reached any more. No way may be in use."""
        while self._ways:
            self._ways.pop().close()

    @contextlib.asynccontextmanager
    async def reach(self, listener: tuple[str, int]) -> AsyncIterator[socket.socket]:
        """A connection to what listens in there; its end is told to the other side after.
        OSError when nobody does, or no way is left."""
        if not self._ways:
            raise ConnectionRefusedError
        way = self._ways.popleft()
        try:
            _disconnect(way)
            await asyncio.get_running_loop().sock_connect(way, listener)
            yield way
            way.shutdown(socket.SHUT_WR)
        finally:
            # Last in line: who listens has long read everything when it is used again.
            self._ways.append(way)

    def _take(self, sockets: Sequence[socket.socket]) -> None:
        for each in sockets:
            each.setblocking(False)
        api, gateway, *ways = sockets
        self._ways.extend(ways)
        self._serving = asyncio.get_running_loop().create_task(self._serve(api, gateway))

    async def _serve(self, api: socket.socket, gateway: socket.socket) -> None:
        await self._api(api)
        if self._gateway is None:
            gateway.close()
            return
        self._servers.append(await self._gateway(gateway))


def _disconnect(way: socket.socket) -> None:
    """Let go of what the socket was connected to, so that it can be connected anew: by the
    address that names no family (connect(2)), for which Python has no words."""
    if _libc.connect(way.fileno(), _UNSPECIFIED, len(_UNSPECIFIED)) != 0:
        raise OSError(ctypes.get_errno(), "The socket stays connected")
