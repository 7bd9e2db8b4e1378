"""Small file systems that can be filled."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small(megabytes: int) -> Iterator[Path]:
    """A folder on a file system of that size; a skip where none can be mounted."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    place = Path(tempfile.mkdtemp(prefix="lambent-disk-"))
    place.chmod(0o755)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=777", "tmpfs", place],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        if mounted.returncode != 0:
            pytest.skip(f"no small file system can be mounted: {mounted.stderr.strip()}")
        yield place
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "--lazy", place], check=True)
        place.rmdir()


@contextmanager
def full(place: Path) -> Iterator[None]:
    """Nothing is left of the disk."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    try:
        yield
    finally:
        ballast.unlink()
