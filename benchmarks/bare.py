"""The bare limits in the same place: what the parts could do with nothing built on them.

- an HTTP server that parses with httptools and answers every request alike, on uvloop;
- SQLite commits, synced: one row each, and 64 rows each, per second;
- a fork of a process that has boto3 loaded, and its end.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httptools
import uvloop

from benchmarks import wire
from benchmarks.host import FORK
from benchmarks.load import Job, drive
from benchmarks.systems import free_port
from benchmarks.throughput import BODY, Figures
from lambent.store.backends.sqlite.folder import open_database

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n" + b"x" * 300
ROWS = 64


class _Echo(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._transport.write(ANSWER)


async def _serve(port: int) -> None:
    await asyncio.get_running_loop().create_server(_Echo, "127.0.0.1", port)
    print("ready", flush=True)
    await asyncio.Event().wait()


def http(seconds: float, figures: Figures) -> None:
    """Requests per second on 64 connections."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.bare", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert server.stdout is not None
    try:
        server.stdout.readline()
        request = wire.sqs("SendMessage", QueueUrl="http://127.0.0.1/0/bench", MessageBody=BODY)
        load = drive(Job(port, [request], seconds=seconds), server.pid)
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
    figures["bare.http"] = load.rate
    figures["bare.http.cpu_us"] = load.cpu * 1e6


def sqlite(seconds: float, figures: Figures) -> None:
    """Rows per second, one and 64 to a commit, with the store's own settings."""
    with tempfile.TemporaryDirectory() as folder:
        db = open_database(Path(folder))
        db.execute("CREATE TABLE bench (id INTEGER PRIMARY KEY, value BLOB)")
        for metric, rows in (("bare.commit_1", 1), ("bare.commit_64", ROWS)):
            done, began = 0, time.perf_counter()
            while time.perf_counter() - began < seconds:
                db.execute("BEGIN IMMEDIATE")
                for _ in range(rows):
                    db.execute("INSERT INTO bench (value) VALUES (?)", (BODY,))
                db.execute("COMMIT")
                done += rows
            figures[metric] = done / (time.perf_counter() - began)
        db.close()


def fork(seconds: float, figures: Figures) -> None:
    """Milliseconds for a fork of a process with boto3 loaded, and its end."""
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, check=True)
    figures["bare.fork"] = float(done.stdout) * 1e3


LIMITS = (http, sqlite, fork)

if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
