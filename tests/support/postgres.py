"""A throw-away PostgreSQL server for tests: a cluster in a temporary folder, one for each
process of pytest, started at its first use and gone with the process, however that ends.

It listens on a Unix socket in that folder, where everyone is trusted, and on loopback, where
a password is asked for. It does not sync: its data need not survive the machine.
"""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support import folders

PASSWORD = "not-for-anyone"
_DURABLE = {"fsync": "on", "full_page_writes": "on", "shared_buffers": "128MB"}
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "listen_addresses": "127.0.0.1",
    "log_min_messages": "error",
}
_END = """
cat
"$1" stop --silent --mode=immediate --pgdata="$2/data"
cd / && rm -rf "$2"
"""


class Cluster:
    """One server. `url` gives a store's URL with a schema of its own. With `durable` it syncs
    as a real one does; its write-ahead log may lie in a folder of its own."""

    def __init__(
        self, programs: Path, folder: Path, *, durable: bool = False, log: Path | None = None
    ) -> None:
        self.folder = folder
        self._settings = {**_SETTINGS, **(_DURABLE if durable else {})}
        self.port = _free_port()
        self._programs = programs
        self._numbers = itertools.count(1)
        password = folder / "password"
        password.write_text(PASSWORD)
        if os.geteuid() == 0:
            for path in (folder, password):
                shutil.chown(path, *_unprivileged())
        self._run(
            "initdb", "--no-sync", "--no-instructions", "--username=postgres", "--encoding=UTF8",
            "--locale=C", "--auth-local=trust", "--auth-host=scram-sha-256",
            f"--pwfile={password}", f"--pgdata={folder / 'data'}",
            *((f"--waldir={log}", "--wal-segsize=1") if log else ()),
        )  # fmt: skip
        self._end = self._ending_with_this_process()
        self.start()

    def url(self, schema: str | None = None, user: str = "postgres", **query: str) -> str:
        """By the socket."""
        query = {"host": str(self.folder), "port": str(self.port), **query}
        query["schema"] = schema or f"test_{next(self._numbers)}"
        return f"postgresql://{user}@/postgres?" + "&".join(f"{k}={v}" for k, v in query.items())

    def start(self) -> None:
        settings = {
            **self._settings,
            "port": str(self.port),
            "unix_socket_directories": self.folder,
        }
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        log = self.folder / "log"
        self._control("start", "--wait", f"--log={log}", f"--options={options}")

    def stop(self, mode: str = "immediate") -> None:
        """`immediate` is what a crash does."""
        self._control("stop", "--wait", f"--mode={mode}")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """All its processes stop where they are; its machine goes on answering for it."""
        stopped: list[int] = []
        waiting = [int((self.folder / "data" / "postmaster.pid").read_text().split()[0])]
        try:
            while waiting:
                pid = waiting.pop()
                with suppress(ProcessLookupError, FileNotFoundError):
                    os.kill(pid, signal.SIGSTOP)
                    stopped.append(pid)
                    children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
                    waiting += [int(child) for child in children.split()]
            yield
        finally:
            for pid in stopped:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    @property
    def running(self) -> bool:
        """Whether it takes connections."""
        return not subprocess.run(
            [self._programs / "pg_isready", "--quiet"], env=self._place(), check=False
        ).returncode

    @property
    def ended(self) -> bool:
        """Whether there is no process of it: it was stopped, or gave up."""
        data = f"--pgdata={self.folder / 'data'}"
        command = [self._programs / "pg_ctl", "status", "--silent", data]
        return subprocess.run(command, **self.unprivileged(), check=False).returncode == 3

    def owned(self, folder: Path) -> Path:
        """A folder that the server may write to."""
        if os.geteuid() == 0:
            shutil.chown(folder, *_unprivileged())
        return folder

    def program(self, name: str, *arguments: str) -> str:
        """What one of the server's programs says, as its administrator."""
        done = subprocess.run(
            [self._programs / name, *arguments, "postgres"],
            env=self._place(),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def sql(self, statement: str) -> str:
        """Run a statement; its rows as psql shows them."""
        return self.program("psql", "--no-psqlrc", "-At", "-c", statement)

    def _place(self) -> dict[str, str]:
        place = {"PGHOST": str(self.folder), "PGPORT": str(self.port), "PGUSER": "postgres"}
        return {**os.environ, **place}

    def remove(self) -> None:
        """Stop it, and leave nothing."""
        assert self._end.stdin is not None
        self._end.stdin.close()
        self._end.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _ending_with_this_process(self) -> subprocess.Popen[bytes]:
        """A process that stops the server and removes its folder once its input ends: which it
        does with this process, also by `kill -9`."""
        return subprocess.Popen(
            ["sh", "-c", _END, "sh", self._programs / "pg_ctl", self.folder],
            **self.unprivileged(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _control(self, command: str, *arguments: str) -> None:
        self._run("pg_ctl", command, "--silent", f"--pgdata={self.folder / 'data'}", *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            **self.unprivileged(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # the server inherits it
            stderr=subprocess.PIPE if program == "initdb" else subprocess.DEVNULL,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed: {(done.stderr or b'').decode()[-500:]}")

    def unprivileged(self) -> dict[str, Any]:
        """How its processes are run: the server refuses root."""
        user, group = _unprivileged() if os.geteuid() == 0 else (None, None)
        return {
            "user": user,
            "group": group,
            "extra_groups": [] if user else None,
            "cwd": self.folder,
            "env": {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
        }


def programs() -> Path | None:
    """The folder of the newest server's programs; None when none is installed."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3])
    )
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


@functools.cache
def cluster() -> Cluster:
    """This process's server."""
    made = own()
    atexit.register(made.remove)
    return made


def own(log: Path | None = None) -> Cluster:
    """One more, for whoever breaks it; to be removed."""
    where = programs()
    assert where is not None, "no PostgreSQL server is installed"
    return Cluster(
        where, Path(tempfile.mkdtemp(prefix="lambent-pg-", dir=folders.chosen())), log=log
    )


def _unprivileged() -> tuple[str, int]:
    """initdb refuses root: the user to be instead."""
    for name in ("postgres", "nobody"):
        try:
            return name, pwd.getpwnam(name).pw_gid
        except KeyError:
            continue
    raise RuntimeError("there is no unprivileged user to run PostgreSQL as")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
