"""The HTTP/1.1 server, by bytes on a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from lambent.core.clock import VirtualClock
from lambent.core.errors import AwsError, StartupError
from lambent.core.streams import StreamingResult
from lambent.gateway.request import Request
from lambent.gateway.server import HttpServer, Limits
from lambent.protocol.contract import WireResponse

HOST = b"Host: x\r\n"


@dataclass
class Served:
    """A server with a handler that shows what it got."""

    server: HttpServer
    clock: VirtualClock
    port: int = 0
    seen: list[Request] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    pulled: int = 0
    broken: str = ""

    async def handle(self, request: Request) -> WireResponse:
        self.seen.append(request)
        match request.path:
            case "/wait":
                self.entered.set()
                await self.gate.wait()
            case "/raise":
                raise RuntimeError("a defect")
            case "/ignore":
                return WireResponse(403, (), b"no")
            case "/stream":
                return WireResponse(200, (), StreamingResult(self.chunks(3), None))
            case "/huge":
                return WireResponse(200, (), StreamingResult(self.chunks(1024), 1024 * 65536))
            case "/short":
                return WireResponse(200, (), StreamingResult(self.chunks(1), 999_999))
            case "/breakout":
                return WireResponse(200, (("X-Value", "a\r\nX-Evil: b"),), b"")
            case "/none":
                return WireResponse(204, (), b"")
        try:
            body = request.body if isinstance(request.body, bytes) else await request.body.read()
        except AwsError as error:
            self.broken = error.code
            return WireResponse(400, (), error.code.encode())
        return WireResponse(200, (("X-Length", str(len(body))),), body[:1000])

    async def chunks(self, count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            self.pulled += 1
            yield b"x" * 65536


@asynccontextmanager
async def serving(limits: Limits | None = None) -> AsyncIterator[Served]:
    clock = VirtualClock()
    served = Served(HttpServer(clock, limits), clock)
    served.port = served.server.bind("127.0.0.1", 0)
    await served.server.start(served.handle)
    try:
        yield served
    finally:
        served.gate.set()
        stop = asyncio.ensure_future(served.server.stop(1))
        while not stop.done():
            await clock.advance(1)
        await stop


@dataclass
class Peer:
    """A client that writes bytes and reads responses."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def to(cls, served: Served) -> Peer:
        return cls(*await asyncio.open_connection("127.0.0.1", served.port))

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> bytes:
        return await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)

    async def answer(self) -> tuple[int, bytes, bytes]:
        """status, head, body."""
        head = await self.head()
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")),
            0,
        )
        return int(head[9:12]), head, await self.reader.readexactly(length)

    async def rest(self) -> bytes:
        return await asyncio.wait_for(self.reader.read(), 10)

    def close(self) -> None:
        self.writer.close()


async def settled(condition: Callable[[], bool]) -> None:
    """Let the loop turn until a condition holds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - tests do not wait by the clock
            await asyncio.sleep(0)  # noqa: TID251


async def test_a_connection_serves_one_request_after_the_other():
    async with serving() as served:
        peer = await Peer.to(served)
        for count in range(3):
            await peer.send(
                b"POST / HTTP/1.1\r\n%bContent-Length: 5\r\n\r\nabc%02d" % (HOST, count)
            )
            status, head, body = await peer.answer()
            assert (status, body) == (200, b"abc%02d" % count)
            assert b"\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n" in head
            assert b"Connection" not in head


async def test_pipelined_requests_are_answered_in_order_though_the_first_takes_longer():
    async with serving() as served:
        peer = await Peer.to(served)
        await peer.send(b"GET /wait HTTP/1.1\r\n%b\r\n" % HOST)
        later = [
            b"POST /%d HTTP/1.1\r\n%bContent-Length: 1\r\n\r\n%d" % (n, HOST, n) for n in range(9)
        ]
        await peer.send(b"".join(later))
        await served.entered.wait()
        assert [request.path for request in served.seen] == ["/wait"]
        served.gate.set()
        assert (await peer.answer())[2] == b""
        assert [(await peer.answer())[2] for _ in range(9)] == [b"%d" % n for n in range(9)]


async def test_more_pipelined_requests_than_may_wait_are_all_answered():
    async with serving() as served:
        peer = await Peer.to(served)
        await peer.send(b"GET / HTTP/1.1\r\n%b\r\n" % HOST * 500)
        for _ in range(500):
            assert (await peer.answer())[0] == 200


async def test_a_request_may_arrive_byte_by_byte():
    async with serving() as served:
        peer = await Peer.to(served)
        for (
            byte
        ) in b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 3\r\n\r\nabc":
            await peer.send(bytes([byte]))
        assert (await peer.answer())[2] == b"abc"
        request = served.seen[0]
        assert (request.method, request.path, request.query) == ("POST", "/a", "b=c")
        assert request.headers["x-a"] == "1,2"


async def test_a_chunked_body_is_put_together_and_the_next_request_follows():
    async with serving() as served:
        peer = await Peer.to(served)
        await peer.send(
            b"POST / HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n" % HOST
        )
        await peer.send(b"4\r\ndefg\r\n0\r\nX-Trailer: t\r\n\r\nGET / HTTP/1.1\r\n%b\r\n" % HOST)
        assert (await peer.answer())[2] == b"abcdefg"
        assert (await peer.answer())[0] == 200
        assert served.seen[0].body.trailers == {"x-trailer": "t"}


async def test_expect_is_answered_before_the_body_is_sent():
    async with serving() as served:
        peer = await Peer.to(served)
        head = b"PUT / HTTP/1.1\r\n%bExpect: 100-continue\r\nContent-Length: 3\r\n\r\n" % HOST
        await peer.send(head)
        assert await peer.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await peer.send(b"abc")
        assert (await peer.answer())[2] == b"abc"
        await peer.send(b"GET / HTTP/1.1\r\n%b\r\n" % HOST)
        assert (await peer.answer())[0] == 200


async def test_expect_is_not_answered_when_the_request_is_refused():
    async with serving() as served:
        peer = await Peer.to(served)
        head = b"PUT /ignore HTTP/1.1\r\n%bExpect: 100-continue\r\nContent-Length: 3\r\n\r\n" % HOST
        await peer.send(head)
        status, head, _ = await peer.answer()
        assert (status, b"Connection: close" in head) == (403, True)


async def test_a_large_body_streams_and_the_reader_holds_the_sender_back():
    async with serving() as served:
        peer = await Peer.to(served)
        size = 32 * 1024 * 1024
        await peer.send(b"POST /wait HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n" % (HOST, size))
        sending = asyncio.ensure_future(peer.send(bytes(size)))
        await served.entered.wait()
        body = served.seen[0].body
        await settled(lambda: body.buffered >= 512 * 1024)
        assert body.buffered < 2 * 1024 * 1024
        assert not sending.done()
        served.gate.set()
        status, head, _ = await peer.answer()
        assert status == 200 and b"X-Length: %d\r\n" % size in head
        await sending


async def test_an_unread_small_body_is_dropped_and_the_connection_goes_on():
    async with serving() as served:
        peer = await Peer.to(served)
        await peer.send(b"POST /ignore HTTP/1.1\r\n%bContent-Length: 200000\r\n\r\n" % HOST)
        assert (await peer.answer())[0] == 403
        await peer.send(bytes(200000) + b"GET / HTTP/1.1\r\n%b\r\n" % HOST)
        assert (await peer.answer())[0] == 200


async def test_an_unread_large_body_ends_the_connection_after_its_answer():
    async with serving() as served:
        peer = await Peer.to(served)
        await peer.send(b"POST /ignore HTTP/1.1\r\n%bContent-Length: 9000000\r\n\r\nabc" % HOST)
        status, head, body = await peer.answer()
        assert (status, body, b"Connection: close" in head) == (403, b"no", True)
        assert await peer.rest() == b""


async def test_a_streamed_answer_without_length_is_chunked():
    async with serving() as served:
        peer = await Peer.to(served)
        await peer.send(b"GET /stream HTTP/1.1\r\n%bConnection: close\r\n\r\n" % HOST)
        assert b"Transfer-Encoding: chunked" in await peer.head()
        assert await peer.rest() == (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 3 + b"0\r\n\r\n"


async def test_an_http_1_0_client_gets_a_streamed_answer_ended_by_the_connection():
    async with serving() as served:
        peer = await Peer.to(served)
        await peer.send(b"GET /stream HTTP/1.0\r\n\r\n")
        assert b"Transfer-Encoding" not in await peer.head()
        assert len(await peer.rest()) == 3 * 65536


async def test_a_client_that_does_not_read_holds_the_answer_back():
    async with serving() as served:
        peer = await Peer.to(served)
        peer.writer.transport.pause_reading()
        await peer.send(b"GET /huge HTTP/1.1\r\n%b\r\n" % HOST)
        await settled(lambda: served.pulled > 0)
        for _ in range(200):
            await asyncio.sleep(0)  # noqa: TID251
        assert served.pulled < 1024
        peer.writer.transport.resume_reading()
        status, _, body = await peer.answer()
        assert (status, len(body)) == (200, 1024 * 65536)


async def test_an_answer_that_breaks_off_cuts_the_connection():
    async with serving() as served:
        peer = await Peer.to(served)
        await peer.send(b"GET /short HTTP/1.1\r\n%b\r\n" % HOST)
        assert b"Content-Length: 999999" in await peer.head()
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await peer.reader.readexactly(999_999)


async def test_head_gives_the_length_and_no_body():
    async with serving() as served:
        peer = await Peer.to(served)
        await peer.send(b"HEAD /huge HTTP/1.1\r\n%b\r\nGET /none HTTP/1.1\r\n%b\r\n" % (HOST, HOST))
        assert b"Content-Length: 67108864" in await peer.head()
        head = await peer.head()
        assert head.startswith(b"HTTP/1.1 204") and b"Content-Length" not in head
        assert served.pulled == 0


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"rubbish\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
async def test_what_is_no_request_gets_400_and_the_end(request_bytes: bytes):
    async with serving() as served:
        peer = await Peer.to(served)
        await peer.send(request_bytes)
        status, head, _ = await peer.answer()
        assert (status, b"Connection: close" in head) == (400, True)
        assert await peer.rest() == b""


async def test_rubbish_after_a_request_is_refused_after_its_answer():
    async with serving() as served:
        peer = await Peer.to(served)
        await peer.send(b"GET /wait HTTP/1.1\r\n%b\r\nrubbish\r\n\r\n" % HOST)
        await served.entered.wait()
        served.gate.set()
        assert [(await peer.answer())[0] for _ in range(2)] == [200, 400]


async def test_headers_beyond_the_limit_are_refused():
    async with serving() as served:
        peer = await Peer.to(served)
        await peer.send(b"GET / HTTP/1.1\r\n%bX-Big: %b\r\n\r\n" % (HOST, b"x" * 70_000))
        assert (await peer.answer())[0] == 431


async def test_headers_that_never_end_are_refused_at_the_limit():
    async with serving() as served:
        peer = await Peer.to(served)
        await peer.send(b"GET / HTTP/1.1\r\n%bX-Big: %b" % (HOST, b"x" * 70_000))
        assert (await peer.answer())[0] == 431


async def test_a_line_break_in_a_value_adds_no_header():
    async with serving() as served:
        peer = await Peer.to(served)
        await peer.send(b"GET /breakout HTTP/1.1\r\n%b\r\n" % HOST)
        assert b"\r\nX-Value: a  X-Evil: b\r\n" in await peer.head()


async def test_a_request_for_an_upgrade_is_answered_as_if_it_had_not_asked():
    async with serving() as served:
        peer = await Peer.to(served)
        await peer.send(
            b"POST / HTTP/1.1\r\n%bConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
            b"HTTP2-Settings: x\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\n%b\r\n"
            % (HOST, HOST)
        )
        assert (await peer.answer())[2] == b"abc"
        assert (await peer.answer())[0] == 200


async def test_a_client_that_closes_its_side_after_sending_still_gets_all_answers():
    async with serving() as served:
        peer = await Peer.to(served)
        await peer.send(b"GET /wait HTTP/1.1\r\n%b\r\nGET / HTTP/1.1\r\n%b\r\n" % (HOST, HOST))
        peer.writer.write_eof()
        await served.entered.wait()
        served.gate.set()
        assert (await peer.rest()).count(b"HTTP/1.1 200 OK") == 2


async def test_a_defect_of_the_handler_is_a_500_and_the_connection_goes_on():
    async with serving() as served:
        peer = await Peer.to(served)
        await peer.send(b"GET /raise HTTP/1.1\r\n%b\r\nGET / HTTP/1.1\r\n%b\r\n" % (HOST, HOST))
        assert [(await peer.answer())[0] for _ in range(2)] == [500, 200]


async def pass_time(served: Served, seconds: float) -> None:
    await settled(lambda: served.clock.next_due() is not None)
    await served.clock.advance(seconds)


async def test_a_client_that_sends_half_a_head_is_told_that_its_time_is_up():
    async with serving() as served:
        peer = await Peer.to(served)
        await peer.send(b"GET / HTTP/1.1\r\nHos")
        await settled(lambda: any(c._receiving for c in served.server.connections))
        await pass_time(served, 31)
        assert (await peer.answer())[0] == 408


async def test_a_client_that_sends_half_a_body_is_told_that_its_time_is_up():
    async with serving() as served:
        peer = await Peer.to(served)
        await peer.send(b"POST / HTTP/1.1\r\n%bContent-Length: 900000\r\n\r\nabc" % HOST)
        await settled(lambda: bool(served.seen) and served.seen[0].body.waited_for)
        await pass_time(served, 31)
        assert (await peer.answer())[::2] == (400, b"RequestTimeout")


async def test_an_idle_connection_is_closed_after_its_time():
    async with serving() as served:
        peer = await Peer.to(served)
        await peer.send(b"GET / HTTP/1.1\r\n%b\r\n" % HOST)
        await peer.answer()
        await pass_time(served, 91)
        assert await peer.rest() == b""


async def test_a_client_that_reads_nothing_is_cut_off_after_its_time():
    async with serving() as served:
        peer = await Peer.to(served)
        peer.writer.transport.pause_reading()
        await peer.send(b"GET /huge HTTP/1.1\r\n%b\r\n" % HOST)
        await settled(lambda: any(c._drained is not None for c in served.server.connections))
        await pass_time(served, 61)
        await settled(lambda: not served.server.connections)


async def test_the_reader_of_a_body_learns_that_its_client_went_away():
    async with serving() as served:
        peer = await Peer.to(served)
        await peer.send(b"POST / HTTP/1.1\r\n%bContent-Length: 900000\r\n\r\nabc" % HOST)
        await settled(lambda: bool(served.seen) and served.seen[0].body.waited_for)
        peer.writer.transport.abort()
        await settled(lambda: served.broken == "IncompleteBody")


@pytest.mark.parametrize("abandonable", [True, False])
async def test_work_whose_client_went_away_ends_only_if_it_may_be_abandoned(abandonable: bool):
    async with serving() as served:
        peer = await Peer.to(served)
        await peer.send(b"GET /wait HTTP/1.1\r\n%b\r\n" % HOST)
        await served.entered.wait()
        served.seen[0].abandonable = abandonable
        task = next(iter(served.server.connections))._task
        peer.close()
        await settled(lambda: all(c._eof for c in served.server.connections))
        await asyncio.sleep(0)  # noqa: TID251
        served.gate.set()
        await settled(task.done)
        assert task.cancelled() is abandonable


async def draining(served: Served, grace: float) -> Awaitable[None]:
    stop = asyncio.ensure_future(served.server.stop(grace))
    await settled(lambda: served.server.draining)
    return stop


async def test_stopping_lets_work_finish_and_closes_what_is_idle():
    async with serving() as served:
        idle, busy = await Peer.to(served), await Peer.to(served)
        await busy.send(b"GET /wait HTTP/1.1\r\n%b\r\n" % HOST)
        await served.entered.wait()
        stop = await draining(served, 30)
        assert await idle.rest() == b""
        served.gate.set()
        status, head, _ = await busy.answer()
        assert (status, b"Connection: close" in head) == (200, True)
        await stop


async def test_stopping_cuts_off_what_outlives_the_grace():
    async with serving() as served:
        busy = await Peer.to(served)
        await busy.send(b"GET /wait HTTP/1.1\r\n%b\r\n" % HOST)
        await served.entered.wait()
        stop = await draining(served, 30)
        await pass_time(served, 31)
        await stop
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await busy.answer()


async def test_a_port_in_use_is_one_clear_sentence():
    async with serving() as served:
        other = HttpServer(served.clock)
        with pytest.raises(
            StartupError, match=rf"^Port {served.port} on 127.0.0.1 is already in use"
        ):
            other.bind("127.0.0.1", served.port)
