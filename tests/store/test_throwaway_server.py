"""The PostgreSQL server of the tests ends with the process that started it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.crash.killing import until
from tests.support import postgres

pytestmark = pytest.mark.skipif(
    postgres.programs() is None, reason="no PostgreSQL server is installed"
)
_STARTS = """
import sys
from tests.support import postgres
print(postgres.cluster().folder, flush=True)
sys.stdin.read()
"""


def _processes_in(folder: str) -> list[str]:
    """Those whose command names the folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = place.read_bytes()
        except OSError:
            continue
        if folder.encode() in command:
            found.append(command.decode(errors="replace"))
    return found


@pytest.mark.parametrize("end", ["kill", "terminate"])
def test_the_server_of_a_killed_run_ends_and_leaves_nothing(end: str) -> None:
    root = Path(__file__).parents[2]
    run = subprocess.Popen(
        [sys.executable, "-c", _STARTS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
    )
    assert run.stdout is not None and run.stdin is not None
    folder = run.stdout.readline().strip()
    assert _processes_in(folder)
    getattr(run, end)()
    run.wait()
    until(lambda: _processes_in(folder), lambda found: not found)
    until(lambda: Path(folder).exists(), lambda there: not there)
    run.stdin.close()
    run.stdout.close()
