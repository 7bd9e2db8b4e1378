"""Finding the programs that run functions: which are on this machine, and which one serves.

The choice is pure (`choose`); finding runs each candidate once to ask for its version.
"""

from __future__ import annotations

import asyncio
import glob
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

Version = tuple[int, ...]
_VERSION = re.compile(r"(\d+(?:\.\d+)*)")


def choose(wanted: Version, available: Iterable[Version]) -> Version | None:
    """The version that serves for `wanted`: itself, else the nearest newer, else the newest.

    >>> choose((20,), [(18,), (20,), (22,)]), choose((20,), [(18,), (22,)]), choose((24,), [(20,)])
    ((20,), (22,), (20,))
    """
    have = sorted(set(available))
    newer = [version for version in have if version >= wanted]
    return newer[0] if newer else (have[-1] if have else None)


def notice(identifier: str, program: str) -> bytes:
    """The log line that says what runs a function instead of what it asks for."""
    return f"[lambent] {identifier} runs by {program} here\n".encode()


class Toolchain:
    """The versions of one program that this machine has, found once and kept.

    `names` are looked up on PATH, `patterns` (globs, `~` allowed) anywhere; `version` are the
    arguments that make it print its version; `parts` is how many numbers tell versions apart.
    """

    def __init__(
        self, names: Sequence[str], patterns: Sequence[str], version: Sequence[str], parts: int
    ) -> None:
        self._names = names
        self._patterns = patterns
        self._version = version
        self._parts = parts
        self._found: asyncio.Task[Mapping[Version, Path]] | None = None

    async def found(self) -> Mapping[Version, Path]:
        """The programs by version."""
        if self._found is None:
            self._found = asyncio.create_task(self._find())
        return await asyncio.shield(self._found)

    async def _find(self) -> Mapping[Version, Path]:
        found: dict[Version, Path] = {}
        for candidate in self._candidates():
            version = await self._ask(candidate)
            if version is not None:
                found.setdefault(version[: self._parts], candidate.resolve())
        return found

    def _candidates(self) -> list[Path]:
        candidates = [Path(at) for name in self._names if (at := shutil.which(name))]
        for pattern in self._patterns:
            candidates += map(Path, sorted(glob.glob(os.path.expanduser(pattern))))
        return candidates

    async def _ask(self, program: Path) -> Version | None:
        try:
            process = await asyncio.create_subprocess_exec(
                str(program),
                *self._version,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
        except OSError:
            return None
        output, _ = await process.communicate()
        match = _VERSION.search(output.decode("utf-8", "replace"))
        if process.returncode != 0 or match is None:
            return None
        return tuple(int(part) for part in match[1].split("."))
