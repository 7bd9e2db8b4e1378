"""Turns a fresh process into an environment of a runtime that is a program of its own.

Runs under `python -I -S` outside Lambent, as the step between the node and the program, with
nothing but the standard library: the node itself, with its memory and threads, is never
forked. When it cannot become the program, it writes the error number to the status pipe,
which otherwise just ends.

Usage: launcher.py LAUNCH_FD STATUS_FD, and on LAUNCH_FD, as JSON:

    {"command": [...], "environment": {...}, "code", "scratch", "parent": pid}
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
STATUS_FD = 3


def main() -> None:
    """Become the program."""
    launch_fd, status_fd = (int(argument) for argument in sys.argv[1:3])
    with os.fdopen(launch_fd, "rb") as file:
        launch = json.loads(file.read())
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != launch["parent"]:
        os._exit(1)
    environment = {"TMPDIR": launch["scratch"], **launch["environment"]}
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    os.dup2(status_fd, STATUS_FD, inheritable=False)
    os.closerange(STATUS_FD + 1, status_fd + 64)
    try:
        os.chdir(launch["code"])
        os.execve(launch["command"][0], launch["command"], environment)  # noqa: S606
    except OSError as error:
        os.write(STATUS_FD, str(error.errno).encode())
        os._exit(1)


if __name__ == "__main__":
    main()
