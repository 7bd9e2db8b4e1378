"""The Python zygote: a warm interpreter that forks one process per environment.

Runs as its own single-threaded process under `python -I -S`, outside Lambent: it imports
nothing but the standard library and the runtime's own distributions (boto3 and the official
runtime client), so function code never sees Lambent's dependencies.

Usage: python_zygote.py CONTROL_FD RUNTIME_FOLDER SANDBOX_FILE

Messages on the control socket (SOCK_SEQPACKET, JSON):

    node → zygote  {"start": n, "environment", "code", "layers", "scratch", "keep", "handler"} + fd
                   {"kill": pid}
    zygote → node  {"ready": pid}, {"started": n, "pid": pid}, {"exited": pid, "status": s}

The end of the control socket is the end of the node, and of everything here.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib.util
import json
import os
import select
import signal
import socket
import sys
import time
from typing import Any

PR_SET_PDEATHSIG = 1
TELEMETRY_FD = 3
MESSAGE_BYTES = 1 << 20


class Zygote:
    """The loop that forks and reaps."""

    def __init__(self, control: socket.socket, needed: frozenset[str], sandbox: Any) -> None:
        self._control = control
        self._needed = needed
        self._preloaded = {name.partition(".")[0] for name in sys.modules.keys() - needed}
        self._sandbox = sandbox
        self._children: set[int] = set()
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._pid = os.getpid()

    def serve(self) -> dict[str, Any]:
        """Serve until the node ends. Returns only in a forked child: what it is to run."""
        wake, wakeup = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(wake, select.POLLIN)
        self._send({"ready": self._pid})
        while True:
            for fd, _ in poll.poll():
                if fd == wake:
                    os.read(wake, 4096)
                    self._reap()
                    continue
                data, fds, _, _ = socket.recv_fds(self._control, MESSAGE_BYTES, 4)
                if not data:
                    self._end()
                message = json.loads(data)
                if "kill" in message:
                    self._kill(message["kill"])
                    continue
                pid = os.fork()
                if pid == 0:
                    signal.set_wakeup_fd(-1)
                    os.close(wake)
                    os.close(wakeup)
                    self._become(message, fds[0])
                    return message  # type: ignore[no-any-return]
                os.close(fds[0])
                self._children.add(pid)
                self._send({"started": message["start"], "pid": pid})

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._control.send(json.dumps(message).encode())
        except OSError:
            self._end()

    def _kill(self, pid: int) -> None:
        if pid in self._children:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                # It may not have made its own group yet.
                os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        while self._children:
            try:
                info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if info is None:
                return
            # Its children go first, while its id still cannot be another's.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(info.si_pid, signal.SIGKILL)
            pid, status = os.waitpid(info.si_pid, 0)
            self._children.discard(pid)
            self._send({"exited": pid, "status": status})

    def _end(self) -> None:
        for pid in tuple(self._children):
            self._kill(pid)
        os._exit(0)

    def _become(self, launch: dict[str, Any], output: int) -> None:
        """Turn this fresh child into the environment's process."""
        self._libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != self._pid:
            os._exit(1)
        os.setsid()
        for number in (signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._control.close()
        output = os.dup(output) if output <= TELEMETRY_FD else output
        for fd in (1, 2):
            os.dup2(output, fd)
        os.dup2(output, TELEMETRY_FD, inheritable=False)
        os.closerange(TELEMETRY_FD + 1, max(output, TELEMETRY_FD) + 64)
        os.environ.clear()
        os.environ.update(launch["environment"])
        os.environ["_LAMBDA_TELEMETRY_LOG_FD"] = str(TELEMETRY_FD)
        if not self._sandbox.enter(launch["scratch"], launch["keep"]):
            os.environ["TMPDIR"] = launch["scratch"]
        os.chdir(launch["code"])
        search = [launch["code"]]
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        for layer in launch["layers"]:
            search += [f"{layer}/python/lib/{version}/site-packages", f"{layer}/python"]
        search += filter(None, os.environ.get("PYTHONPATH", "").split(":"))
        sys.path[:0] = search
        give_way(search, self._preloaded, self._needed)


def give_way(search: list[str], preloaded: set[str], needed: frozenset[str]) -> None:
    """Forget preloaded modules that the function brings itself.

    When it brings any part of boto3's family, the whole family is loaded anew, so that old
    and new parts never meet.
    """
    brought: set[str] = set()
    for folder in search:
        with contextlib.suppress(OSError):
            brought.update(name.partition(".")[0] for name in os.listdir(folder))
    family = {"boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3"}
    if brought & family:
        brought |= family
    gone = brought & preloaded
    if not gone:
        return
    for name in list(sys.modules):
        if name.partition(".")[0] in gone and name not in needed:
            del sys.modules[name]


def load(path: str) -> Any:
    """A module of Lambent's, loaded by its file: Lambent itself is not importable here."""
    spec = importlib.util.spec_from_file_location(os.path.basename(path), path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Load, freeze, serve; in a child: hand over to the official runtime client."""
    control_fd, runtime_folder, sandbox_file = sys.argv[1:4]
    sys.dont_write_bytecode = True
    sys.path.append(runtime_folder)
    control = socket.socket(fileno=int(control_fd))
    preloading = load(os.path.join(os.path.dirname(__file__), "python_preload.py"))
    needed = preloading.preload()
    zygote = Zygote(control, needed, load(sandbox_file))
    # What is shared stays shared: the collector of a child never touches it.
    gc.collect()
    gc.freeze()
    launch = zygote.serve()
    time.tzset()
    sys.argv = ["bootstrap", launch["handler"]]
    preloading.connect_client()(sys.argv)


if __name__ == "__main__":
    main()
