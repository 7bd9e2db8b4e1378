"""The node's end of what forks processes: zygotes, and function zygotes forked by these.

Their own ends, and the messages, are in `inside.forking` and `inside.forks`.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from lambent.host.runtimes.contract import LaunchFailed, Network
from lambent.host.sandboxes import peers
from lambent.host.sandboxes.cgroups import Group

_MESSAGE_BYTES = 1 << 20
_AT_ONCE = 64
"""Messages that are read before others have their turn."""
_FDS = socket.CMSG_SPACE(16 * 4)


_log = logging.getLogger(__name__)


class ZygoteGone(Exception):
    """The zygote died before it answered."""


class Child:
    """A process forked by a zygote (a `Process`, see `runtimes.contract`)."""

    def __init__(self, zygote: Forker, number: int, pid: int) -> None:
        self.zygote = zygote
        self.number = number
        self.pid = pid
        self.address = ""
        self.out_of_memory = False
        self.group: Group | None = None
        self.isolated = False
        self.user: int | None = None
        """Who its processes are outside, where that is nobody else."""
        self._namespace = ""
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[int] = loop.create_future()
        self.gone: asyncio.Future[None] = loop.create_future()

    def owns(self, theirs: peers.End, ours: peers.End) -> bool:
        if not self.isolated:
            return True
        owner = peers.owner(theirs, ours)
        if owner is None:
            return False
        if self.user is not None:
            return owner.user == self.user
        # The process may be gone before its extensions are.
        self._namespace = self._namespace or peers.namespace(self.pid)
        return peers.holds(self.pid, self._namespace, owner.inode)

    def terminate(self) -> None:
        if not self.exited.done():
            self.zygote.send({"terminate": self.number})

    def kill(self) -> None:
        if not self.gone.done():
            self.zygote.send({"kill": self.number})

    def freeze(self, frozen: bool) -> None:
        if self.exited.done():
            return
        if self.group is not None and self.group.freezes:
            self.group.freeze(frozen)
        else:
            # By its zygote, to which its id cannot be another's meanwhile.
            self.zygote.send({"stop" if frozen else "continue": self.number})


class Forker:
    """The connection to a process that forks others. `their_end` is its end of it, to be
    passed on and closed.

    What comes by it may be anything, if untrusted code is at the other end: it ends then.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self.alive = True
        self.ready: asyncio.Future[None] = loop.create_future()
        self._gone = loop.create_future()
        self._count = 0
        self._reason = ""
        self._starts: dict[int, asyncio.Future[Child]] = {}
        self._children: dict[int, Child] = {}
        self._networks: dict[int, Network] = {}
        self._unsent: deque[tuple[bytes, tuple[int, ...]]] = deque()
        self._socket, self.their_end = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC
        )
        for end in (self._socket, self.their_end):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MESSAGE_BYTES)
        self._socket.setblocking(False)
        loop.add_reader(self._socket.fileno(), self._receive)

    async def start(
        self, message: Mapping[str, object], *fds: int, network: Network | None = None
    ) -> Child:
        """Fork a process, which gets copies of the descriptors: its output, and what else the
        message says. `ZygoteGone` when the zygote died first."""
        if not self.alive:
            raise ZygoteGone
        self._count += 1
        number = self._count
        started: asyncio.Future[Child] = self._loop.create_future()
        self._starts[number] = started
        if network is not None:
            self._networks[number] = network
        self.send({"start": number, **message}, *map(os.dup, fds))
        try:
            return await asyncio.shield(started)
        except asyncio.CancelledError:
            started.add_done_callback(_end_unwanted)
            raise

    def send(self, message: Mapping[str, object], *fds: int) -> None:
        """Queue a message and, with it, file descriptors that are then closed here."""
        self._unsent.append((json.dumps(message).encode(), fds))
        if len(self._unsent) == 1:
            self._flush()

    def _flush(self) -> None:
        while self._unsent and self.alive:
            data, fds = self._unsent[0]
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
            try:
                self._socket.sendmsg([data], rights)
            except BlockingIOError:
                self._loop.add_writer(self._socket.fileno(), self._flush)
                return
            except OSError:
                break  # the reader sees its end, too
            for fd in fds:
                os.close(fd)
            self._unsent.popleft()
        if self.alive:
            self._loop.remove_writer(self._socket.fileno())

    def _receive(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                data, ancillary, _, _ = self._socket.recvmsg(_MESSAGE_BYTES, _FDS)
            except BlockingIOError:
                return
            except OSError:
                data, ancillary = b"", []
            if not data:
                self._end()
                return
            fds = _descriptors(ancillary)
            try:
                self._take(json.loads(data), fds)
            except (
                ValueError,
                LookupError,
                TypeError,
                OSError,
                asyncio.InvalidStateError,
            ) as error:
                _log.warning("A zygote said what it should not: %r", error)
                self._end()
                return
            finally:
                for fd in fds:
                    os.close(fd)

    def _take(self, message: dict[str, int | str], fds: list[int]) -> None:
        if "started" in message:
            number = int(message["started"])
            child = Child(self, number, _pid_of(fds[0]))
            started = self._starts.pop(number)
            self._children[number] = child
            started.set_result(child)
        elif "listening" in message:
            network = self._networks.pop(int(message["listening"]), None)
            if network is not None:
                network.serve([socket.socket(fileno=fd) for fd in fds])
                fds.clear()
        elif "exited" in message:
            self._networks.pop(int(message["exited"]), None)
            exited = self._children.get(int(message["exited"]))
            if exited is not None and not exited.exited.done():
                exited.exited.set_result(int(message["status"]))
        elif "gone" in message:
            gone = self._children.pop(int(message["gone"]), None)
            if gone is not None and not gone.gone.done():
                gone.gone.set_result(None)
        elif "failed" in message:
            self._reason = str(message["failed"])
        elif not self.ready.done():
            self.ready.set_result(None)

    def _end(self) -> None:
        """The zygote is gone; the kernel killed its children with it, and we their children."""
        self.alive = False
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()
        for _, fds in self._unsent:
            for fd in fds:
                os.close(fd)
        self._unsent.clear()
        for child in self._children.values():
            if child.pid:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(child.pid, signal.SIGKILL)
            if not child.exited.done():
                child.exited.set_result(signal.SIGKILL)
            if not child.gone.done():
                child.gone.set_result(None)
        self._children.clear()
        for started in self._starts.values():
            if not started.done():
                started.set_exception(ZygoteGone())
        self._starts.clear()
        self._lost()

    def _lost(self) -> None:
        """The connection has ended: see that the process does."""
        raise NotImplementedError


class Zygote(Forker):
    """One zygote process. `command` is a Python and its script, `arguments` what that is told
    besides its socket."""

    def __init__(self, command: Sequence[str], arguments: Sequence[str]) -> None:
        super().__init__()
        with self.their_end as theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own script
                [
                    *(command[0], "-I", "-S", "-X", "utf8", *command[1:]),
                    *(str(theirs.fileno()), *arguments),
                ],
                env={"PATH": os.defpath, "LANG": "en_US.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                cwd="/",
            )

    @property
    def pid(self) -> int:
        """The zygote's own process id."""
        return self._process.pid

    async def close(self) -> None:
        """End the zygote and with it all its processes; returns once they are gone."""
        if self.alive:
            self._socket.shutdown(socket.SHUT_RDWR)
        await self._gone

    def _lost(self) -> None:
        status = self._loop.run_in_executor(None, self._process.wait)
        status.add_done_callback(self._reaped)

    def _reaped(self, status: asyncio.Future[int]) -> None:
        if not self.ready.done():
            why = self._reason or f"status {status.result()}"
            self.ready.set_exception(LaunchFailed(f"The zygote could not start ({why})."))
        if not self._gone.done():
            self._gone.set_result(None)


def _end_unwanted(started: asyncio.Future[Child]) -> None:
    if not started.cancelled() and started.exception() is None:
        started.result().kill()


def _descriptors(ancillary: Sequence[tuple[int, int, bytes]]) -> list[int]:
    fds = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return list(fds)


def _pid_of(pidfd: int) -> int:
    """The process's id as seen here; the zygote may see another. 0 when it is gone."""
    for line in Path(f"/proc/self/fdinfo/{pidfd}").read_text().splitlines():
        if line.startswith("Pid:"):
            return max(int(line[4:]), 0)
    return 0
