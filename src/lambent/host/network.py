"""What an environment with a network of its own can reach: its Runtime API and the gateway.

The environment makes the listening sockets in its own network and hands them out; here they
are served as if they were the node's. Nothing is copied between networks, and there is no
way from one to the other but these two.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from lambent.host.runtimes.contract import Network

Gateway = Callable[[socket.socket], Awaitable[asyncio.AbstractServer]]
"""Serves the node's API on a listening socket, until the server is closed."""
_API_PORT = 9001
"""As on Lambda."""


class Alone:
    """One environment's network. `api` serves its Runtime API on a listening socket; `endpoint`
    is the node's URL as it is inside."""

    def __init__(
        self,
        api: Callable[[socket.socket], Awaitable[None]],
        endpoint: str,
        gateway: Gateway | None,
    ) -> None:
        port = urlsplit(endpoint).port or 80
        self._api = api
        self._gateway = gateway
        self._servers: list[asyncio.AbstractServer] = []
        self._serving: asyncio.Task[None] | None = None
        self.endpoint = f"http://127.0.0.1:{port}"
        api_port = _API_PORT if port != _API_PORT else _API_PORT + 1
        self.api_address = f"127.0.0.1:{api_port}"
        self.offered = Network((api_port, port), self._take)

    async def close(self) -> None:
        """Serve no more."""
        if self._serving is not None:
            await self._serving
        for server in self._servers:
            server.close()

    def _take(self, listeners: Sequence[socket.socket]) -> None:
        for listener in listeners:
            listener.setblocking(False)
        self._serving = asyncio.get_running_loop().create_task(self._serve(*listeners))

    async def _serve(self, api: socket.socket, gateway: socket.socket) -> None:
        await self._api(api)
        if self._gateway is None:
            gateway.close()
            return
        self._servers.append(await self._gateway(gateway))
