"""Extensions beside the runtime's process, in the same sandbox.

The environment's process, inside already, starts a monitor, which starts one process per
extension and tells the node how each ends. Then it waits until the node lets the runtime
begin: on Lambda every extension has registered by then.

Messages on the control socket (SOCK_SEQPACKET):

    monitor → node      {"exited": name, "status": wait status} (JSON)
    node → environment  anything: begin
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Mapping
from typing import Any


def start(extensions: Mapping[str, Any], output: int, control: int) -> None:
    """Start them and wait. `extensions` has `programs`, paths by name, and `environment`."""
    child = os.fork()
    if child == 0:
        if os.fork() == 0:
            with contextlib.suppress(BaseException):
                _monitor(extensions, output, control)
        # The monitor is nobody's child whom the function could wait for.
        os._exit(0)
    os.waitpid(child, 0)
    if not os.read(control, 64):
        os._exit(0)  # the node is gone


def _monitor(extensions: Mapping[str, Any], output: int, control: int) -> None:
    channel = socket.socket(fileno=control)
    names: dict[int, str] = {}
    for name, path in extensions["programs"].items():
        pid = os.fork()
        if pid == 0:
            _become(path, extensions["environment"], output)
        names[pid] = name
    os.closerange(0, control)
    os.closerange(control + 1, 1 << 16)
    while names:
        pid, status = os.wait()
        name = names.pop(pid, "")
        if name:
            channel.send(json.dumps({"exited": name, "status": status}).encode())


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
