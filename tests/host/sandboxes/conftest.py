"""A host in a process of its own, as root and as nobody in particular.

The process runs functions and says what they answered, so that both kinds of sandbox are
tested on a machine where the tests run as root. One of each kind serves all tests of a worker.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

_USER = 54321
_DRIVER = Path(__file__).with_name("driver.py")
_TREE = Path(__file__).parents[3]

Run = Callable[..., list[dict[str, Any]]]


def _interpreter(user: int | None) -> str | None:
    """An interpreter of our version that this user may execute."""
    wanted = f"{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/python{wanted}"):
        tried = (
            subprocess.run(
                [candidate, "-c", ""], user=user, group=user, extra_groups=[], check=False
            )
            if user is not None and os.path.exists(candidate)
            else None
        )
        if user is None or (tried is not None and tried.returncode == 0):
            return candidate
    return None


def _permitted(user: int | None) -> str | None:
    try:
        return _interpreter(user)
    except PermissionError:
        return next(
            (
                str(path)
                for path in [Path(f"/usr/bin/python3.{sys.version_info.minor}")]
                if path.exists()
            ),
            None,
        )


class Driver:
    """A process that runs `driver.py`, as `user` (None: as the tests do)."""

    def __init__(self, interpreter: str, user: int | None) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="lambent-sandbox-"))
        if user is not None:
            os.chown(self._folder, user, user)
        paths = [str(_TREE), str(_TREE / "src"), *(p for p in sys.path if "site-packages" in p)]
        with (self._folder / "stderr").open("wb") as said:
            self._process = subprocess.Popen(
                [interpreter, str(_DRIVER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                env={
                    "PATH": os.defpath,
                    "PYTHONPATH": ":".join(paths),
                    "TMPDIR": str(self._folder),
                    "HOME": str(self._folder),
                    "SECRET_OF_THE_NODE": "hidden",
                },
                cwd=self._folder,
                **({} if user is None else {"user": user, "group": user, "extra_groups": []}),
            )
        self.missing = self._read().get("skip", "")

    @property
    def pid(self) -> int:
        return self._process.pid

    def __call__(self, order: dict[str, Any]) -> list[dict[str, Any]]:
        """What the functions of an order answered."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._read()
        assert "failed" not in answer, answer["failed"]
        answers: list[dict[str, Any]] = answer["answers"]
        return answers

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, (self._folder / "stderr").read_text()[-3000:]
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Let it end; it does so without waiting for what functions left behind."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.close()
            assert self._process.wait(30) == 0, (self._folder / "stderr").read_text()[-3000:]
        finally:
            self._process.kill()
            self._process.stdout.close()
            shutil.rmtree(self._folder, ignore_errors=True)


@pytest.fixture(scope="session")
def drivers() -> Iterator[Callable[[str], Driver]]:
    """`drivers("rooted")`: the process with this kind of sandbox."""
    made: dict[str, Driver] = {}

    def driver(kind: str) -> Driver:
        user = _USER if kind == "rootless" and os.geteuid() == 0 else None
        interpreter = _permitted(user) if user is not None else sys.executable
        if interpreter is None:
            pytest.skip("no interpreter here that an unprivileged user may execute")
        if kind not in made:
            made[kind] = Driver(interpreter, user)
        return made[kind]

    yield driver
    for each in made.values():
        each.close()


@pytest.fixture(
    params=[
        *("rooted", "rootless", "rooted-forked"),
        pytest.param("rootless-forked", marks=pytest.mark.slow),
    ]
)
def driver(request: pytest.FixtureRequest, drivers: Callable[[str], Driver]) -> Driver:
    kind = request.param.partition("-")[0]
    if kind == "rooted" and os.geteuid() != 0:
        pytest.skip("the rooted sandbox needs root")
    driver = drivers(kind)
    if driver.missing:
        pytest.skip(driver.missing)
    return driver


@pytest.fixture
def run(request: pytest.FixtureRequest, driver: Driver) -> Run:
    """`run(source, ...)`: what functions with these sources answered, run in turn on one host.

    Each answer is {"name", "payload", "error", "memory", "log"}, the last one's "after" the log
    once all have ended. "forked": the functions have zygotes of their own, and these have run
    all their code but the handler.
    """
    tier = "warm" if "forked" in request.node.callspec.params["driver"] else "cold"

    def call(*sources: str, **options: Any) -> list[dict[str, Any]]:
        return driver(
            {"sources": [textwrap.dedent(source) for source in sources], "tier": tier, **options}
        )

    return call
