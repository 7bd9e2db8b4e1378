"""The Python family: processes forked from a zygote that has boto3 and the client loaded.

Owns what the zygote is given (the zygote itself is `python_zygote`): the interpreter that
runs Lambent, and a folder of the distributions that Lambda's runtime has.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.metadata
import importlib.util
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lambent.host.runtimes import python_interpreters
from lambent.host.runtimes.contract import Launch, LaunchFailed, Process
from lambent.host.sandboxes.contract import Launcher, Sandbox

_IDENTIFIER = re.compile(r"python3\.\d+")
_SCRIPT = Path(__file__).with_name("python_zygote.py")
_LOADED = ("python_preload.py", "python_debug.py")
_DEBUGGER = "debugpy"
_DISTRIBUTIONS = (
    "awslambdaric",
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


def create(cache: Path, sandbox: Sandbox) -> PythonRuntime:
    """The family; its folder of runtime distributions lies in `cache`."""
    return PythonRuntime(cache, sandbox)


class PythonRuntime:
    """Starts Python environments by the zygote."""

    def __init__(self, cache: Path, sandbox: Sandbox) -> None:
        self._cache = cache
        self._sandbox = sandbox
        self._making: dict[bool, asyncio.Task[Launcher]] = {}

    def runs(self, identifier: str) -> bool:
        return _IDENTIFIER.fullmatch(identifier) is not None

    def variables(self, identifier: str) -> Mapping[str, str]:
        return {"AWS_EXECUTION_ENV": f"AWS_Lambda_{identifier}"}

    async def prepare(self) -> None:
        launcher = await self._launcher()
        await launcher.prepare()

    async def start(self, launch: Launch) -> Process:
        launcher = await self._launcher(debugged=bool(launch.debug))
        different = python_interpreters.mismatch(launch.runtime)
        if different is not None:
            os.write(launch.output, different)
        return await launcher.start(launch)

    async def close(self) -> None:
        for making in self._making.values():
            launcher = await making
            await launcher.close()

    def debugger(self) -> str:
        if importlib.util.find_spec(_DEBUGGER) is None:
            raise LaunchFailed(
                "debugpy is not installed beside Lambent: `pip install lambent[debug]`, "
                "and start the node anew"
            )
        return _DEBUGGER

    async def _launcher(self, debugged: bool = False) -> Launcher:
        if debugged not in self._making:
            self._making[debugged] = asyncio.create_task(self._make(debugged))
        return await asyncio.shield(self._making[debugged])

    async def _make(self, debugged: bool) -> Launcher:
        names = (*_DISTRIBUTIONS, _DEBUGGER) if debugged else _DISTRIBUTIONS
        folder = await asyncio.to_thread(_runtime_folder, self._cache.absolute(), names)
        executable = Path(sys.executable).parent
        return self._sandbox.zygote(
            _SCRIPT,
            [self._sandbox.runtime(folder)],
            # The folder of the interpreter's link, by which programs start it anew.
            show=[*(_SCRIPT.with_name(name) for name in _LOADED), executable],
            runtime=folder,
        )


def _runtime_folder(cache: Path, names: Sequence[str]) -> Path:
    """A folder that holds links to the runtime's own distributions, and nothing else.

    Functions find boto3 there, but not what Lambent itself is made of.
    """
    found = [importlib.metadata.distribution(name) for name in names]
    key = hashlib.sha256()
    for distribution in found:
        place = distribution.locate_file("")
        key.update(f"{distribution.name} {distribution.version} {place}\n".encode())
    folder = cache / f"python-runtime-{key.hexdigest()[:16]}"
    if folder.is_dir():
        return folder
    making = cache / f"{folder.name}.{os.getpid()}"
    making.mkdir(parents=True, exist_ok=True)
    for distribution in found:
        for name in sorted({file.parts[0] for file in distribution.files or ()}):
            target = Path(str(distribution.locate_file(name)))
            link = making / name
            if name not in ("..", "__pycache__") and not link.is_symlink() and target.exists():
                link.symlink_to(target.resolve())
    try:
        making.rename(folder)
    except OSError:  # another node made it meanwhile
        for link in making.iterdir():
            link.unlink()
        making.rmdir()
    return folder
