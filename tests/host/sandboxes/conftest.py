"""A host in a process of its own, as root and as nobody in particular.

The process runs functions and prints what they answered, so that both kinds of sandbox are
tested on a machine where the tests run as root.
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


@pytest.fixture(
    params=[
        *("rooted", "rootless", "rooted-forked"),
        pytest.param("rootless-forked", marks=pytest.mark.slow),
    ]
)
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """`run(source, ...)`: what functions with these sources answered, run in turn on one host.

    Each answer is {"payload", "error", "memory", "log"}. "forked": the functions have zygotes
    of their own, and these have run all their code but the handler.
    """
    kind, _, forked = request.param.partition("-")
    if kind == "rooted" and os.geteuid() != 0:
        pytest.skip("the rooted sandbox needs root")
    user = _USER if kind == "rootless" and os.geteuid() == 0 else None
    interpreter = _permitted(user) if user is not None else sys.executable
    if interpreter is None:
        pytest.skip("no interpreter here that an unprivileged user may execute")
    folder = Path(tempfile.mkdtemp(prefix="lambent-sandbox-"))
    if user is not None:
        os.chown(folder, user, user)

    def call(*sources: str, **options: Any) -> list[dict[str, Any]]:
        order = {
            "folder": str(folder),
            "sources": [textwrap.dedent(source) for source in sources],
            "tier": "warm" if forked else "cold",
            **options,
        }
        paths = [str(_TREE), str(_TREE / "src"), *(p for p in sys.path if "site-packages" in p)]
        done = subprocess.run(
            [interpreter, str(_DRIVER)],
            input=json.dumps(order),
            capture_output=True,
            text=True,
            timeout=60,
            env={
                "PATH": os.defpath,
                "PYTHONPATH": ":".join(paths),
                "TMPDIR": str(folder),
                "HOME": str(folder),
                "SECRET_OF_THE_NODE": "hidden",
            },
            cwd=folder,
            **({} if user is None else {"user": user, "group": user, "extra_groups": []}),
        )
        if done.returncode == 77:
            pytest.skip(done.stdout.strip())
        assert done.returncode == 0, done.stderr[-3000:]
        answers: list[dict[str, Any]] = json.loads(done.stdout)
        return answers

    yield call
    shutil.rmtree(folder, ignore_errors=True)
