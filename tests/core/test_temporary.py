"""Temporary folders: their own process's, and gone when that is."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lambent.core.temporary import TemporaryFolder

HOLD = """
import sys
from lambent.core.temporary import TemporaryFolder
print(TemporaryFolder("kind-").path, flush=True)
sys.stdin.read()
"""


def test_what_a_killed_process_left_is_removed_by_the_next_and_what_is_held_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    mine = TemporaryFolder("kind-")
    (mine.path / "file").write_text("mine")
    foreign = tmp_path / "kind-of-something-else"
    foreign.mkdir()
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdin is not None and other.stdout is not None
    theirs = Path(other.stdout.readline().strip())
    TemporaryFolder("kind-").release()
    assert theirs.is_dir()
    other.kill()
    other.wait()
    other.stdin.close()
    other.stdout.close()
    TemporaryFolder("kind-").release()
    assert not theirs.parent.exists()
    assert (mine.path / "file").read_text() == "mine"
    mine.release()
    assert list(tmp_path.iterdir()) == [foreign]
