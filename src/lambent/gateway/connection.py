"""One HTTP/1.1 connection: bytes in, requests out, responses back in order.

States of a connection, by what its deadline waits for:

    idle ──first byte──▶ head ──complete──▶ body (small ones are collected first)
      ▲                                       │
      └────────── response written ◀────── working ──▶ lingering ──▶ closed

A request whose body is small and unasked-for (no Expect) is handed on complete; any other
is handed on at once with a streaming body. One task per connection answers the requests
that have come, in order; it ends when there are none left.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Final

import httptools

from lambent.core.errors import AwsError
from lambent.core.streams import BrokenOff
from lambent.gateway import heads
from lambent.gateway.body import HIGH_WATER, IncomingBody, incomplete
from lambent.gateway.heads import Refused
from lambent.gateway.request import Request
from lambent.gateway.response import BODILESS, head
from lambent.gateway.streamed import discard, framing, has_length, pieces
from lambent.protocol.contract import WireResponse

if TYPE_CHECKING:
    from lambent.gateway.server import HttpServer

_log = logging.getLogger("lambent.gateway")

_NEVER: Final = float("inf")
_PIPELINE: Final = 16
"""Requests that may wait behind the one in work before the connection stops reading."""
_DISCARD: Final = 1024 * 1024
"""Bytes of an unread body that are read and dropped to keep the connection in use."""
_HEAD_TOO_LARGE: Final = (431, "Request Header Fields Too Large")
_LINGER: Final = 5.0
"""Seconds that a client which still sends is given to read the response, before the end."""


class Connection(asyncio.Protocol):
    """A client's connection. Made by the server, which expires it at its `deadline`."""

    def __init__(self, server: HttpServer) -> None:
        self.deadline = _NEVER
        self._server = server
        self._limits = server.limits
        self._transport: asyncio.Transport = None  # type: ignore[assignment]
        self._parser = httptools.HttpRequestParser(self)
        self._client = ""
        # The message being received.
        self._url = b""
        self._lines: list[tuple[bytes, bytes]] = []
        self._headers: dict[str, str] = {}
        self._head_size = 0
        self._in_head = True
        self._receiving = False
        self._upgrading = False
        self._method = b""
        self._request: Request | None = None
        self._pieces: list[bytes] | None = None
        self._body: IncomingBody | None = None
        self._discarding = 0
        # The messages being answered.
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._current: Request | None = None
        self._task: asyncio.Task[None] | None = None
        self._keep_alive = True
        self._expects: IncomingBody | None = None
        # Flow.
        self._reading = True
        self._drained: asyncio.Future[None] | None = None
        self._refusal: tuple[int, str] | None = None
        self._deaf = False
        self._eof = False
        self._closing = False
        self._lost = False

    # The transport's side ---------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        peer = transport.get_extra_info("peername")
        self._client = peer[0] if peer else ""
        self._server.admit(self)
        self._expect_within(self._limits.head_seconds)
        if self._server.draining:
            self._close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._server.forget(self)
        if self._body is not None:
            self._body.fail(incomplete())
        if self._drained is not None and not self._drained.done():
            self._drained.set_exception(ConnectionResetError())
        self._waiting.clear()
        self._abandon()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        if self._in_head:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # We upgrade to nothing: the request is read again as if it had not asked.
            self._parser = httptools.HttpRequestParser(self)
            self._upgrading = False
            self.data_received(
                heads.without_upgrade(self._method, self._url, self._headers)
                + data[upgrade.args[0] :]
            )
        except httptools.HttpParserError as error:
            cause = error.__context__
            if isinstance(cause, Refused):
                self._refuse(cause.status, cause.phrase)
                return
            if cause is not None:
                _log.error("Reading a request failed", exc_info=cause)
            self._refuse(400, "Bad Request")
        else:
            if self._in_head and self._head_size > self._limits.head_bytes:
                self._refuse(*_HEAD_TOO_LARGE)

    def eof_received(self) -> bool:
        # A client may close its side once it has sent all, and still gets its answers; but
        # one that only waited is taken to be gone, as the two look the same from here.
        self._eof = True
        self._abandon()
        if self._body is not None:
            self._body.fail(incomplete())
        return self._current is not None and not self._deaf

    def pause_writing(self) -> None:
        self._drained = self._server.loop.create_future()

    def resume_writing(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    # The parser's side ------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._receiving = True
        self._url = b""
        self._lines = []
        if self._current is None:
            self._expect_within(self._limits.head_seconds)

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._lines.append((name, value))

    def on_headers_complete(self) -> None:
        parser, url = self._parser, self._url
        headers = self._headers = heads.headers(self._lines)
        self._lines = []
        if parser.should_upgrade():
            if parser.get_method() == b"CONNECT":
                raise Refused(405, "Method Not Allowed")
            self._upgrading = True
            self._method = parser.get_method()
            return
        self._in_head = False
        plain = url[:1] == b"/" and url.isascii()
        target = url.decode("ascii") if plain else heads.target(url)
        path, _, query = target.partition("?")
        method = parser.get_method().decode("latin-1")
        request = Request(method, path, query, headers, b"", self._client)
        self._request = request
        length = int(headers.get("content-length") or 0)
        chunked = "transfer-encoding" in headers
        expect = "expect" in headers and headers["expect"].lower() == "100-continue"
        if self._head_size > self._limits.head_bytes and heads.size(url, headers) > (
            self._limits.head_bytes
        ):
            raise Refused(*_HEAD_TOO_LARGE)
        if "host" not in headers and parser.get_http_version() == "1.1":
            raise Refused(400, "Bad Request: the Host header is missing")
        if chunked or expect or length > self._limits.inline_bytes:
            if expect and not chunked and not length:
                return
            self._body = IncomingBody(None if chunked else length, self._demand, self._relieve)
            request.body = self._body
            if expect:
                self._expects = self._body
            self._submit(request)
        elif length:
            self._pieces = []
            if self._current is None:
                self._expect_within(self._limits.body_seconds)

    def on_body(self, data: bytes) -> None:
        if self._pieces is not None:
            self._pieces.append(data)
        elif self._body is not None:
            self._body.feed(data)
            if self._body.waited_for:
                self.deadline = _NEVER
            if self._body.buffered > HIGH_WATER:
                self._set_reading(False)
        elif self._discarding:
            self._discarding -= len(data)
            if self._discarding <= 0:
                self._linger()

    def on_message_complete(self) -> None:
        if self._upgrading:
            return
        self._in_head = True
        self._receiving = False
        self._head_size = 0
        request, self._request = self._request, None
        if self._body is not None:
            self._body.end(heads.headers(self._lines))
            if self._expects is self._body:
                # It came unasked: there is nothing left to invite.
                self._expects = None
            self._body = None
            self.deadline = _NEVER
        elif self._discarding:
            self._discarding = 0
            if self._current is None:
                self._next()
        elif request is not None:
            pieces = self._pieces
            if pieces is not None:
                request.body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
                self._pieces = None
            self._submit(request)

    # Answering --------------------------------------------------------------------------

    def _submit(self, request: Request) -> None:
        keep_alive = self._parser.should_keep_alive()
        if self._current is not None or self._discarding or self._waiting:
            self._waiting.append((request, keep_alive))
            if len(self._waiting) >= _PIPELINE:
                self._set_reading(False)
            return
        self._begin(request, keep_alive)

    def _begin(self, request: Request, keep_alive: bool) -> None:
        self._current = request
        self._keep_alive = keep_alive and self._keep_alive
        self.deadline = _NEVER
        self._task = self._server.loop.create_task(self._answer(request))

    async def _answer(self, request: Request) -> None:
        server = self._server
        while True:
            try:
                response = await server.handler(request)
            except asyncio.CancelledError:
                if not self._lost:
                    self._transport.abort()
                raise
            except Exception:
                _log.exception("The handler failed")
                response = WireResponse(500, (), b"")
            body = response.body
            if self._lost:
                if not isinstance(body, bytes):
                    await discard(body.chunks)
                return
            unread = self._unread(request)
            if unread or server.draining:
                self._keep_alive = False
            if isinstance(body, bytes):
                self._write(request, response, body)
            elif not await self._stream(request, response):
                return
            if self._drained is not None and not await self._drain():
                return
            self._current = None
            if not self._keep_alive:
                if unread:
                    self._linger()
                else:
                    self._close()
                return
            if not self._waiting or server.draining:
                self._next()
                return
            request, keep_alive = self._waiting.popleft()
            self._current = request
            self._keep_alive = keep_alive and self._keep_alive
            if len(self._waiting) == _PIPELINE // 2:
                self._relieve()

    def _next(self) -> None:
        """Nothing is in work: take what waits, or wait for the client."""
        self._task = None
        limits = self._limits
        if self._server.draining:
            self._close()
        elif self._discarding:
            self._expect_within(limits.body_seconds)
        elif self._waiting:
            self._begin(*self._waiting.popleft())
            self._relieve()
        elif self._refusal is not None:
            self._refuse(*self._refusal)
        elif self._eof:
            self._close()
        elif self._pieces is not None:
            self._expect_within(limits.body_seconds)
        else:
            self._expect_within(limits.head_seconds if self._receiving else limits.idle_seconds)

    def _unread(self, request: Request) -> bool:
        """Deal with what the handler left of its request's body; whether it bars reuse."""
        body = request.body
        if isinstance(body, bytes) or body.ended:
            return False
        if self._expects is body or body is not self._body:
            # The client was not invited to send, so what comes next is uncertain.
            self._body = None
            return True
        left = _DISCARD if body.length is None else body.length
        self._body = None
        if left > _DISCARD:
            return True
        self._discarding = left + 1
        self._set_reading(True)
        return False

    def _write(self, request: Request, response: WireResponse, body: bytes) -> None:
        status = response.status
        if status in BODILESS:
            framing, body = "", b""
        elif request.method == "HEAD":
            framing = "" if has_length(response) else f"Content-Length: {len(body)}\r\n"
            body = b""
        else:
            framing = f"Content-Length: {len(body)}\r\n"
        date = self._server.date.line(self._server.clock.now())
        data = head(status, response.headers, date, framing, self._keep_alive)
        self._transport.write(data + body if len(body) < 65536 else data)
        if len(body) >= 65536:
            self._transport.write(body)

    async def _stream(self, request: Request, response: WireResponse) -> bool:
        """Send a streaming response; False when the connection ended with it."""
        result = response.body
        assert not isinstance(result, bytes)
        version = self._parser.get_http_version()
        framed = framing(response, result.length, request.method, version)
        if framed.closes:
            self._keep_alive = False
        headers = [*response.headers, *result.headers.items()]
        date = self._server.date.line(self._server.clock.now())
        begin = head(response.status, headers, date, framed.line, self._keep_alive)
        going = pieces(begin, result, framed.chunked)
        try:
            if framed.bodiless:
                self._transport.write(begin)
                return True
            async for piece in going:
                self._transport.write(piece)
                if self._drained is not None and not await self._drain():
                    return False
                if self._lost:
                    return False
        except BrokenOff:
            self._transport.close()
            return False
        except Exception:
            if self._lost or self._transport.is_closing():
                # The client went away, as clients may.
                return False
            # The status is out: a cut connection is all that can tell the client.
            _log.exception("A streaming response broke off")
            self._transport.abort()
            return False
        finally:
            await going.aclose()
            await discard(result.chunks)
        return True

    async def _drain(self) -> bool:
        """Wait until the client has read enough; False when it is gone."""
        if self._drained is not None:
            self._expect_within(self._limits.write_seconds)
            try:
                await self._drained
            except ConnectionResetError:
                return False
            self.deadline = _NEVER
        return not self._lost

    # Flow -------------------------------------------------------------------------------

    def _demand(self) -> None:
        """The handler waits for body bytes."""
        if self._expects is not None:
            self._expects = None
            if not self._lost:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._set_reading(True)
        self._expect_within(self._limits.body_seconds)

    def _relieve(self) -> None:
        """There is room again for what the client sends."""
        if len(self._waiting) < _PIPELINE:
            self._set_reading(True)

    def _set_reading(self, reading: bool) -> None:
        if reading != self._reading and not self._lost:
            self._reading = reading
            if reading:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _expect_within(self, seconds: float) -> None:
        self.deadline = self._server.clock.monotonic() + seconds

    # Ends -------------------------------------------------------------------------------

    def expire(self) -> None:
        """The deadline passed: what the client was waited for did not come."""
        self.deadline = _NEVER
        if self._body is not None and self._body.waited_for:
            self._body.fail(
                AwsError(
                    "RequestTimeout",
                    "Your socket connection to the server was not read from or written to "
                    "within the timeout period. Idle connections will be closed.",
                    400,
                )
            )
        elif self._current is not None or self._closing:
            self._transport.abort()
        elif self._receiving and not self._discarding:
            self._refuse(408, "Request Timeout")
        else:
            self._close()

    def drain(self) -> None:
        """Finish what is in work, then close."""
        if self._current is None:
            self._close()
        else:
            self._abandon()

    def _abandon(self) -> None:
        if self._task is not None and self._current is not None and self._current.abandonable:
            self._task.cancel()

    def abort(self) -> None:
        """End at once."""
        if self._task is not None:
            self._task.cancel()
        self._transport.abort()

    def _refuse(self, status: int, phrase: str) -> None:
        """Answer what is not a request, once the requests before it have theirs."""
        self._deaf = True
        if self._body is not None:
            self._body.fail(incomplete())
        if self._current is not None:
            self._refusal = (status, phrase)
            return
        self._keep_alive = False
        headers = (("Content-Type", "text/plain"),)
        text = phrase.encode("ascii")
        self._write(Request("GET", "/", "", {}, b""), WireResponse(status, headers, text), text)
        self._linger()

    def _linger(self) -> None:
        """Close our side; let the client read the response before the connection goes."""
        self._closing = self._deaf = True
        self._body = None
        self._discarding = 0
        self._set_reading(True)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._expect_within(_LINGER)

    def _close(self) -> None:
        self._closing = self._deaf = True
        self._transport.close()
