"""The HTTP server that one environment talks to: one listening loopback socket of its own.

Owns sockets, parsing and answering; what the paths mean is the `Handler`s', who are found by
the path's beginning. Each environment is known by its socket, so a request needs no
credentials to be told apart; where environments are kept apart, a connection is served only
when its other end is a process of the environment (see `sandboxes.peers`).
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, cast

import httptools

from lambent.host.report import MAX_PAYLOAD

_REASONS = {
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Request Entity Too Large",
    500: "Internal Server Error",
}
_OK = b'{"status":"OK"}'
_ACCEPTED = (
    b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
    % (len(_OK), _OK)
)
_MODE = b"lambda-runtime-function-response-mode"

Peer = tuple[str, int]


@dataclass(slots=True)
class Request:
    """One request. Header names are in lower case; `body` is None when it was too large."""

    method: bytes
    path: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes | None

    def header(self, name: bytes) -> str | None:
        """A header's value; None when it is not there."""
        for key, value in self.headers:
            if key == name:
                return value.decode("latin-1").strip()
        return None


class Streaming(Protocol):
    """Takes a request's body as it comes."""

    def data(self, connection: Connection, piece: bytes) -> None:
        """A piece of it."""
        ...

    def complete(self, connection: Connection, request: Request) -> None:
        """The end; trailers are among the headers, the body is empty."""
        ...


class Handler(Protocol):
    """What answers the requests below one path."""

    def request(self, connection: Connection, request: Request) -> None:
        """A whole request; answered now or later by the connection's methods."""
        ...

    def streaming(self, connection: Connection, request: Request) -> Streaming | None:
        """Who takes the body of a request that asks for streaming; None: nobody, it comes
        whole. `request` has no body yet."""
        ...

    def dropped(self, connection: Connection) -> None:
        """The connection ended."""
        ...


class Server:
    """One environment's socket. `guarded`: connections wait for `admit`."""

    def __init__(self, handlers: Mapping[bytes, Handler], guarded: bool = False) -> None:
        self._handlers = handlers
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._guarded = guarded
        self._check: Callable[[Peer, Peer], bool] | None = None

    async def open(self) -> str:
        """Listen on a free loopback port; the address for AWS_LAMBDA_RUNTIME_API."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), "127.0.0.1", 0)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def serve(self, listener: socket.socket) -> None:
        """Listen on this socket, which the environment alone can reach."""
        self._guarded = False
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), sock=listener)

    def close(self) -> None:
        """Stop listening and drop all connections."""
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            connection.drop()

    def admit(self, check: Callable[[Peer, Peer], bool]) -> None:
        """Serve connections for which `check` holds (their end, ours), drop the others; all,
        where nobody else can reach the socket."""
        if not self._guarded:
            return
        self._check = check
        for connection in tuple(self._connections):
            if check(*connection.ends):
                connection.resume()
            else:
                connection.drop()

    def handler(self, path: bytes) -> Handler | None:
        """Who answers the path."""
        for prefix, handler in self._handlers.items():
            if path.startswith(prefix):
                return handler
        return None

    def connected(self, connection: Connection) -> None:
        """A connection was made."""
        self._connections.add(connection)
        if self._guarded:
            if self._check is None:
                connection.pause()
            elif not self._check(*connection.ends):
                connection.drop()

    def disconnected(self, connection: Connection) -> None:
        """A connection ended."""
        self._connections.discard(connection)
        for handler in self._handlers.values():
            handler.dropped(connection)


class Connection(asyncio.Protocol):
    """One HTTP/1.1 connection of a client in the environment.

    A 202 that the client does not wait for, since it has asked for more already, goes out with
    the answer to that: our Python client tells an answer and asks for the next invocation at
    once, and is not woken in between.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._parsing = False
        self._held = b""
        self._owes = False
        self._reset()

    @property
    def ends(self) -> tuple[Peer, Peer]:
        """The other end's address and ours."""
        transport = self._transport
        assert transport is not None
        return transport.get_extra_info("peername"), transport.get_extra_info("sockname")

    def _reset(self) -> None:
        self._path = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._asks_streaming = False
        self._streaming: Streaming | None = None
        self._body: list[bytes] = []
        self._size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes, so this cannot be checked.
        self._transport = cast(asyncio.Transport, transport)
        self._server.connected(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._server.disconnected(self)

    def data_received(self, data: bytes) -> None:
        self._parsing = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.refuse(400, "InvalidRequest", "The request is not HTTP/1.1.")
            self.drop()
        self._parsing = False
        if self._held and not self._owes:
            self.write(b"")

    def on_url(self, url: bytes) -> None:
        self._path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self._headers.append((name, value))
        if name == _MODE:
            self._asks_streaming = value.strip().lower() == b"streaming"
        elif name == b"expect" and value.lower() == b"100-continue":
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_headers_complete(self) -> None:
        if self._asks_streaming:
            handler = self._server.handler(self._path)
            if handler is not None:
                self._streaming = handler.streaming(self, self._request(b""))

    def on_body(self, body: bytes) -> None:
        if self._streaming is not None:
            self._streaming.data(self, body)
            return
        self._size += len(body)
        if self._size <= MAX_PAYLOAD:
            self._body.append(body)
        else:
            self._body.clear()

    def on_message_complete(self) -> None:
        body = b"".join(self._body) if self._size <= MAX_PAYLOAD else None
        request, streaming = self._request(body), self._streaming
        self._reset()
        self._owes = True
        if streaming is not None:
            streaming.complete(self, request)
            return
        handler = self._server.handler(request.path)
        if handler is None:
            self.not_found()
        else:
            handler.request(self, request)

    def _request(self, body: bytes | None) -> Request:
        return Request(self._parser.get_method(), self._path, self._headers, body)

    # What handlers call ------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send bytes, unless the connection is gone."""
        self._owes = False
        if self._held:
            data, self._held = self._held + data, b""
        if self._transport is not None:
            self._transport.write(data)

    def pause(self) -> None:
        """Read no more for now."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def accept(self) -> None:
        """Answer 202."""
        if self._parsing:
            self._held += _ACCEPTED
            self._owes = False
        else:
            self.write(_ACCEPTED)

    def not_found(self) -> None:
        """Answer 404."""
        self.refuse(404, "NotFound", "404 page not found")

    def refuse(self, status: int, error_type: str, message: str) -> None:
        """Answer with an error."""
        body = {"errorMessage": message, "errorType": error_type}
        self.respond(status, json.dumps(body, separators=(",", ":")).encode())

    def respond(self, status: int, body: bytes, headers: str = "") -> None:
        """Answer with JSON; `headers` are whole lines."""
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\n"
            f"{headers}Content-Length: {len(body)}\r\n\r\n"
        )
        self.write(head.encode() + body)

    def drop(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.abort()
