"""The Python family: processes forked from a zygote that has boto3 and the client loaded.

Owns the zygote's process and its protocol's node side (the other side, and the protocol, are
in `python_zygote`). A zygote that dies takes its processes with it and is started anew for
the next one.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import hashlib
import importlib.metadata
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from lambent.host.runtimes.contract import Launch, LaunchFailed, Process

_IDENTIFIER = re.compile(r"python3\.\d+")
_MESSAGE_BYTES = 1 << 20
_SANDBOX = Path(__file__).parent.parent / "sandboxes" / "private_tmp.py"
_DISTRIBUTIONS = (
    "awslambdaric",
    "boto3",
    "botocore",
    "jmespath",
    "python-dateutil",
    "s3transfer",
    "simplejson",
    "six",
    "snapshot-restore-py",
    "urllib3",
)
_log = logging.getLogger(__name__)


def create(cache: Path) -> PythonRuntime:
    """The family; its folder of runtime distributions lies in `cache`."""
    return PythonRuntime(cache)


class PythonRuntime:
    """Starts Python environments by the zygote."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._zygote: _Zygote | None = None
        self._starting: asyncio.Task[_Zygote] | None = None

    def runs(self, identifier: str) -> bool:
        return _IDENTIFIER.fullmatch(identifier) is not None

    def variables(self, identifier: str) -> Mapping[str, str]:
        return {"AWS_EXECUTION_ENV": f"AWS_Lambda_{identifier}"}

    async def prepare(self) -> None:
        await self._ready()

    async def start(self, launch: Launch) -> Process:
        for _ in range(2):
            zygote = await self._ready()
            try:
                return await zygote.start(launch)
            except _ZygoteGone:
                continue  # it died between two starts: a new one has not seen this launch
        raise LaunchFailed("The Python zygote died twice while it started a process.")

    async def close(self) -> None:
        if self._starting is not None:
            with contextlib.suppress(LaunchFailed):
                await self._starting
        if self._zygote is not None:
            await self._zygote.close()

    async def _ready(self) -> _Zygote:
        if self._zygote is not None and self._zygote.alive:
            return self._zygote
        if self._starting is None:
            self._starting = asyncio.create_task(self._open())
        try:
            self._zygote = await asyncio.shield(self._starting)
        finally:
            if self._starting is not None and self._starting.done():
                self._starting = None
        return self._zygote

    async def _open(self) -> _Zygote:
        loop = asyncio.get_running_loop()
        folder = await loop.run_in_executor(None, _runtime_folder, self._cache)
        zygote = _Zygote(folder)
        await zygote.ready
        return zygote


class _ZygoteGone(Exception):
    """The zygote died before it answered."""


class _Child:
    """A process forked by the zygote."""

    def __init__(self, zygote: _Zygote, pid: int) -> None:
        self._zygote = zygote
        self.pid = pid
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def kill(self) -> None:
        if not self.exited.done():
            self._zygote.send({"kill": self.pid})


class _Zygote:
    """One zygote process and the node's end of its socket."""

    def __init__(self, runtime_folder: Path) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self.alive = True
        self.ready: asyncio.Future[None] = loop.create_future()
        self._gone = loop.create_future()
        self._count = 0
        self._starts: dict[int, asyncio.Future[_Child]] = {}
        self._children: dict[int, _Child] = {}
        self._unsent: deque[tuple[bytes, int | None]] = deque()
        self._keep = _kept_folders(runtime_folder)
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            for end in (self._socket, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MESSAGE_BYTES)
            self._socket.setblocking(False)
            script = Path(__file__).with_name("python_zygote.py")
            self._process = subprocess.Popen(  # noqa: S603 - our own script
                [
                    *(sys.executable, "-I", "-S", "-X", "utf8", str(script)),
                    *(str(theirs.fileno()), str(runtime_folder), str(_SANDBOX)),
                ],
                env={"PATH": os.defpath, "LANG": "en_US.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                cwd="/",
            )
        loop.add_reader(self._socket.fileno(), self._receive)

    @property
    def pid(self) -> int:
        """The zygote's own process id."""
        return self._process.pid

    async def start(self, launch: Launch) -> _Child:
        """Fork a process. `_ZygoteGone` when the zygote died first."""
        if not self.alive:
            raise _ZygoteGone
        self._count += 1
        number = self._count
        started: asyncio.Future[_Child] = self._loop.create_future()
        self._starts[number] = started
        code, scratch = str(launch.code), str(launch.scratch)
        layers = [str(layer) for layer in launch.layers]
        self.send(
            {
                "start": number,
                "environment": dict(launch.environment),
                "code": code,
                "layers": layers,
                "scratch": scratch,
                "keep": [*self._keep, code, *layers],
                "handler": launch.handler,
            },
            os.dup(launch.output),
        )
        try:
            return await asyncio.shield(started)
        except asyncio.CancelledError:
            started.add_done_callback(_end_unwanted)
            raise

    def send(self, message: dict[str, object], fd: int | None = None) -> None:
        """Queue a message and, with it, a file descriptor that is then closed here."""
        self._unsent.append((json.dumps(message).encode(), fd))
        if len(self._unsent) == 1:
            self._flush()

    async def close(self) -> None:
        """End the zygote and with it all its processes; returns once they are gone."""
        if self.alive:
            self._socket.shutdown(socket.SHUT_RDWR)
        await self._gone

    def _flush(self) -> None:
        while self._unsent and self.alive:
            data, fd = self._unsent[0]
            rights = (
                []
                if fd is None
                else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
            )
            try:
                self._socket.sendmsg([data], rights)
            except BlockingIOError:
                self._loop.add_writer(self._socket.fileno(), self._flush)
                return
            except OSError:
                break  # the reader sees its end, too
            if fd is not None:
                os.close(fd)
            self._unsent.popleft()
        if self.alive:
            self._loop.remove_writer(self._socket.fileno())

    def _receive(self) -> None:
        while True:
            try:
                data = self._socket.recv(_MESSAGE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._end()
                return
            message = json.loads(data)
            if "started" in message:
                child = _Child(self, message["pid"])
                self._children[child.pid] = child
                started = self._starts.pop(message["started"])
                started.set_result(child)
            elif "exited" in message:
                gone = self._children.pop(message["exited"], None)
                if gone is not None and not gone.exited.done():
                    gone.exited.set_result(message["status"])
            elif not self.ready.done():
                self.ready.set_result(None)

    def _end(self) -> None:
        """The zygote is gone; the kernel killed its children with it, and we their children."""
        self.alive = False
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()
        for _, fd in self._unsent:
            if fd is not None:
                os.close(fd)
        self._unsent.clear()
        for child in self._children.values():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            if not child.exited.done():
                child.exited.set_result(signal.SIGKILL)
        self._children.clear()
        for started in self._starts.values():
            if not started.done():
                started.set_exception(_ZygoteGone())
        self._starts.clear()
        status = self._loop.run_in_executor(None, self._process.wait)
        status.add_done_callback(self._reaped)

    def _reaped(self, status: asyncio.Future[int]) -> None:
        if not self.ready.done():
            self.ready.set_exception(
                LaunchFailed(f"The Python zygote could not start (status {status.result()}).")
            )
        if not self._gone.done():
            self._gone.set_result(None)


def _end_unwanted(started: asyncio.Future[_Child]) -> None:
    if not started.cancelled() and started.exception() is None:
        started.result().kill()


def _runtime_folder(cache: Path) -> Path:
    """A folder that holds links to the runtime's own distributions, and nothing else.

    Functions find boto3 there, but not what Lambent itself is made of.
    """
    found = [importlib.metadata.distribution(name) for name in _DISTRIBUTIONS]
    key = hashlib.sha256()
    for distribution in found:
        place = distribution.locate_file("")
        key.update(f"{distribution.name} {distribution.version} {place}\n".encode())
    folder = cache / f"python-runtime-{key.hexdigest()[:16]}"
    if folder.is_dir():
        return folder
    making = cache / f"{folder.name}.{os.getpid()}"
    making.mkdir(parents=True, exist_ok=True)
    for distribution in found:
        for name in sorted({file.parts[0] for file in distribution.files or ()}):
            target = Path(str(distribution.locate_file(name)))
            link = making / name
            if name not in ("..", "__pycache__") and not link.is_symlink() and target.exists():
                link.symlink_to(target.resolve())
    try:
        making.rename(folder)
    except OSError:  # another node made it meanwhile
        for link in making.iterdir():
            link.unlink()
        making.rmdir()
    return folder


def _kept_folders(runtime_folder: Path) -> list[str]:
    """What Python environments must go on seeing, wherever it lies."""
    folders = {Path(sys.prefix), Path(sys.base_prefix), runtime_folder}
    folders.update(link.resolve().parent for link in runtime_folder.iterdir())
    return sorted(str(folder) for folder in folders)
