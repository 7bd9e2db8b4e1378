"""A host of real processes, shared by a worker's tests; each test has its own functions."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from lambent.core.clock import Clock, SystemClock
from lambent.core.ids import SystemIds
from lambent.host.contract import FunctionSpec, Invocation, InvocationResult
from lambent.host.local import LocalHost, open_host
from lambent.host.logs import LogStream
from lambent.host.output import LogEvent
from lambent.host.sandboxes.local import open_sandbox

_ids = SystemIds()
OWN_RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
"""What runs here without a word about another version."""
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "ASIAFUNCTION",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
}


def environments(host: LocalHost) -> dict[str, tuple[int, int]]:
    """By function: how many environments are busy and how many idle, where there are any."""
    return {
        arn: (activity.busy, activity.idle)
        for arn, activity in host.activity().items()
        if activity.busy or activity.idle
    }


@dataclass
class Logs:
    """A log sink that keeps everything, by log group."""

    events: dict[str, list[LogEvent]] = field(default_factory=dict)
    streams: list[LogStream] = field(default_factory=list)

    def write(self, stream: LogStream, events: Sequence[LogEvent]) -> None:
        self.events.setdefault(stream.group, []).extend(events)
        if stream not in self.streams:
            self.streams.append(stream)

    async def flush(self) -> None:
        pass

    async def close(self) -> None:
        pass


@dataclass
class Function:
    """A function made by a test, ready to be invoked."""

    host: LocalHost
    logs: Logs
    spec: FunctionSpec

    async def __call__(self, event: Any = None, **options: Any) -> InvocationResult:
        request = options.pop("request_id", None) or _ids.uuid()
        payload = event if isinstance(event, bytes) else msgspec.json.encode(event)
        return await self.host.invoke(self.spec, Invocation(request, payload, **options))

    @property
    def log(self) -> list[str]:
        """What was logged, event by event."""
        return [text for _, text in self.logs.events.get(f"/aws/lambda/{self.spec.name}", [])]

    @property
    def task(self) -> str:
        """Where its code lies for the function."""
        return self.host._tools.sandbox.task(self.spec.code)

    def revised(self, **changes: Any) -> Function:
        changes.setdefault("revision", _ids.hex(8))
        return Function(self.host, self.logs, replace(self.spec, **changes))


@asynccontextmanager
async def _opened(
    cache: Path, clock: Clock | None = None, **options: Any
) -> AsyncIterator[tuple[LocalHost, Logs]]:
    async def credentials(spec: FunctionSpec) -> Mapping[str, str]:
        return CREDENTIALS

    logs = Logs()
    host = await open_host(
        clock=clock or SystemClock(),
        ids=_ids,
        cache=cache,
        endpoint=lambda: "http://127.0.0.1:4566",
        credentials=credentials,
        logs=logs,
        **options,
    )
    try:
        yield host, logs
    finally:
        await host.close()


@pytest.fixture
def own_host(
    tmp_path: Path,
) -> Callable[..., AbstractAsyncContextManager[tuple[LocalHost, Logs]]]:
    """Open a host of the test's own: `async with own_host(keep_alive=1) as (host, logs)`."""

    def opener(**options: Any) -> AbstractAsyncContextManager[tuple[LocalHost, Logs]]:
        return _opened(tmp_path / "cache", **options)

    return opener


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[LocalHost, Logs]]:
    cache = tmp_path_factory.mktemp("host")
    async with _opened(cache, sandbox=await open_sandbox("auto", cache)) as opened:
        yield opened


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_bare(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[LocalHost, Logs]]:
    async with _opened(tmp_path_factory.mktemp("bare")) as opened:
        yield opened


@pytest.fixture
def define(tmp_path: Path) -> Callable[..., Function]:
    """`define(opened, source, **spec)`: a function whose code is `source` in app.py."""

    def make(opened: tuple[LocalHost, Logs], source: str, **options: Any) -> Function:
        name = f"f-{_ids.hex(12)}"
        code = tmp_path / name
        code.mkdir()
        (code / "app.py").write_text(textwrap.dedent(source))
        values: dict[str, Any] = {
            "arn": f"arn:aws:lambda:eu-west-1:123456789012:function:{name}",
            "name": name,
            "account": "123456789012",
            "region": "eu-west-1",
            "version": "$LATEST",
            "revision": "1",
            "runtime": OWN_RUNTIME,
            "handler": "app.handler",
            "code": code,
            "timeout": 30.0,
            "memory": 128,
            **options,
        }
        return Function(*opened, FunctionSpec(**values))

    return make


@pytest.fixture
def function(
    shared: tuple[LocalHost, Logs], define: Callable[..., Function]
) -> Callable[..., Function]:
    """`function(source, **spec)`: a function on the shared host, sandboxed as users have it."""
    return lambda source, **options: define(shared, source, **options)


@pytest.fixture
def bare(
    shared_bare: tuple[LocalHost, Logs], define: Callable[..., Function]
) -> Callable[..., Function]:
    """The same without sandbox, for tests that meet a function in files, or see its processes."""
    return lambda source, **options: define(shared_bare, source, **options)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until something holds (the test's own timeout is the limit)."""
    loop = asyncio.get_running_loop()
    while not condition():
        turn = loop.create_future()
        loop.call_later(0.002, turn.set_result, None)
        await turn


async def open_gate(path: Path) -> None:
    """Let whoever reads the named pipe go on, once it does (nobody waits for it in a thread,
    which could not be given up)."""

    def opened() -> bool:
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return False
        return True

    await until(opened)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().split()[3])
