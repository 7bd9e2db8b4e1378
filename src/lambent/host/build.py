"""A function's code made ready to run: unpacked zips and built source folders, cached.

Everything lands under `cache` in a folder named by a hash of what it was made from, in
one rename, so what is there is whole and never changes. `archive` owns how a zip is taken
apart safely; this module owns the cache and the installation of requirements and packages.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

from lambent.core.errors import LambentError
from lambent.host.archive import extract
from lambent.host.runtimes.python_distributions import installer
from lambent.host.runtimes.python_interpreters import OWN, Interpreter, Interpreters

_COMPILE_FROM = 256 * 1024
"""Bytes of Python source from which bytecode is worth making once instead of at each start."""
_IGNORED = ("__pycache__", ".git", ".venv", ".aws-sam")
_NPM_LOCKS = ("package-lock.json", "npm-shrinkwrap.json")
_log = logging.getLogger(__name__)


class BuildFailed(LambentError):
    """A source folder's requirements could not be installed; the message is for the user."""


def unpack(code: bytes | Path, cache: Path) -> Path:
    """The folder with a zip's contents; works on files, so call it in a thread.

    AwsError InvalidParameterValueException, with Lambda's message, when it is not a zip,
    not safe, or too large.
    """
    ready = _place(cache, _hash_file(code))
    if ready.is_dir():
        return ready
    making = _make(ready)
    try:
        extract(code, making)
        _compile(making, OWN)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise
    return _publish(making, ready)


async def build(source: Path, runtime: str, cache: Path) -> Path:
    """The folder with a source folder's code and, beside it, what its requirements.txt
    names, as `sam build` makes it, for the Python that is to run it; for Node.js, what its
    package.json names unless node_modules is there already. `BuildFailed` when pip or npm
    fails."""
    interpreter = await Interpreters().serving(runtime)
    key = await asyncio.to_thread(_hash_folder, source, f"{runtime}\0{interpreter.name}")
    ready = _place(cache, key)
    if ready.is_dir():
        return ready
    making = await asyncio.to_thread(_make, ready)
    try:
        requirements = source / "requirements.txt"
        if runtime.startswith("python") and _names_anything(requirements):
            await _install(requirements, making, interpreter)
        await asyncio.to_thread(_copy, source, making)
        if runtime.startswith("nodejs") and _lacks_packages(making):
            await _install_packages(source, making)
        await asyncio.to_thread(_compile, making, interpreter)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise
    return await asyncio.to_thread(_publish, making, ready)


async def _install(requirements: Path, target: Path, interpreter: Interpreter) -> None:
    _log.info("Installing %s for %s", requirements, interpreter.name)
    command = installer(interpreter.executable)
    status, output = await _run(
        [*command, "--quiet", "--target", str(target), "-r", str(requirements)],
        requirements.parent,
    )
    if status != 0:
        raise BuildFailed(f"{requirements} could not be installed:\n{output.strip()}")


async def _install_packages(source: Path, target: Path) -> None:
    """What `target`'s package.json names, by npm; its scripts run as in any npm install."""
    npm = shutil.which("npm")
    if npm is None:
        raise BuildFailed(f"{source / 'package.json'} names packages, and npm is not on PATH.")
    locked = any((target / name).is_file() for name in _NPM_LOCKS)
    _log.info("Installing %s", source / "package.json")
    options = ["--omit=dev", "--no-audit", "--no-fund", "--loglevel=error"]
    status, output = await _run([npm, "ci" if locked else "install", *options], target)
    if status != 0:
        raise BuildFailed(f"{source / 'package.json'} could not be installed:\n{output.strip()}")


def _lacks_packages(folder: Path) -> bool:
    """Whether package.json names packages that do not lie in node_modules yet."""
    manifest = folder / "package.json"
    if not manifest.is_file() or (folder / "node_modules").is_dir():
        return False
    try:
        content = json.loads(manifest.read_bytes())
    except ValueError:
        return True  # npm tells what is wrong with it
    names = ("dependencies", "optionalDependencies")
    return isinstance(content, dict) and any(content.get(name) for name in names)


def _compile(folder: Path, interpreter: Interpreter) -> None:
    """Make bytecode where it pays; a file that does not compile fails when it is imported."""
    if sum(file.stat().st_size for file in folder.rglob("*.py") if file.is_file()) < _COMPILE_FROM:
        return
    options = ["-q", "-q", "--invalidation-mode", "unchecked-hash"]
    subprocess.run(  # noqa: S603 - an interpreter of this machine
        [str(interpreter.executable), "-I", "-S", "-m", "compileall", *options, str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )


async def _run(command: list[str], cwd: Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    return process.returncode or 0, output.decode("utf-8", "replace")


def _place(cache: Path, key: str) -> Path:
    return cache.absolute() / key


def _make(ready: Path) -> Path:
    """A new folder beside `ready`."""
    ready.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix="making-", dir=ready.parent))
    making.chmod(0o755)
    return making


def _publish(making: Path, ready: Path) -> Path:
    _open_to_read(making)
    try:
        making.rename(ready)
    except OSError:
        # Someone else published the same contents meanwhile.
        shutil.rmtree(making, ignore_errors=True)
        if not ready.is_dir():
            raise
    return ready


def _open_to_read(folder: Path) -> None:
    """In a sandbox, functions are users of their own: let them read what is theirs."""
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = os.path.join(place, name)
            mode = os.lstat(path).st_mode
            wanted = mode | (0o555 if mode & 0o100 else 0o444)
            if wanted != mode and not stat.S_ISLNK(mode):
                os.chmod(path, stat.S_IMODE(wanted))


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(
        source,
        target,
        symlinks=True,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns(*_IGNORED),
    )


def _names_anything(requirements: Path) -> bool:
    if not requirements.is_file():
        return False
    lines = requirements.read_text("utf-8", "replace").splitlines()
    return any(line.partition("#")[0].strip() for line in lines)


def _hash_file(code: bytes | Path) -> str:
    if isinstance(code, bytes):
        return hashlib.sha256(code).hexdigest()
    with code.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash_folder(source: Path, runtime: str) -> str:
    key = hashlib.sha256(f"{runtime}\0{sys.version}\0".encode())
    for folder, folders, files in os.walk(source):
        folders[:] = sorted(name for name in folders if name not in _IGNORED)
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in sorted([*files, *links]):
            path = Path(folder, name)
            mode = path.lstat().st_mode
            key.update(f"{path.relative_to(source)}\0{mode & 0o111}\0".encode())
            if stat.S_ISLNK(mode):
                key.update(os.fsencode(path.readlink()))
            elif stat.S_ISREG(mode):
                key.update(bytes.fromhex(_hash_file(path)))
    return key.hexdigest()
