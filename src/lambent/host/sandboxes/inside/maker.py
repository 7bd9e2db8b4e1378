"""A small program of its own beside a base zygote, which makes shells (see `shells`) and the
first processes of pid namespaces (see `firsts`).

It is executed, not forked: so it has nothing in its memory that a function must not see, and
little that a fork has to copy. It ends with its zygote.

Usage: maker.py CONTROL_FD OPTIONS

Messages (SOCK_SEQPACKET, JSON): {"shell": n, "code", "layers", "limits", "tasks", "address"} +
the function zygote's pid namespace and process, a socket to the node, and one to the fork;
{"first": true}, answered by a process's id + its pid namespace.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import signal
import socket
import sys
from typing import Any

_MESSAGE_BYTES = 1 << 20
_FDS = 4


def main() -> None:
    """Fork the maker of one after the other."""
    folder = os.path.dirname(os.path.abspath(__file__))
    spec = importlib.util.spec_from_file_location(
        "_lambent_sandbox", f"{folder}/__init__.py", submodule_search_locations=[folder]
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["_lambent_sandbox"] = package
    spec.loader.exec_module(package)
    kernel, mounts, shells, firsts = (
        importlib.import_module(f"_lambent_sandbox.{name}")
        for name in ("kernel", "mounts", "shells", "firsts")
    )
    control = socket.socket(fileno=int(sys.argv[1]))
    options = json.loads(sys.argv[2])
    kind: Any = importlib.import_module(f"_lambent_sandbox.{options['kind']}")
    kernel.set_dumpable(False)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    life, alive = os.pipe2(os.O_CLOEXEC)
    own = os.open(f"{mounts.HOST}/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    while True:
        try:
            data, fds, _, _ = socket.recv_fds(control, _MESSAGE_BYTES, _FDS)
        except ConnectionResetError:  # it ended, and left something unread
            data = b""
        if not data:
            os._exit(0)
        launch = json.loads(data)
        if "first" in launch:
            if os.fork() == 0:
                os.close(alive)
                firsts.give(life, control)
            continue
        namespace, owner, *ends = fds
        try:
            kernel.setns(namespace, kernel.CLONE_NEWPID)
            pid = os.fork()
        except OSError:  # the zygote is gone, and its namespace with it
            pid = -1
        if pid == 0:
            # Nobody who looked into it would find a way to other functions' shells.
            control.close()
            os.close(alive)
            to_node, to_fork = (socket.socket(fileno=fd) for fd in ends)
            become = (kind.become, options["zygote"], launch["shell"])
            shells.make(launch, options["show"], become, owner, life, to_node, to_fork)
        kernel.setns(own, kernel.CLONE_NEWPID)
        for fd in fds:
            os.close(fd)


if __name__ == "__main__":
    main()
