"""What Lambda's Python runtime has besides the standard library, for one interpreter.

A folder of links to the distributions that are installed beside Lambent, and nothing else:
functions find boto3 there, but not what Lambent itself is made of. They are plain Python but
for AWS's runtime client, whose extension belongs to one version of Python: for another one
it is had from PyPI, once, and kept in the node's cache.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.metadata
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution
from pathlib import Path

from lambent.host.runtimes.contract import LaunchFailed
from lambent.host.runtimes.python_interpreters import OWN, Interpreter

_CLIENT = "awslambdaric"
_NAMES = (
    _CLIENT,
    "boto3",
    "botocore",
    "jmespath",
    "python-dateutil",
    "s3transfer",
    "simplejson",
    "six",
    "snapshot-restore-py",
    "urllib3",
)


async def folder(cache: Path, interpreter: Interpreter, more: Sequence[str] = ()) -> Path:
    """The folder for this interpreter, made in `cache` where it is missing; `more` are
    distributions beside the usual ones. `LaunchFailed` when AWS's client cannot be had."""
    client = None
    if interpreter.version != OWN.version:
        client = await _fetched(cache, interpreter)
    return await asyncio.to_thread(_linked, cache, client, [*_NAMES, *more])


def installer(executable: Path) -> list[str]:
    """The beginning of the command that installs packages for an interpreter."""
    beside = Path(sys.executable).parent
    uv = shutil.which("uv", path=os.pathsep.join([str(beside), os.defpath]))
    if uv:
        return [uv, "pip", "install", "--python", str(executable)]
    pip = [sys.executable, "-m", "pip", "--python", str(executable)]
    return [*pip, "install", "--disable-pip-version-check"]


def _linked(cache: Path, client: Path | None, names: Sequence[str]) -> Path:
    parts = list(_parts(client, names))
    key = hashlib.sha256("\n".join(f"{name} {target}" for name, target in parts).encode())
    ready = cache / f"python-runtime-{key.hexdigest()[:16]}"
    if ready.is_dir():
        return ready
    making = _make(cache)
    for name, target in parts:
        (making / name).symlink_to(target)
    return _publish(making, ready)


def _parts(client: Path | None, names: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """What the folder links to, by name."""
    for name in names:
        if name == _CLIENT and client is not None:
            yield from ((entry.name, entry) for entry in sorted(client.iterdir()))
            continue
        distribution = importlib.metadata.distribution(name)
        for part in _top_level(distribution):
            target = Path(str(distribution.locate_file(part)))
            if target.exists():
                yield part, target.resolve()


def _top_level(distribution: Distribution) -> list[str]:
    found = {file.parts[0] for file in distribution.files or ()}
    return sorted(found - {"..", "__pycache__"})


async def _fetched(cache: Path, interpreter: Interpreter) -> Path:
    version = importlib.metadata.version(_CLIENT)
    ready = cache / f"{interpreter.name}-client-{version}"
    if ready.is_dir():
        return ready
    making = _make(cache)
    process = await asyncio.create_subprocess_exec(
        *installer(interpreter.executable),
        *("--quiet", "--no-deps", "--only-binary", ":all:", "--target", str(making)),
        f"{_CLIENT}=={version}",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        shutil.rmtree(making, ignore_errors=True)
        last = output.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise LaunchFailed(
            f"{_CLIENT} {version} could not be had for {interpreter.name}: {''.join(last)}"
        )
    return _publish(making, ready)


def _make(cache: Path) -> Path:
    """A new folder, open to read."""
    cache.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix="making-", dir=cache))
    making.chmod(0o755)
    return making


def _publish(making: Path, ready: Path) -> Path:
    try:
        making.rename(ready)
    except OSError:  # another node made it meanwhile
        shutil.rmtree(making, ignore_errors=True)
        if not ready.is_dir():
            raise
    return ready
