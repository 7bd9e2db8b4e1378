"""Which HTTP server: the same small exchange on each, measured by the same raw client.

    .venv/bin/python benchmarks/server.py [seconds]

64 keep-alive connections each send a POST of some 300 bytes of body, with the headers of an
SDK, and wait for an answer of 300 bytes. Client and server are one process each. See
docs/decisions/0001-http-server.md.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop

CONNECTIONS = 64
ANSWER = b"x" * 300
BODY = b'{"QueueUrl": "http://localhost:4566/000000000000/q", "MessageBody": "%b"}' % (b"m" * 230)
REQUEST = (
    b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: benchmark/1.0 md/Botocore#1 ua/2.1\r\n"
    b"Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AmazonSQS.SendMessage\r\n"
    b"X-Amz-Date: 20260101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 Credential=000000000000/"
    b"20260101/us-east-1/sqs/aws4_request, SignedHeaders=content-type;host;x-amz-date;"
    b"x-amz-target, Signature=0000000000000000000000000000000000000000000000000000000000000000\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
)


class Client(asyncio.Protocol):
    """One connection: sends, waits for the whole answer, sends again until told to stop."""

    def __init__(self, request: bytes, count: Callable[[bytes], bool]) -> None:
        self._request = request
        self._count = count
        self._buffer = b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            self._buffer = buffer
            return
        head = buffer[:end].lower()
        at = head.index(b"content-length:") + 15
        stop = head.find(b"\r\n", at)
        size = end + 4 + int(head[at : stop if stop > 0 else end])
        if len(buffer) < size:
            self._buffer = buffer
            return
        self._buffer = buffer[size:]
        if self._count(head):
            self._transport.write(self._request)
        else:
            self._transport.close()
            self.done.set_result(None)


async def load(port: int, seconds: float, request: bytes = REQUEST) -> float:
    """Answers with status 200 per second."""
    count = 0
    ends = time.perf_counter() + seconds

    def counted(head: bytes) -> bool:
        nonlocal count
        if not head.startswith(b"http/1.1 200"):
            raise RuntimeError(head.decode())
        count += 1
        return time.perf_counter() < ends

    loop = asyncio.get_running_loop()
    clients = [
        (await loop.create_connection(lambda: Client(request, counted), "127.0.0.1", port))[1]
        for _ in range(CONNECTIONS)
    ]
    await asyncio.gather(*(client.done for client in clients))
    return count / seconds


def serve_lambent(port: int) -> None:
    from lambent.core.clock import SystemClock
    from lambent.gateway.request import Request
    from lambent.gateway.server import HttpServer
    from lambent.protocol.contract import WireResponse

    async def handle(request: Request) -> WireResponse:
        return WireResponse(200, (("Content-Type", "application/x-amz-json-1.0"),), ANSWER)

    async def main() -> None:
        server = HttpServer(SystemClock())
        server.bind("127.0.0.1", port)
        await server.start(handle)
        await asyncio.Event().wait()

    uvloop.run(main())


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    headers = [
        (b"content-type", b"application/x-amz-json-1.0"),
        (b"content-length", b"%d" % len(ANSWER)),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})


async def rsgi(scope: Any, protocol: Any) -> None:
    await protocol()
    protocol.response_bytes(200, [("content-type", "application/x-amz-json-1.0")], ANSWER)


def serve_uvicorn(port: int) -> None:
    import uvicorn

    uvicorn.run(
        asgi, port=port, loop="uvloop", http="httptools", log_level="error", access_log=False
    )


def serve_granian(port: int) -> None:
    from granian import Granian
    from granian.constants import Interfaces, Loops

    Granian(
        "server:rsgi",
        port=port,
        interface=Interfaces.RSGI,
        loop=Loops.uvloop,
        log_enabled=False,
        working_dir=Path(__file__).parent,
    ).serve()


SERVERS = {"lambent": serve_lambent, "uvicorn": serve_uvicorn, "granian": serve_granian}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def ready(port: int, server: subprocess.Popen[bytes]) -> None:
    async with asyncio.timeout(20):
        while server.poll() is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)  # noqa: TID251
            else:
                writer.close()
                return
    raise SystemExit(f"The server ended with status {server.returncode}")


def processor_seconds(group: int) -> float:
    """What a process group has used so far."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def measure(name: str, seconds: float) -> dict[str, float]:
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, __file__, "--serve", name, str(port)], start_new_session=True
    )
    try:

        async def run() -> dict[str, float]:
            await ready(port, server)
            await load(port, seconds / 5)
            before = processor_seconds(server.pid)
            rate = await load(port, seconds)
            used = processor_seconds(server.pid) - before
            return {"rate": round(rate), "cpu_us": round(used / rate / seconds * 1e6, 1)}

        return uvloop.run(run())
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    if sys.argv[1:2] == ["--serve"]:
        SERVERS[sys.argv[2]](int(sys.argv[3]))
        return
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    for name in SERVERS:
        print(json.dumps({"server": name, **measure(name, seconds)}), flush=True)


if __name__ == "__main__":
    main()
