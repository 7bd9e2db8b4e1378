"""The loop of a function zygote: it forks an environment on demand, each in its own sandbox.

A function zygote is an environment's process that has loaded the function and then, instead
of asking for an invocation, calls `FunctionZygote.serve`. That returns only in forked
children. It has none of the base zygote's power (see `shells` for how its forks come into
sandboxes), and the node believes it nothing that matters.

Messages on its control socket (SOCK_SEQPACKET, JSON):

    node → zygote  {"start": n, "processes"} + launch socket, shell socket: a process that
                   waits in its sandbox until it is told by the launch socket what it is:
                   {"environment", "scratch", "keep"} + output fd; it ends when that ends;
                   with "extensions": + their output fd, their control fd
                   {"terminate": n}: only its own process
                   {"kill": n}, {"stop": n}, {"continue": n}: where it is not isolated
    zygote → node  {"ready": true}, or {"unfit": why}
                   {"started": n} + pidfd, {"exited": n, "status": s} and {"gone": n}
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import select
import signal
import socket
import stat
from typing import Any

from . import extensions, kernel, private_tmp, seccomp, shells

CONTROL_FD = 4
"""Where a function zygote finds its control socket."""
_OUTPUTS = (1, 2, 3)
MESSAGE_BYTES = 1 << 20


def unfit() -> str | None:
    """Why this process's state cannot be shared by its forks; None when it can."""
    if len(os.listdir("/proc/self/task")) > 1:
        return "its code starts threads"
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        if fd <= CONTROL_FD:
            continue
        try:
            mode = os.fstat(fd).st_mode
        except OSError:
            continue  # it was the listing's own
        if stat.S_ISSOCK(mode):
            return "its code opens connections"
        if stat.S_ISFIFO(mode):
            return "its code opens pipes"
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISCHR(mode)):
            return "its code opens an event loop or the like"
    return None


class FunctionZygote:
    """The loop that forks and reaps."""

    def __init__(self, isolated: bool, scratch: str) -> None:
        self._isolated = isolated
        self._scratch = scratch
        self._filter = seccomp.program(platform.machine()) if isolated else b""
        self._control = socket.socket(fileno=CONTROL_FD)
        self._pid = os.getpid()
        self._poll = select.poll()
        self._mains: dict[int, int] = {}
        self._numbers: dict[int, int] = {}

    def refuse(self, why: str) -> None:
        """Say that this process cannot be a zygote, and end."""
        self._send({"unfit": why})
        os._exit(0)

    def serve(self) -> dict[str, Any]:
        """Serve until the node ends. Returns only in a fork: the message that started it."""
        if self._isolated:
            kernel.adopt_orphans()
        self._poll.register(self._control, select.POLLIN)
        self._send({"ready": True})
        while True:
            for fd, _ in self._poll.poll():
                if fd != CONTROL_FD:
                    self._reap(fd)
                    continue
                data, fds, _, _ = socket.recv_fds(self._control, MESSAGE_BYTES, 2)
                if not data:
                    os._exit(0)
                message = json.loads(data)
                if "start" not in message:
                    self._signal(message)
                elif self._start(message, fds):
                    return message  # type: ignore[no-any-return]

    # The zygote ----------------------------------------------------------------------------

    def _send(self, message: dict[str, Any], fd: int | None = None) -> None:
        try:
            socket.send_fds(
                self._control, [json.dumps(message).encode()], [] if fd is None else [fd]
            )
        except OSError:
            os._exit(0)

    def _start(self, message: dict[str, Any], fds: list[int]) -> bool:
        """Fork; True in the environment's process."""
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            try:
                self._become(message, fds, write)
            except BaseException as error:
                os.write(2, f"The sandbox could not be entered: {error}\n".encode())
                os._exit(1)
            return True
        os.close(write)
        number = message["start"]
        main = child
        if self._isolated:
            # The one in between ends as soon as the environment's process is there, which
            # is ours then.
            main = int(os.read(read, 32) or 0)
            os.waitpid(child, 0)
        os.close(read)
        for fd in fds:
            os.close(fd)
        if not main:
            self._send({"exited": number, "status": 1 << 8})
            return False
        self._mains[number] = main
        pidfd = os.pidfd_open(main)
        self._numbers[pidfd] = number
        self._poll.register(pidfd, select.POLLIN)
        self._send({"started": number}, pidfd)
        return False

    def _reap(self, pidfd: int) -> None:
        number = self._numbers.pop(pidfd)
        main = self._mains.pop(number)
        self._poll.unregister(pidfd)
        os.close(pidfd)
        if not self._isolated:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(main, signal.SIGKILL)  # its children go first
        _, status = os.waitpid(main, 0)
        self._send({"exited": number, "status": status})
        self._send({"gone": number})

    def _signal(self, message: dict[str, Any]) -> None:
        (what,) = message
        main = self._mains.get(message[what])
        if what == "terminate":
            if main is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(main, signal.SIGTERM)
            return
        number = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "continue": signal.SIGCONT}
        if main is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(main, number[what])
            if what == "kill":
                with contextlib.suppress(ProcessLookupError):
                    os.kill(main, signal.SIGKILL)  # it may not have made its own group yet

    # The environment -----------------------------------------------------------------------

    def _become(self, message: dict[str, Any], fds: list[int], write: int) -> None:
        """Turn this fresh fork into the environment's process."""
        launch = socket.socket(fileno=fds[0])
        if self._isolated:
            with socket.socket(fileno=fds[1]) as shell:
                before = shells.enter(shell)
            main = os.fork()
            if main:
                os.write(write, str(main).encode())
                os._exit(0)
            shells.settle(before, message["processes"], self._filter)
        else:
            kernel.die_with_parent(signal.SIGKILL)
            if os.getppid() != self._pid:
                os._exit(1)
        os.setsid()
        for fd in (write, *self._numbers):
            os.close(fd)
        self._control.close()
        with launch:
            data, given, _, _ = socket.recv_fds(launch, MESSAGE_BYTES, 3)
        if not data:
            os._exit(0)  # it is not wanted any more
        message.update(json.loads(data))
        if not self._isolated:
            files = os.open(self._scratch, os.O_RDONLY | os.O_DIRECTORY)
            private_tmp.copy(files, message["scratch"])
            os.close(files)
            if not private_tmp.enter(message["scratch"], message["keep"]):
                os.environ["TMPDIR"] = message["scratch"]
        for fd in _OUTPUTS:
            os.dup2(given[0], fd, inheritable=fd < 3)
        if "extensions" in message:
            extensions.start(message["extensions"], *given[1:])
        for fd in given:
            os.close(fd)
