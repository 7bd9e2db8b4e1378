"""Extensions beside the runtime's process, in the same sandbox.

The environment's process, inside already, starts a monitor, which starts one process per
extension, and tells the node how each ends. The runtime begins when the node says so: on
Lambda every extension has registered by then.

Messages on the control socket (SOCK_SEQPACKET, JSON):

    node → monitor  {"begin": true}
    monitor → node  {"exited": name, "status": wait status}
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
from collections.abc import Mapping
from typing import Any


def start(extensions: Mapping[str, Any], output: int, control: int) -> None:
    """Start them and wait. `extensions` has `programs`, paths by name, and `environment`."""
    begun, begin = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        if os.fork() == 0:
            with contextlib.suppress(BaseException):
                _Monitor(begin, control).run(extensions, output)
        # The monitor is nobody's child whom the function could wait for.
        os._exit(0)
    os.close(begin)
    os.waitpid(child, 0)
    if not os.read(begun, 1):
        os._exit(1)  # the monitor is gone, and nobody will say
    os.close(begun)


class _Monitor:
    """The process between the node and the extensions."""

    def __init__(self, begin: int, control: int) -> None:
        self._begin = begin
        self._control = socket.socket(fileno=control)
        self._names: dict[int, str] = {}

    def run(self, extensions: Mapping[str, Any], output: int) -> None:
        for name, path in extensions["programs"].items():
            pid = os.fork()
            if pid == 0:
                _become(path, extensions["environment"], output)
            self._names[pid] = name
        keep = sorted((self._begin, self._control.fileno()))
        for least, most in zip([-1, *keep], [*keep, 1 << 16], strict=True):
            os.closerange(least + 1, most)
        wake, wakeup = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        self._reap()  # who ended before anyone listened
        while True:
            ready, _, _ = select.select([self._control.fileno(), wake], [], [])
            if wake in ready:
                os.read(wake, 4096)
                self._reap()
            if self._control.fileno() in ready:
                data = self._control.recv(1 << 16)
                if not data:
                    return
                os.write(self._begin, b"b")

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                name = self._names.pop(found[0], "")
                if name:
                    message = {"exited": name, "status": found[1]}
                    self._control.send(json.dumps(message).encode())


def _become(path: str, environment: Mapping[str, str], output: int) -> None:
    try:
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        for fd in (1, 2):
            os.dup2(output, fd)
        os.closerange(3, 1 << 16)
        os.chdir("/")
        os.execve(path, [path], dict(environment))  # noqa: S606
    except OSError as error:
        os.write(2, f"{path}: {error.strerror}\n".encode())
    finally:
        os._exit(127)
