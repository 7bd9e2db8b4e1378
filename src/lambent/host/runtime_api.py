"""The Lambda Runtime API (2018-06-01), one listening socket per environment.

Each environment is known by its socket, so a request needs no credentials to be told apart.
The state machine:

    initialising ── next ──▶ waiting ── offer ──▶ running ── response | error ──▶ answered
         │                      ▲                                                    │
         └─ init/error ▶ failed └──────────────────────── next ──────────────────────┘

Source: Lambda Developer Guide, "Using the Lambda runtime API". Knows HTTP and nothing of
processes or pools; what happens is told to a `Listener`.
"""

from __future__ import annotations

import asyncio
import enum
import json
from typing import Protocol, cast

import httptools

from lambent.host.report import MAX_PAYLOAD

_PREFIX = b"/2018-06-01/runtime/"
_NEXT = _PREFIX + b"invocation/next"
_INVOCATION = _PREFIX + b"invocation/"
_INIT_ERROR = _PREFIX + b"init/error"
_ERROR_TYPE = b"lambda-runtime-function-error-type"
_OK = b'{"status":"OK"}'


class Listener(Protocol):
    """Who is told what the runtime says."""

    def next_asked(self) -> None:
        """The runtime waits for an invocation."""
        ...

    def answered(self, body: bytes) -> None:
        """The invocation succeeded."""
        ...

    def failed(self, body: bytes) -> None:
        """The function raised; `body` is the error's JSON."""
        ...

    def oversized(self) -> None:
        """The response was over the limit."""
        ...

    def init_failed(self, error_type: str, body: bytes) -> None:
        """The runtime could not initialise the function."""
        ...


class State(enum.Enum):
    """Where the runtime stands (see the module's drawing)."""

    INITIALISING = "Initializing"
    FAILED = "InitFailed"
    WAITING = "Ready"
    RUNNING = "Running"
    ANSWERED = "ResponseSent"


class RuntimeApi:
    """One environment's Runtime API."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._waiting: _Connection | None = None
        self._request_id: bytes | None = None
        self.state = State.INITIALISING

    async def open(self) -> str:
        """Listen on a free loopback port; the address for AWS_LAMBDA_RUNTIME_API."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        return f"127.0.0.1:{port}"

    def close(self) -> None:
        """Stop listening and drop all connections."""
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            connection.drop()

    def offer(
        self,
        request_id: str,
        payload: bytes,
        *,
        arn: str,
        deadline_ms: int,
        trace: str,
        client_context: bytes | None,
    ) -> None:
        """Give the runtime an invocation; it must be waiting for one."""
        assert self.state is State.WAITING and self._waiting is not None
        context = (
            b"Lambda-Runtime-Client-Context: " + b" ".join(client_context.split()) + b"\r\n"
            if client_context
            else b""
        )
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            f"Lambda-Runtime-Aws-Request-Id: {request_id}\r\n"
            f"Lambda-Runtime-Deadline-Ms: {deadline_ms}\r\n"
            f"Lambda-Runtime-Invoked-Function-Arn: {arn}\r\n"
            f"Lambda-Runtime-Trace-Id: {trace}\r\n"
            f"Content-Length: {len(payload)}\r\n"
        ).encode()
        self.state = State.RUNNING
        self._request_id = request_id.encode()
        waiting, self._waiting = self._waiting, None
        waiting.write(head + context + b"\r\n" + payload)

    # What connections call ---------------------------------------------------------------

    def connected(self, connection: _Connection) -> None:
        """A connection was made."""
        self._connections.add(connection)

    def disconnected(self, connection: _Connection) -> None:
        """A connection ended."""
        self._connections.discard(connection)
        if self._waiting is connection:
            # The runtime asks again on a new connection, or its process ends.
            self._waiting = None
            self.state = State.ANSWERED

    def request(
        self,
        connection: _Connection,
        method: bytes,
        path: bytes,
        error_type: str,
        body: bytes | None,
    ) -> None:
        """A whole request; `body` None when it was over the limit."""
        if path == _NEXT and method == b"GET":
            self._next(connection)
        elif path == _INIT_ERROR and method == b"POST":
            self._init_error(connection, error_type, body or b"{}")
        elif path.startswith(_INVOCATION) and method == b"POST":
            request_id, _, action = path[len(_INVOCATION) :].partition(b"/")
            if action not in (b"response", b"error"):
                connection.refuse(404, "NotFound", "404 page not found")
            elif self.state is not State.RUNNING or request_id != self._request_id:
                connection.refuse(400, "InvalidRequestID", "Invalid request ID")
            else:
                self._answer(connection, action, body)
        else:
            connection.refuse(404, "NotFound", "404 page not found")

    def _next(self, connection: _Connection) -> None:
        if self.state not in (State.INITIALISING, State.ANSWERED, State.WAITING):
            self._refuse_transition(connection, State.WAITING)
            return
        self.state = State.WAITING
        self._waiting = connection
        self._listener.next_asked()

    def _init_error(self, connection: _Connection, error_type: str, body: bytes) -> None:
        if self.state is not State.INITIALISING:
            self._refuse_transition(connection, State.FAILED)
            return
        self.state = State.FAILED
        connection.accept()
        self._listener.init_failed(error_type, body)

    def _answer(self, connection: _Connection, action: bytes, body: bytes | None) -> None:
        self.state = State.ANSWERED
        if body is None:
            connection.refuse(
                413,
                "RequestEntityTooLarge",
                f"Exceeded maximum allowed payload size ({MAX_PAYLOAD} bytes).",
            )
            self._listener.oversized()
            return
        connection.accept()
        if action == b"response":
            self._listener.answered(body)
        else:
            self._listener.failed(body)

    def _refuse_transition(self, connection: _Connection, to: State) -> None:
        message = (
            f"State transition from {self.state.value} to {to.value} failed for runtime. "
            "Error: State transition is not allowed"
        )
        connection.refuse(403, "InvalidStateTransition", message)


_REASONS = {
    202: "Accepted",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    413: "Request Entity Too Large",
}


class _Connection(asyncio.Protocol):
    """One HTTP/1.1 connection of a runtime client."""

    def __init__(self, api: RuntimeApi) -> None:
        self._api = api
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._reset()

    def _reset(self) -> None:
        self._path = b""
        self._error_type = ""
        self._body: list[bytes] = []
        self._size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes, so this cannot be checked.
        self._transport = cast(asyncio.Transport, transport)
        self._api.connected(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._api.disconnected(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.refuse(400, "InvalidRequest", "The request is not HTTP/1.1.")
            self.drop()

    def on_url(self, url: bytes) -> None:
        self._path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == _ERROR_TYPE:
            self._error_type = value.decode("latin-1")
        elif name == b"expect" and value.lower() == b"100-continue":
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size <= MAX_PAYLOAD:
            self._body.append(body)
        else:
            self._body.clear()

    def on_message_complete(self) -> None:
        body = b"".join(self._body) if self._size <= MAX_PAYLOAD else None
        path, error_type = self._path, self._error_type
        self._reset()
        self._api.request(self, self._parser.get_method(), path, error_type, body)

    def write(self, data: bytes) -> None:
        """Send bytes, unless the connection is gone."""
        if self._transport is not None:
            self._transport.write(data)

    def accept(self) -> None:
        """Answer 202."""
        self._respond(202, _OK)

    def refuse(self, status: int, error_type: str, message: str) -> None:
        """Answer with an error."""
        body = {"errorMessage": message, "errorType": error_type}
        self._respond(status, json.dumps(body, separators=(",", ":")).encode())

    def drop(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _respond(self, status: int, body: bytes) -> None:
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self.write(head.encode() + body)
