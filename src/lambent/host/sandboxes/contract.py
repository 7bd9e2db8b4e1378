"""What a sandbox promises to the runtimes: processes that see their function and no more.

A runtime family is given a `Sandbox` by `create(cache, sandbox)` and takes a launcher of its
own from it, telling which folders of the machine its processes must see besides the system's
(`/usr`, `/lib`, `/bin`, a little of `/etc`), for example a toolchain under a home folder:

    self._launcher = sandbox.launcher(show=[Path("/home/me/node22")])
    process = await self._launcher.start(launch, ["/usr/bin/node", "/var/runtime/index.mjs"])

Shown folders lie at the same path inside. The function's code and layers do not: use
`sandbox.task(launch.code)` and `sandbox.layers(launch.layers)` for paths that the process is
told. Without isolation these are the machine's own paths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from lambent.host.runtimes.contract import FunctionZygote, Launch, Process

PROCESSES = 1024
"""Processes and threads that an environment may have (Lambda quotas)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one environment may use: memory and /tmp in MiB."""

    memory: int = 128
    ephemeral: int = 512
    processes: int = PROCESSES


class Launcher(Protocol):
    """Starts the processes of one runtime family, each in a sandbox of its own."""

    async def prepare(self) -> None:
        """Get ready to start quickly; may be called often. `LaunchFailed` when it cannot."""
        ...

    async def start(self, launch: Launch, command: Sequence[str] = ()) -> Process:
        """Start a process; `command` is its program (an absolute path) and its arguments.

        It finds exactly `launch.environment`, its code as working folder, its output and
        error on `launch.output`. `LaunchFailed` when that is not possible; a program that
        is not there or cannot be executed exits with status 127 or 126 and says why.
        """
        ...

    async def zygote(self, launch: Launch) -> FunctionZygote:
        """Start a process that becomes a function zygote (see `inside.forks`).
        `LaunchFailed` when that is not possible."""
        ...

    async def close(self) -> None:
        """End every process that still runs, and what `prepare` began."""
        ...


class Sandbox(Protocol):
    """One way of keeping environments apart."""

    @property
    def description(self) -> str:
        """What is in force, for people: the kind, and how memory is limited."""
        ...

    @property
    def isolating(self) -> bool:
        """Whether it is a boundary, or no more than tidiness."""
        ...

    def close(self) -> None:
        """Give back what it has of the machine, after all launchers were closed."""
        ...

    def task(self, code: Path) -> str:
        """Where the process finds the function's code (LAMBDA_TASK_ROOT)."""
        ...

    def layers(self, layers: Sequence[Path]) -> list[str]:
        """Where the process finds its layers: later ones first."""
        ...

    def runtime(self, folder: Path) -> str:
        """Where processes find the runtime folder that their launcher was given."""
        ...

    def launcher(self, show: Sequence[Path] = (), runtime: Path | None = None) -> Launcher:
        """A launcher for commands; `show` are folders and files that stay visible, read-only.

        What the folder `runtime` has, links resolved, is found in `self.runtime(runtime)`.
        """
        ...

    def zygote(
        self,
        script: Path,
        arguments: Sequence[str] = (),
        show: Sequence[Path] = (),
        runtime: Path | None = None,
        interpreter: Path | None = None,
    ) -> Launcher:
        """A launcher by a zygote of the family's own, which loads what its processes share
        (see `inside.forking`); `script` is told a socket, options, and `arguments`. It is run
        by the Python `interpreter`, 3.10 or newer, whose prefix is shown; None is our own."""
        ...
