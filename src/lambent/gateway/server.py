"""The HTTP/1.1 server: listens, keeps its connections' time, drains.

Made on httptools (the parser of Node.js) and whatever event loop runs; see
docs/decisions/0001-http-server.md for the choice. It knows nothing of AWS.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from dataclasses import dataclass
from typing import Final

from lambent.core.clock import Clock
from lambent.core.errors import StartupError
from lambent.gateway.connection import Connection
from lambent.gateway.request import Handler, Request
from lambent.gateway.response import DateHeader
from lambent.protocol.contract import WireResponse

_BACKLOG: Final = 2048


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may ask of the server. Sizes in bytes, times in seconds.

    Bodies up to `inline_bytes` are collected before the handler is called. A client has
    `head_seconds` to send a request's head, `body_seconds` for each next piece of a body it
    is waited for, `write_seconds` to read when it lags behind, and may keep an unused
    connection for `idle_seconds`.
    """

    head_bytes: int = 64 * 1024
    inline_bytes: int = 64 * 1024
    head_seconds: float = 30.0
    body_seconds: float = 30.0
    write_seconds: float = 60.0
    idle_seconds: float = 90.0


class HttpServer:
    """Serves one address until it is stopped."""

    def __init__(self, clock: Clock, limits: Limits | None = None) -> None:
        self.handler: Handler = _not_ready
        self.clock = clock
        self.limits = limits or Limits()
        self.date = DateHeader()
        self.connections: set[Connection] = set()
        self.draining = False
        self.loop: asyncio.AbstractEventLoop = None  # type: ignore[assignment]
        self._listener: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._timekeeper: asyncio.Task[None] | None = None
        self._empty = asyncio.Event()
        self._occupied = asyncio.Event()

    def bind(self, host: str, port: int) -> int:
        """Take the address; the port (port 0 takes a free one). StartupError when it cannot.

        Clients may connect from now on; they are answered once the server has started.
        """
        self._listener = _listener(host, port)
        return int(self._listener.getsockname()[1])

    def unbind(self) -> None:
        """Give the address back."""
        if self._listener is not None:
            self._listener.close()

    async def start(self, handler: Handler) -> None:
        """Answer requests with `handler`."""
        assert self._listener is not None
        self.handler = handler
        self.loop = asyncio.get_running_loop()
        self._server = await self.loop.create_server(
            lambda: Connection(self), sock=self._listener, backlog=_BACKLOG
        )
        self._timekeeper = self.loop.create_task(self._keep_time())

    async def serve(self, listener: socket.socket) -> asyncio.Server:
        """Answer requests on this listening socket too, until what is returned is closed."""
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: Connection(self), sock=listener)

    async def stop(self, grace: float) -> None:
        """Take no more; let what is in work finish within `grace` seconds."""
        self.draining = True
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.drain()
        if self.connections:
            self._empty.clear()
            await self.clock.wait(self._empty, grace)
        for connection in list(self.connections):
            connection.abort()
        if self._timekeeper is not None:
            self._timekeeper.cancel()

    def admit(self, connection: Connection) -> None:
        """A connection was made."""
        self.connections.add(connection)
        self._occupied.set()

    def forget(self, connection: Connection) -> None:
        """A connection has ended."""
        self.connections.discard(connection)
        if not self.connections:
            self._empty.set()
            self._occupied.clear()

    async def _keep_time(self) -> None:
        limits = self.limits
        # A deadline set while this sleeps lies at least this far ahead.
        shortest = min(
            limits.head_seconds, limits.body_seconds, limits.write_seconds, limits.idle_seconds
        )
        while True:
            await self._occupied.wait()
            now = self.clock.monotonic()
            nearest = min((c.deadline for c in self.connections), default=now + shortest)
            await self.clock.sleep(max(min(nearest - now, shortest), 0.05))
            now = self.clock.monotonic()
            for connection in [c for c in self.connections if c.deadline <= now]:
                connection.expire()


async def _not_ready(_: Request) -> WireResponse:
    return WireResponse(503, (), b"")


def _listener(host: str, port: int) -> socket.socket:
    address = "127.0.0.1" if host == "localhost" else host
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise StartupError(f"{host} is not an address of this machine.") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            reason = f"Port {port} on {host} is already in use: choose another with --port."
        elif error.errno == errno.EACCES:
            reason = f"Port {port} may not be used without more rights: choose one above 1023."
        else:
            reason = f"Cannot listen on {host} port {port}: {error.strerror}."
        raise StartupError(reason) from error
    return listener
