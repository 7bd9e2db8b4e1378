"""The OS-only family: `bootstrap` from the code folder, or from a layer, is the runtime.

Also `go1.x`, whose executable is the handler's name. Source of the errors: what Lambda says
of a bootstrap that is not there or cannot be executed (Runtime.InvalidEntrypoint).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from lambent.host.contract import Language
from lambent.host.runtimes.contract import Launch, LaunchFailed, Process
from lambent.host.sandboxes.contract import Sandbox

_IDENTIFIERS = frozenset({"provided", "provided.al2", "provided.al2023", "go1.x"})
_INVALID = "Runtime.InvalidEntrypoint"


def create(cache: Path, sandbox: Sandbox) -> ProvidedRuntime:
    """The family; it caches nothing."""
    return ProvidedRuntime(sandbox)


class ProvidedRuntime:
    """Starts bootstraps."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._launcher = sandbox.launcher()

    def runs(self, identifier: str) -> bool:
        return identifier in _IDENTIFIERS

    def variables(self, identifier: str) -> Mapping[str, str]:
        # OS-only runtimes have no AWS_EXECUTION_ENV.
        return {"AWS_EXECUTION_ENV": "AWS_Lambda_go1.x"} if identifier == "go1.x" else {}

    async def prepare(self, identifier: str = "") -> None:
        await self._launcher.prepare()

    async def languages(self) -> list[Language]:
        return [Language("OS-only (bootstrap)", sorted(_IDENTIFIERS))]

    async def start(self, launch: Launch) -> Process:
        task = self._sandbox.task(launch.code)
        if launch.runtime == "go1.x":
            return await self._start(launch, launch.code / launch.handler, task, "/var/task")
        if (launch.code / "bootstrap").exists():
            return await self._start(launch, launch.code / "bootstrap", task, "/var/task")
        places = self._sandbox.layers(launch.layers)
        for number, layer in enumerate(reversed(launch.layers)):
            if (layer / "bootstrap").exists():
                place = places[min(number, len(places) - 1)]
                return await self._start(launch, layer / "bootstrap", place, "/opt")
        missing = "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
        raise LaunchFailed(missing, _INVALID)

    async def _start(self, launch: Launch, program: Path, place: str, shown: str) -> Process:
        """Start `program`, which the process finds in the folder `place`."""
        reason = unexecutable(program)
        if reason is not None:
            raise LaunchFailed(f"fork/exec {shown}/{program.name}: {reason}", _INVALID)
        return await self._launcher.start(launch, [f"{place}/{program.name}"])

    async def close(self) -> None:
        await self._launcher.close()


def unexecutable(program: Path) -> str | None:
    """Why the kernel would not execute a file, in its words; None when it would."""
    if not program.is_file():
        return "permission denied" if program.is_dir() else "no such file or directory"
    if not program.stat().st_mode & 0o111:
        return "permission denied"
    with program.open("rb") as file:
        head = file.read(256)
    if head.startswith(b"#!"):
        interpreter = head[2:].split(b"\n")[0].split()
        if not interpreter or not Path(os.fsdecode(interpreter[0])).exists():
            return "no such file or directory"
        return None
    return None if head.startswith(b"\x7fELF") else "exec format error"
