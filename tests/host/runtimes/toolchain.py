"""Building the examples in `examples/runtimes`, once per machine and source; skips say why."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import io
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lambent.host.runtimes import java

EXAMPLES = Path(__file__).parents[3] / "examples" / "runtimes"
BUILDS = Path(tempfile.gettempdir()) / f"lambent-test-builds-{os.getuid()}"


def need(*programs: str) -> None:
    """Skip the test where a program is not on PATH."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not on this machine")


def zipped(folder: Path) -> bytes:
    """A folder as a deployment package, executable bits and all."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    return data.getvalue()


def example(name: str) -> bytes:
    """An example that needs no build."""
    return zipped(EXAMPLES / name)


def go_example() -> bytes:
    need("go")
    with _built("go") as (source, target, fresh):
        if fresh:
            command = ["go", "build", "-tags", "lambda.norpc", "-ldflags=-s -w"]
            _run([*command, "-o", f"{target}/bootstrap", "."], source, CGO_ENABLED="0")
    return zipped(target)


def rust_example() -> bytes:
    need("cargo")
    with _built("rust") as (source, target, fresh):
        if fresh:
            objects = BUILDS / "rust-target"
            _run(["cargo", "build", "--locked", "--target-dir", str(objects)], source)
            shutil.copy(objects / "debug" / "bootstrap", target / "bootstrap")
            if shutil.which("strip"):
                _run(["strip", str(target / "bootstrap")], source)
    return zipped(target)


def java_example() -> bytes:
    need("java", "javac", "mvn")
    jars = BUILDS / "java-client"
    with _built("java") as (source, target, fresh):
        if fresh:
            if not jars.is_dir():
                asyncio.run(java.fetch(java.CLIENT, jars))
            files = map(str, source.rglob("*.java"))
            _run(["javac", "-d", str(target), "-cp", f"{jars}/*", *files], source)
    return zipped(target)


@contextmanager
def _built(name: str) -> Iterator[tuple[Path, Path, bool]]:
    """Source, folder for what is built, and whether it has to be; one builder at a time."""
    source = EXAMPLES / name
    key = hashlib.sha256()
    for path in sorted(source.rglob("*")):
        if path.is_file() and not {"build", "target"} & set(path.relative_to(source).parts):
            key.update(path.read_bytes())
    BUILDS.mkdir(mode=0o700, exist_ok=True)
    target = BUILDS / f"{name}-{key.hexdigest()[:16]}"
    with (BUILDS / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = target / ".done"
        fresh = not done.exists()
        target.mkdir(exist_ok=True)
        yield source, target, fresh
        done.touch()


def _run(command: list[str], cwd: Path, **environment: str) -> None:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
