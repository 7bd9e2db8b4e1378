"""The Pythons of this machine, and which of them runs a function.

A function is run by the interpreter of its version; where there is none, by the nearest newer
one, else by the newest (`toolchains.choose`). Besides the one that runs Lambent, those on PATH
and those of pyenv, uv and the usual places are found, each asked once what it is.
"""

from __future__ import annotations

import asyncio
import glob
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lambent.host.runtimes.toolchains import Version, choose

IDENTIFIER = re.compile(r"python3\.(\d+)")
OLDEST = (3, 10)
"""The first version that boto3 and the zygote work with."""
_PLACES = (
    "~/.pyenv/versions/3.*/bin/python3",
    "~/.local/share/uv/python/cpython-3.*/bin/python3",
    "/usr/local/bin/python3.*",
    "/usr/bin/python3.*",
    "/opt/python*/bin/python3",
    "/opt/python/*/bin/python3",
)
_PROGRAM = re.compile(r"(?<!/shims)/python3(?:\.\d+)?$")
"""pyenv's shims are slow, and lead where its own folder does."""
_ASK = (
    "import json, os, sys;"
    "print(json.dumps([list(sys.version_info[:2]), sys.implementation.name,"
    "os.path.realpath(sys.executable), sys.base_prefix]))"
)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """One Python: `prefix` is the folder that it needs to see."""

    version: Version
    executable: Path
    prefix: Path

    @property
    def name(self) -> str:
        """As runtime identifiers name it."""
        return "python" + ".".join(map(str, self.version))


OWN = Interpreter(sys.version_info[:2], Path(sys.executable), Path(sys.base_prefix))
"""The one that runs Lambent."""


def wanted(identifier: str) -> Version:
    """The version that a runtime identifier names; the node's own for ""."""
    match = IDENTIFIER.fullmatch(identifier)
    return (3, int(match[1])) if match else OWN.version


class Interpreters:
    """Those of this machine; `places` are globs. Found once, when another version than the
    node's own is asked for."""

    def __init__(self, places: tuple[str, ...] = _PLACES) -> None:
        self._places = places
        self._finding: asyncio.Task[Mapping[Version, Interpreter]] | None = None

    async def all(self) -> list[Interpreter]:
        """Every one of them, in the order of their versions."""
        found = await self._found()
        return [found[version] for version in sorted(found)]

    async def serving(self, identifier: str) -> Interpreter:
        """The one that runs functions with this identifier."""
        version = wanted(identifier)
        if version == OWN.version:
            return OWN
        found = await self._found()
        chosen = choose(version, found)
        return OWN if chosen is None else found[chosen]

    async def _found(self) -> Mapping[Version, Interpreter]:
        if self._finding is None:
            self._finding = asyncio.create_task(self._find())
        return await asyncio.shield(self._finding)

    async def _find(self) -> Mapping[Version, Interpreter]:
        found = {OWN.version: OWN}
        for interpreter in await asyncio.gather(*map(_ask, self._candidates())):
            if interpreter is not None and interpreter.version >= OLDEST:
                found.setdefault(interpreter.version, interpreter)
        return found

    def _candidates(self) -> list[str]:
        """Paths of programs that may be interpreters, each once, PATH's first."""
        folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
        patterns = [*(f"{folder}/python3.*" for folder in folders), *self._places]
        found = (path for each in patterns for path in sorted(glob.glob(os.path.expanduser(each))))
        return list(dict.fromkeys(path for path in found if _PROGRAM.search(path)))


async def _ask(program: str) -> Interpreter | None:
    """What a program says it is; None when it is no interpreter that works."""
    try:
        process = await asyncio.create_subprocess_exec(
            *(program, "-I", "-S", "-c", _ASK),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return None
    output, _ = await process.communicate()
    try:
        version, implementation, executable, prefix = json.loads(output)
    except ValueError:
        return None
    if process.returncode != 0 or implementation != "cpython":
        return None
    return Interpreter(tuple(version), Path(executable), Path(prefix))
