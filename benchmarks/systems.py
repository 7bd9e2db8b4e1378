"""The systems that are measured: how each is installed, started, reached and ended.

The peers are black boxes from PyPI and Maven Central with their own defaults, in an
environment of their own (.bench/ in the checkout); they are ended by their process ids.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import botocore.session
from botocore.config import Config

import lambent
from benchmarks import elasticmq
from benchmarks.processes import tree

CHECKOUT = Path(__file__).resolve().parent.parent
PEERS = CHECKOUT / ".bench"
REQUIREMENTS = CHECKOUT / "requirements" / "bench.txt"
ACCOUNT = "000000000000"
REGION = "us-east-1"
START_SECONDS = 60.0
_sdk = botocore.session.Session()


@dataclass(frozen=True)
class System:
    """One program under test. `start` gives its command and what it adds to the environment.

    `scenarios` are those that it can take part in; None: all. `warm_up` is for how many
    seconds it is to be under load before it is measured, for what compiles as it runs.
    """

    name: str
    version: str
    health: str
    start: Callable[[int, Path], tuple[list[str], dict[str, str]]]
    scenarios: frozenset[str] | None = None
    warm_up: float = 0.0

    def takes_part(self, scenario: str) -> bool:
        """Whether the scenario is measured on it."""
        return self.scenarios is None or scenario in self.scenarios


def systems() -> tuple[list[System], list[str]]:
    """Lambent and its peers, which are installed first if need be, and why some are not."""
    _install()
    missing = []
    queues = []
    try:
        jars = elasticmq.install(PEERS)
        queues.append(
            System(
                "ElasticMQ",
                elasticmq.VERSION,
                "/health",
                lambda port, _: (elasticmq.command(jars, port), {}),
                frozenset({"sqs"}),
                warm_up=10.0,
            )
        )
    except elasticmq.NotHere as reason:
        missing.append(f"ElasticMQ was left out: {reason}")
    versions = {
        found.metadata["Name"].lower(): found.version
        for found in distributions(path=[str(path) for path in PEERS.glob("lib/*/site-packages")])
    }
    found = [
        System("Lambent", lambent.__version__, "/_lambent/health", _lambent),
        System("MiniStack", versions["ministack"], "/_ministack/health", _ministack),
        System("moto", versions["moto"], "/moto-api/", _moto),
        *queues,
    ]
    return found, missing


def _install() -> None:
    mark = PEERS / ".installed"
    wanted = REQUIREMENTS.read_text() + sys.version
    if mark.exists() and mark.read_text() == wanted:
        return
    print("Installing the peers in .bench/ …", file=sys.stderr)
    uv = [sys.executable, "-m", "uv"]
    python = PEERS / "bin" / "python"
    subprocess.run([*uv, "venv", "-q", "--clear", "-p", sys.executable, PEERS], check=True)
    subprocess.run([*uv, "pip", "install", "-q", "-p", python, "-r", REQUIREMENTS], check=True)
    mark.write_text(wanted)


def _lambent(port: int, folder: Path) -> tuple[list[str], dict[str, str]]:
    up = [sys.executable, "-m", "lambent", "up", "--json", "--port", str(port)]
    return [*up, "--data-dir", str(folder / "data")], {}


def _ministack(port: int, folder: Path) -> tuple[list[str], dict[str, str]]:
    return [str(PEERS / "bin" / "ministack")], {"GATEWAY_PORT": str(port)}


def _moto(port: int, folder: Path) -> tuple[list[str], dict[str, str]]:
    return [str(PEERS / "bin" / "moto_server"), "-p", str(port)], {}


class Running:
    """A system that was started and is healthy. `started_in`: seconds from start to health."""

    def __init__(self, system: System, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.system = system
        self.folder = folder
        self.port = free_port()
        command, extra = system.start(self.port, folder)
        self._output = (folder / "output.txt").open("w")
        began = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            # Peers' functions find their interpreter where a user's would: on the path.
            env=_environment(Path(command[0]).parent, folder) | extra,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            self._await_health()
        except BaseException:
            self.end()
            raise
        self.started_in = time.perf_counter() - began

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: str) -> Any:
        """A boto3 client on this system; the same one for the same service."""
        if service not in self._clients:
            self._clients[service] = _sdk.create_client(
                service,
                region_name=REGION,
                endpoint_url=self.endpoint,
                aws_access_key_id=ACCOUNT,
                aws_secret_access_key="local",
                config=Config(
                    retries={"total_max_attempts": 1},
                    read_timeout=30,
                    s3={"addressing_style": "path"},
                ),
            )
        return self._clients[service]

    @cached_property
    def _clients(self) -> dict[str, Any]:
        return {}

    def end(self) -> None:
        """Ask it to stop, and stop what is left of it."""
        members = tree(self._process.pid)
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for member in members[1:]:
            if _session(member) == self._process.pid:
                with suppress(ProcessLookupError):
                    os.kill(member, signal.SIGKILL)
        self._output.close()

    def _await_health(self) -> None:
        request = f"GET {self.system.health} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        ends = time.perf_counter() + START_SECONDS
        pause = threading.Event()
        while time.perf_counter() < ends:
            if self._process.poll() is not None:
                said = (self.folder / "output.txt").read_text().strip().rpartition("\n")[2]
                raise RuntimeError(f"ended with status {self._process.returncode}: {said}")
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
                    connection.sendall(f"{request}\r\n".encode())
                    if b" 200 " in connection.recv(1024):
                        return
            except OSError:
                pass
            pause.wait(0.005)
        raise RuntimeError(f"was not healthy after {START_SECONDS:.0f} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment(programs: Path, folder: Path) -> dict[str, str]:
    return {
        "PATH": f"{programs}:{os.environ.get('PATH', '')}",
        "HOME": os.environ.get("HOME", str(folder)),
        "LANG": "C.UTF-8",
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": REGION,
    }


def _session(pid: int) -> int | None:
    """A process's session; None when it is gone."""
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None
