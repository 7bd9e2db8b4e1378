"""The Lambda Runtime API (2018-06-01) of one environment.

The state machine:

    initialising ── next ──▶ waiting ── offer ──▶ running ── response | error ──▶ answered
         │                      ▲                  │   ▲                            │
         │                      │           streaming ┘ (the response's first byte) │
         └─ init/error ▶ failed └──────────────────────── next ─────────────────────┘

Source: Lambda Developer Guide, "Using the Lambda runtime API" and, for streaming, "Building a
custom runtime". Knows requests and nothing of processes or pools; what happens is told to a
`Listener`.
"""

from __future__ import annotations

import base64
import binascii
import enum
from collections.abc import Callable
from typing import Protocol

from lambent.host.report import MAX_PAYLOAD
from lambent.host.streams import MAX_STREAMED
from lambent.host.wire import Connection, Request, Streaming

PREFIX = b"/2018-06-01/runtime/"
_NEXT = PREFIX + b"invocation/next"
_INVOCATION = PREFIX + b"invocation/"
_RESTORE_NEXT = PREFIX + b"restore/next"
_RESTORE_ERROR = PREFIX + b"restore/error"
_INIT_ERROR = PREFIX + b"init/error"
_ERROR_TYPE = b"lambda-runtime-function-error-type"
_ERROR_BODY = b"lambda-runtime-function-error-body"


class Listener(Protocol):
    """Who is told what the runtime says."""

    def next_asked(self) -> None:
        """The runtime waits for an invocation."""
        ...

    def answered(self, body: bytes) -> None:
        """The invocation succeeded."""
        ...

    def failed(self, error_type: str, body: bytes) -> None:
        """The function raised; `body` is the error's JSON."""
        ...

    def oversized(self, limit: int) -> None:
        """The response was over the limit."""
        ...

    def init_failed(self, error_type: str, body: bytes) -> None:
        """The runtime could not initialise the function."""
        ...

    def stream_began(self, content_type: str) -> int:
        """The response comes in pieces from now on; how many bytes it may have."""
        ...

    def stream_came(self, piece: bytes, resume: Callable[[], None]) -> bool:
        """A piece of it; False when no more should come until `resume` is called."""
        ...

    def stream_ended(self) -> None:
        """The response is whole."""
        ...

    def stream_broke(self) -> None:
        """The runtime's connection ended within the response."""
        ...


class State(enum.Enum):
    """Where the runtime stands (see the module's drawing)."""

    INITIALISING = "Initializing"
    FAILED = "InitFailed"
    WAITING = "Ready"
    RUNNING = "Running"
    STREAMING = "ResponseStreaming"
    ANSWERED = "ResponseSent"


class RuntimeApi:
    """One environment's Runtime API (a `wire.Handler`)."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._waiting: Connection | None = None
        self._streaming: Connection | None = None
        self._request_id: bytes | None = None
        self._room = 0
        self.state = State.INITIALISING

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

    # Handler -----------------------------------------------------------------------------

    def request(self, connection: Connection, request: Request) -> None:
        path, body = request.path, request.body
        if path == _NEXT and request.method == b"GET":
            self._next(connection)
        elif path == _RESTORE_NEXT and self.state is State.INITIALISING:
            connection.respond(200, b"{}")  # no snapshot is taken here: it goes on at once
        elif path in (_INIT_ERROR, _RESTORE_ERROR) and request.method == b"POST":
            self._init_error(connection, request.header(_ERROR_TYPE) or "", body or b"{}")
        elif path.startswith(_INVOCATION) and request.method == b"POST":
            request_id, _, action = path[len(_INVOCATION) :].partition(b"/")
            if action not in (b"response", b"error"):
                connection.not_found()
            elif self.state is State.STREAMING and request_id == self._request_id:
                self._refuse_transition(connection, State.ANSWERED)
            elif self.state is not State.RUNNING or request_id != self._request_id:
                connection.refuse(400, "InvalidRequestID", "Invalid request ID")
            elif action == b"response":
                self._answer(connection, body)
            else:
                self._fail(connection, request.header(_ERROR_TYPE) or "", body)
        else:
            connection.not_found()

    def streaming(self, connection: Connection, request: Request) -> Streaming | None:
        request_id, _, action = request.path[len(_INVOCATION) :].partition(b"/")
        if (
            request.method != b"POST"
            or action != b"response"
            or self.state is not State.RUNNING
            or request_id != self._request_id
        ):
            return None  # refused when it is whole, like any other
        self.state = State.STREAMING
        self._streaming = connection
        kind = request.header(b"content-type") or "application/octet-stream"
        self._room = self._listener.stream_began(kind)
        return self

    def dropped(self, connection: Connection) -> None:
        if self._waiting is connection:
            # The runtime asks again on a new connection, or its process ends.
            self._waiting = None
            self.state = State.ANSWERED
        if self._streaming is connection:
            self._streaming = None
            self.state = State.ANSWERED
            self._listener.stream_broke()

    # Streaming ---------------------------------------------------------------------------

    def data(self, connection: Connection, piece: bytes) -> None:
        if self._streaming is not connection:
            return  # what comes after the limit
        self._room -= len(piece)
        if self._room < 0:
            self._finish_streaming()
            self._refuse_size(connection, MAX_STREAMED)
        elif not self._listener.stream_came(piece, connection.resume):
            connection.pause()

    def complete(self, connection: Connection, request: Request) -> None:
        if self._streaming is not connection:
            return
        self._finish_streaming()
        connection.accept()
        error_type = request.header(_ERROR_TYPE)
        if error_type is None:
            self._listener.stream_ended()
        else:
            self._listener.failed(error_type, _decoded(request.header(_ERROR_BODY) or ""))

    def _finish_streaming(self) -> None:
        self._streaming = None
        self.state = State.ANSWERED

    # Requests ----------------------------------------------------------------------------

    def _next(self, connection: Connection) -> None:
        if self.state not in (State.INITIALISING, State.ANSWERED, State.WAITING):
            self._refuse_transition(connection, State.WAITING)
            return
        self.state = State.WAITING
        self._waiting = connection
        self._listener.next_asked()

    def _init_error(self, connection: Connection, error_type: str, body: bytes) -> None:
        if self.state is not State.INITIALISING:
            self._refuse_transition(connection, State.FAILED)
            return
        self.state = State.FAILED
        connection.accept()
        self._listener.init_failed(error_type, body)

    def _answer(self, connection: Connection, body: bytes | None) -> None:
        self.state = State.ANSWERED
        if body is None:
            self._refuse_size(connection, MAX_PAYLOAD)
        else:
            connection.accept()
            self._listener.answered(body)

    def _fail(self, connection: Connection, error_type: str, body: bytes | None) -> None:
        self.state = State.ANSWERED
        if body is None:
            self._refuse_size(connection, MAX_PAYLOAD)
        else:
            connection.accept()
            self._listener.failed(error_type, body)

    def _refuse_size(self, connection: Connection, limit: int) -> None:
        message = f"Exceeded maximum allowed payload size ({limit} bytes)."
        connection.refuse(413, "RequestEntityTooLarge", message)
        self._listener.oversized(limit)

    def _refuse_transition(self, connection: Connection, to: State) -> None:
        message = (
            f"State transition from {self.state.value} to {to.value} failed for runtime. "
            "Error: State transition is not allowed"
        )
        connection.refuse(403, "InvalidStateTransition", message)


def _decoded(text: str) -> bytes:
    """The error in a trailer: its JSON in base64, or as it is."""
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return text.encode("latin-1")
