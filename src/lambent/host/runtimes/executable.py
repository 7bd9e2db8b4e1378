"""Starting the processes of runtimes that are programs of their own, and watching them.

Every family but Python uses it. The node starts `launcher`, which becomes the program. A
process is killed by the kernel when the node dies (PR_SET_PDEATHSIG), and its children,
which share its process group, when it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lambent.host.runtimes.contract import Launch, LaunchFailed

_LAUNCHER = Path(__file__).with_name("launcher.py")
_READ_BYTES = 64


class Programs:
    """The processes of one family."""

    def __init__(self) -> None:
        self._running: set[Program] = set()

    async def prepare(self) -> None:
        return

    async def start(self, launch: Launch, command: Sequence[str] = ()) -> Program:
        order = {
            "command": list(command),
            "environment": dict(launch.environment),
            "code": str(launch.code),
            "scratch": str(launch.scratch),
            "parent": os.getpid(),
        }
        process, status = _launch(order, launch.output)
        program = Program(process)
        self._running.add(program)
        program.exited.add_done_callback(lambda _: self._running.discard(program))
        try:
            told = await _until_end(status)
        except asyncio.CancelledError:
            program.kill()
            raise
        if told:
            await program.exited
            reason = os.strerror(int(told)).lower()
            raise LaunchFailed(f"fork/exec {command[0]}: {reason}", "Runtime.InvalidEntrypoint")
        return program

    async def close(self) -> None:
        """End all that run; returns once they are gone."""
        for program in tuple(self._running):
            program.kill()
        while self._running:
            await asyncio.wait({program.exited for program in self._running})


class Program:
    """A `Process` (see `contract`), watched through its pidfd."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        loop = asyncio.get_running_loop()
        self._process = process
        self._loop = loop
        self._pidfd = os.pidfd_open(process.pid)
        self.pid = process.pid
        self.exited: asyncio.Future[int] = loop.create_future()
        loop.add_reader(self._pidfd, self._reap)

    def kill(self) -> None:
        if not self.exited.done():
            self._kill_group()

    def _reap(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        # Its children go first, while its id still cannot be another's.
        self._kill_group()
        _, status = os.waitpid(self.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self.exited.set_result(status)

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


def _launch(order: Mapping[str, object], output: int) -> tuple[subprocess.Popen[bytes], int]:
    """Start the launcher; the process, and the pipe on which it tells of an error."""
    status, their_status = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    order_file = os.memfd_create("launch", 0)
    try:
        os.write(order_file, json.dumps(order).encode())
        os.lseek(order_file, 0, os.SEEK_SET)
        process = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, "-I", "-S", str(_LAUNCHER), str(order_file), str(their_status)],
            env={"PATH": os.defpath, "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(order_file, their_status),
            start_new_session=True,
            cwd="/",
        )
    except BaseException:
        os.close(status)
        raise
    finally:
        os.close(order_file)
        os.close(their_status)
    return process, status


async def _until_end(fd: int) -> bytes:
    """What a non-blocking pipe says before its other end is closed; closes this one."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[bytes] = loop.create_future()
    parts: list[bytes] = []

    def readable() -> None:
        data = os.read(fd, _READ_BYTES)
        if data:
            parts.append(data)
        elif not ended.done():
            loop.remove_reader(fd)
            ended.set_result(b"".join(parts))

    loop.add_reader(fd, readable)
    try:
        return await ended
    finally:
        loop.remove_reader(fd)
        os.close(fd)
