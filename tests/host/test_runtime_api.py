"""The Runtime API as a runtime of any language sees it: raw HTTP on its socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest_asyncio

from lambent.host.runtime_api import RuntimeApi, State
from lambent.host.wire import Server

PREFIX = "/2018-06-01/runtime"


@dataclass
class Told:
    events: list[tuple[object, ...]] = field(default_factory=list)

    def next_asked(self) -> None:
        self.events.append(("next",))

    def answered(self, body: bytes) -> None:
        self.events.append(("answered", body))

    def failed(self, error_type: str, body: bytes) -> None:
        self.events.append(("failed", error_type, body))

    def oversized(self, limit: int) -> None:
        self.events.append(("oversized", limit))

    def init_failed(self, error_type: str, body: bytes) -> None:
        self.events.append(("init failed", error_type, body))

    def stream_began(self, content_type: str) -> int:
        self.events.append(("began", content_type))
        return 10

    def stream_came(self, piece: bytes, resume: Callable[[], None]) -> bool:
        self.events.append(("came", piece))
        return True

    def stream_ended(self) -> None:
        self.events.append(("ended",))

    def stream_broke(self) -> None:
        self.events.append(("broke",))


@dataclass
class Client:
    """A runtime: one connection to the API."""

    api: RuntimeApi
    told: Told
    address: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def __call__(
        self, method: str, path: str, body: bytes = b"", headers: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        self.send(method, path, body, headers)
        return await self.receive()

    def send(self, method: str, path: str, body: bytes = b"", headers: str = "") -> None:
        head = f"{method} {PREFIX}{path} HTTP/1.1\r\nHost: x\r\n{headers}"
        self.writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    async def receive(self) -> tuple[int, dict[str, str], bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return int(first.split()[1]), headers, body

    async def take(self, request_id: str = "r-1", payload: bytes = b"{}") -> dict[str, str]:
        """Ask for an invocation and be given one."""
        self.send("GET", "/invocation/next")
        while self.api.state is not State.WAITING:
            await asyncio.wait_for(self._turn(), 5)
        self.api.offer(
            request_id,
            payload,
            arn="arn:aws:lambda:eu-west-1:1:function:f",
            deadline_ms=1234,
            trace="Root=1-a-b",
            client_context=b'{"a":\r\n1}',
        )
        status, headers, body = await self.receive()
        assert (status, body) == (200, payload)
        return headers

    async def _turn(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(turn.set_result, None)
        await turn


@pytest_asyncio.fixture
async def runtime() -> AsyncIterator[Client]:
    told = Told()
    api = RuntimeApi(told)
    server = Server({PREFIX.encode(): api})
    address = await server.open()
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    yield Client(api, told, address, reader, writer)
    writer.close()
    server.close()


async def test_next_carries_lambdas_headers(runtime: Client) -> None:
    headers = await runtime.take()
    assert headers["lambda-runtime-aws-request-id"] == "r-1"
    assert headers["lambda-runtime-deadline-ms"] == "1234"
    assert headers["lambda-runtime-invoked-function-arn"].endswith(":function:f")
    assert headers["lambda-runtime-trace-id"] == "root=1-a-b"
    assert headers["lambda-runtime-client-context"] == '{"a": 1}'


async def test_response_is_accepted_once(runtime: Client) -> None:
    await runtime.take()
    status, _, body = await runtime("POST", "/invocation/r-1/response", b'{"x":1}')
    assert (status, json.loads(body)) == (202, {"status": "OK"})
    status, _, body = await runtime("POST", "/invocation/r-1/response", b"again")
    assert status == 400
    assert json.loads(body) == {
        "errorMessage": "Invalid request ID",
        "errorType": "InvalidRequestID",
    }
    assert runtime.told.events == [("next",), ("answered", b'{"x":1}')]


async def test_answer_for_another_request_is_refused(runtime: Client) -> None:
    await runtime.take("r-1")
    status, _, body = await runtime("POST", "/invocation/r-2/error", b"{}")
    assert status == 400 and json.loads(body)["errorType"] == "InvalidRequestID"
    assert (await runtime("POST", "/invocation/r-1/error", b"{}"))[0] == 202
    assert runtime.told.events[-1] == ("failed", "", b"{}")


async def test_response_over_the_limit_is_413(runtime: Client) -> None:
    await runtime.take()
    status, _, body = await runtime("POST", "/invocation/r-1/response", b"x" * 6_291_557)
    assert status == 413
    assert json.loads(body)["errorType"] == "RequestEntityTooLarge"
    assert runtime.told.events[-1] == ("oversized", 6_291_556)


async def test_init_error_before_the_first_next_only(runtime: Client) -> None:
    headers = "Lambda-Runtime-Function-Error-Type: Runtime.NoSuchThing\r\n"
    assert (await runtime("POST", "/init/error", b'{"a":1}', headers))[0] == 202
    assert runtime.told.events == [("init failed", "Runtime.NoSuchThing", b'{"a":1}')]
    status, _, body = await runtime("POST", "/init/error", b"{}", headers)
    assert status == 403 and json.loads(body)["errorType"] == "InvalidStateTransition"


async def test_next_while_an_invocation_runs_is_403(runtime: Client) -> None:
    await runtime.take()
    status, _, body = await runtime("GET", "/invocation/next")
    assert status == 403 and json.loads(body)["errorType"] == "InvalidStateTransition"


async def test_unknown_path_is_404(runtime: Client) -> None:
    assert (await runtime("GET", "/nothing"))[0] == 404
    assert (await runtime("POST", "/invocation/r-1/shout"))[0] == 404


async def test_expect_continue_is_answered(runtime: Client) -> None:
    await runtime.take()
    runtime.send("POST", "/invocation/r-1/response", b"1", "Expect: 100-continue\r\n")
    assert (await runtime.receive())[0] == 100
    assert (await runtime.receive())[0] == 202


async def test_garbage_drops_the_connection(runtime: Client) -> None:
    runtime.writer.write(b"\x00\x01\x02 nonsense\r\n\r\n")
    await runtime.reader.read()
    assert runtime.told.events == []


STREAMING = (
    "Lambda-Runtime-Function-Response-Mode: streaming\r\nContent-Type: text/plain\r\n"
    "Transfer-Encoding: chunked\r\n"
)


def _stream(runtime: Client, *pieces: bytes, end: bytes = b"0\r\n\r\n") -> None:
    head = f"POST {PREFIX}/invocation/r-1/response HTTP/1.1\r\nHost: x\r\n{STREAMING}\r\n"
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    runtime.writer.write(head.encode() + chunks + end)


async def test_a_streamed_response_is_told_piece_by_piece(runtime: Client) -> None:
    await runtime.take()
    _stream(runtime, b"one", b"two", end=b"")
    while ("came", b"two") not in runtime.told.events:
        await runtime._turn()
    assert runtime.told.events[1:] == [("began", "text/plain"), ("came", b"one"), ("came", b"two")]
    runtime.writer.write(b"0\r\n\r\n")
    assert (await runtime.receive())[0] == 202
    assert runtime.told.events[-1] == ("ended",)


async def test_trailers_tell_an_error_within_a_streamed_response(runtime: Client) -> None:
    await runtime.take()
    trailers = (
        b"0\r\nLambda-Runtime-Function-Error-Type: Function.Late\r\n"
        b"Lambda-Runtime-Function-Error-Body: eyJhIjoxfQ==\r\n\r\n"
    )
    _stream(runtime, b"one", end=trailers)
    assert (await runtime.receive())[0] == 202
    assert runtime.told.events[-1] == ("failed", "Function.Late", b'{"a":1}')


async def test_a_streamed_response_over_the_limit_is_413(runtime: Client) -> None:
    await runtime.take()
    _stream(runtime, b"12345", b"678901")
    assert (await runtime.receive())[0] == 413
    assert runtime.told.events[-1][0] == "oversized"


async def test_a_connection_that_ends_within_a_streamed_response_breaks_it(
    runtime: Client,
) -> None:
    await runtime.take()
    _stream(runtime, b"one", end=b"")
    runtime.writer.close()
    while runtime.told.events[-1] != ("broke",):
        await runtime._turn()
