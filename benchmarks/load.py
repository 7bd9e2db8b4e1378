"""The load generator: raw HTTP on many connections, in a process of its own.

`drive` starts one, gives it a job and waits for its result. Each connection sends a request,
reads the whole answer, and sends the next; it connects anew when the server closes.
"""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import httptools
import msgspec
import uvloop

from benchmarks.processes import processor_seconds


class Job(msgspec.Struct):
    """What to send: the requests, over and over, until the time is over or `limit` were sent
    (0: no limit). `keep` keeps the answers' bodies. With `others`, the connections are shared
    evenly among all ports.
    """

    port: int
    requests: list[bytes]
    connections: int = 64
    seconds: float = 1.0
    limit: int = 0
    keep: bool = False
    others: list[int] = []


class Load(msgspec.Struct):
    """What came back. `median` is of the seconds from a request to its answer, `cpu` the
    server's processor time per answer, in seconds."""

    answers: int
    seconds: float
    failures: int
    failure: str = ""
    bodies: list[bytes] = []
    median: float = 0.0
    cpu: float = 0.0

    @property
    def rate(self) -> float:
        return self.answers / self.seconds


class LoadFailed(Exception):
    """The system did not answer with success."""


def drive(job: Job, server: int) -> Load:
    """Run a job against the server whose process id is given. LoadFailed on any failure."""
    used = processor_seconds(server)
    # By a file, since large results were seen to be cut off in a pipe.
    with tempfile.NamedTemporaryFile() as result:
        subprocess.run(
            [sys.executable, "-m", "benchmarks.load", result.name],
            input=msgspec.msgpack.encode(job),
            check=True,
        )
        load = msgspec.msgpack.decode(result.read(), type=Load)
    if load.failures or not load.answers:
        raise LoadFailed(load.failure or "no answer")
    load.cpu = (processor_seconds(server) - used) / load.answers
    return load


class _Run:
    """What the connections share."""

    def __init__(self, job: Job) -> None:
        requests: Iterator[bytes] = itertools.cycle(job.requests)
        self.requests = itertools.islice(requests, job.limit) if job.limit else requests
        self.keep = job.keep
        self.result = Load(0, 0.0, 0)
        self.times: list[float] = []
        self.began = time.perf_counter()
        self.ends = self.began + job.seconds

    def next(self) -> bytes | None:
        """The next request; None when it is over."""
        if time.perf_counter() >= self.ends or self.result.failures:
            return None
        return next(self.requests, None)

    def fail(self, reason: str) -> None:
        self.result.failures += 1
        self.result.failure = self.result.failure or reason


class _Connection(asyncio.Protocol):
    """One request at a time. `over` is set when there is nothing left to send."""

    def __init__(self, run: _Run, port: int) -> None:
        self._run = run
        self._port = port
        self._parser: Any = None
        self._pieces: list[bytes] = []
        self._sent: bytes | None = None
        self._began = 0.0
        self.over = asyncio.get_running_loop().create_future()

    async def connect(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: self, "127.0.0.1", self._port
            )
        except OSError as error:
            self._run.fail(str(error))
            self._end()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._run.fail(f"no HTTP: {error}")
            self._end()

    def on_body(self, data: bytes) -> None:
        if self._run.keep or self._parser.get_status_code() >= 300:
            self._pieces.append(data)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status == 100:
            return
        result = self._run.result
        if 200 <= status < 300:
            result.answers += 1
            self._run.times.append(time.perf_counter() - self._began)
            if self._run.keep:
                result.bodies.append(b"".join(self._pieces))
        else:
            self._run.fail(f"{status} {b''.join(self._pieces)[:200].decode(errors='replace')}")
        self._sent = None
        if self._parser.should_keep_alive():
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if self._sent is not None:
            self._run.fail("the connection was closed without an answer")
        if time.perf_counter() >= self._run.ends:
            self._end()
        elif not self.over.done():
            self._again = asyncio.ensure_future(self.connect())

    def _send(self) -> None:
        request = self._run.next()
        if request is None:
            self._end()
            self._transport.close()
            return
        self._parser = httptools.HttpResponseParser(self)
        self._pieces.clear()
        self._sent = request
        self._began = time.perf_counter()
        self._transport.write(request)  # type: ignore[attr-defined]

    def _end(self) -> None:
        self._sent = None
        if not self.over.done():
            self.over.set_result(None)


async def _load(job: Job) -> Load:
    run = _Run(job)
    ports = itertools.cycle([job.port, *job.others])
    connections = [_Connection(run, next(ports)) for _ in range(job.connections)]
    await asyncio.gather(*(connection.connect() for connection in connections))
    await asyncio.wait([connection.over for connection in connections], timeout=job.seconds + 20)
    run.result.seconds = time.perf_counter() - run.began
    run.result.median = median(run.times) if run.times else 0.0
    if not all(connection.over.done() for connection in connections):
        run.fail("no answer within 20 seconds")
    return run.result


def main() -> None:
    """One job from standard input, its result to the file that the command line names."""
    job = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Job)
    Path(sys.argv[1]).write_bytes(msgspec.msgpack.encode(uvloop.run(_load(job))))


if __name__ == "__main__":
    main()
