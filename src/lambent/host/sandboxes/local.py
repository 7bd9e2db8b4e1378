"""The sandbox of this machine: which kind is possible, and launchers of that kind.

- rooted: the node runs as root;
- rootless: it does not, and user namespaces are allowed;
- off: no more than a private /tmp, and that where it is allowed.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from lambent.core.errors import StartupError
from lambent.host import extensions
from lambent.host.runtimes.contract import Launch, LaunchFailed, Process
from lambent.host.sandboxes.cgroups import Cgroups, Group, open_cgroups
from lambent.host.sandboxes.contract import Launcher, Limits
from lambent.host.sandboxes.forks import FunctionZygote
from lambent.host.sandboxes.inside import mounts, rooted
from lambent.host.sandboxes.watch import Meter, Watcher
from lambent.host.sandboxes.zygote import Child, Zygote, ZygoteGone

_COMMANDS = Path(__file__).parent / "inside" / "commands.py"
_FORKS = 64
"""Environments that a function zygote may fork before they share their limit of processes."""
_log = logging.getLogger(__name__)


async def open_sandbox(mode: str, cache: Path, hide: Sequence[Path] = ()) -> LocalSandbox:
    """The strongest sandbox of this machine that `mode` asks for: auto, require or off.

    `cache` is a folder for what can be made again; folders in `hide` are never visible.
    StartupError when `require` asks for what the machine does not allow.
    """
    base = cache / "root"
    base.mkdir(parents=True, exist_ok=True)
    if mode == "off":
        return LocalSandbox("off", base, (), None)
    kind = "rooted" if os.geteuid() == 0 else "rootless"
    sandbox = LocalSandbox(kind, base, hide, open_cgroups())
    try:
        await _try(sandbox, cache)
    except LaunchFailed as error:
        sandbox.close()
        if mode == "require":
            raise StartupError(
                f"Functions cannot be isolated on this machine: {error} "
                "(--sandbox auto runs them without)."
            ) from error
        _log.warning("Functions are not isolated from each other or from this machine: %s", error)
        return LocalSandbox("off", base, (), None)
    return sandbox


async def _try(sandbox: LocalSandbox, cache: Path) -> None:
    """Start a process that does nothing. `LaunchFailed` says why that is not possible."""
    launcher = sandbox.launcher()
    read, write = os.pipe2(os.O_CLOEXEC)
    try:
        process = await launcher.start(Launch("", {}, Path("/usr"), cache, write))
        status = await process.exited
        os.close(write)
        write = -1
        if status != 0:
            raise LaunchFailed(os.read(read, 4096).decode("utf-8", "replace").strip())
    finally:
        os.close(read)
        if write >= 0:
            os.close(write)
        await launcher.close()


class LocalSandbox:
    """A `Sandbox` (see `contract`)."""

    def __init__(
        self, kind: str, base: Path, hide: Sequence[Path], cgroups: Cgroups | None
    ) -> None:
        self.kind = kind
        self._base = base
        self._hide = hide
        self.cgroups = cgroups
        self.watcher = Watcher()
        self._zygotes = itertools.count()

    @property
    def isolating(self) -> bool:
        return self.kind != "off"

    @property
    def description(self) -> str:
        if not self.isolating:
            return "off"
        limits = f"cgroup v{self.cgroups.version}" if self.cgroups else "watching"
        return f"{self.kind}, memory by {limits}"

    def task(self, code: Path) -> str:
        return mounts.TASK if self.isolating else str(code)

    def layers(self, layers: Sequence[Path]) -> list[str]:
        if self.isolating:
            return [mounts.LAYERS] if layers else []
        return [str(layer) for layer in reversed(layers)]

    def runtime(self, folder: Path) -> str:
        return mounts.RUNTIME if self.isolating else str(folder)

    def launcher(self, show: Sequence[Path] = (), runtime: Path | None = None) -> Launcher:
        return self.zygote(_COMMANDS, show=show, runtime=runtime)

    def zygote(
        self,
        script: Path,
        arguments: Sequence[str] = (),
        show: Sequence[Path] = (),
        runtime: Path | None = None,
        interpreter: Path | None = None,
    ) -> Launcher:
        if interpreter is None:
            interpreter = Path(sys.executable)
            show = [Path(sys.base_prefix), *show]
        number = os.getpid() * 16 + next(self._zygotes)
        options = {
            "kind": self.kind,
            "zygote": number,
            "base": str(self._base),
            "show": [str(path) for path in show],
            "hide": [str(path) for path in self._hide],
            "runtime": str(runtime) if runtime else None,
        }
        keep = [*map(str, show), *(_seen(runtime) if runtime else [])]
        command = [str(interpreter), str(script)]
        return _ZygoteLauncher(self, command, options, number, arguments, keep)

    def close(self) -> None:
        """Give back what it has of the machine; all launchers were closed."""
        if self.cgroups is not None:
            self.cgroups.close()


def _files(launch: Launch) -> dict[str, Any]:
    """What a zygote needs to furnish a sandbox."""
    return {
        "code": str(launch.code),
        # What comes later lies over what came before.
        "layers": [str(layer) for layer in reversed(launch.layers)],
        "limits": asdict(launch.limits),
    }


def _seen(runtime: Path) -> list[str]:
    """A runtime's folder, and where the links in it lead, which may be anywhere."""
    links = [entry for entry in runtime.iterdir() if entry.is_symlink()]
    return [str(runtime), *sorted({str(link.resolve().parent) for link in links})]


class _ZygoteLauncher:
    """A `Launcher` by a zygote: one that dies is started anew for the next process."""

    def __init__(
        self,
        sandbox: LocalSandbox,
        command: Sequence[str],
        options: dict[str, object],
        number: int,
        arguments: Sequence[str],
        keep: Sequence[str],
    ) -> None:
        self._sandbox = sandbox
        self._command = command
        self._options = options
        self._number = number
        self._arguments = arguments
        self._keep = keep
        self._zygote: Zygote | None = None
        self._starting: asyncio.Task[Zygote] | None = None
        self._groups = itertools.count()
        self._addresses = itertools.count(number << 6)

    async def prepare(self) -> None:
        await self._ready()

    async def start(self, launch: Launch, command: Sequence[str] = ()) -> Process:
        return await self._start(launch, command)

    async def zygote(self, launch: Launch) -> FunctionZygote:
        number = 0
        extended = bool(extensions.found(launch.layers))

        def make_shell(launch: Launch, tasks: list[str], to_node: int, to_fork: int) -> str:
            if self._zygote is None or not self._zygote.alive:
                raise LaunchFailed("The zygote is gone, and the function's with it.")
            address = extensions.numbered(next(self._addresses)) if extended else ""
            message = {"shell": number, "tasks": tasks, "address": address, **_files(launch)}
            self._zygote.send(message, to_node, to_fork)
            return address

        isolating = self._sandbox.isolating
        zygote = FunctionZygote(
            *(launch, self._keep, make_shell if isolating else None, self._group, self._limit)
        )
        # What it forks has processes of its own, and all are one user to the kernel.
        most = replace(launch.limits, processes=launch.limits.processes * _FORKS)
        process = await self._start(replace(launch, limits=most), control=zygote.their_end)
        number = process.number
        zygote.began(process)
        return zygote

    async def _start(
        self, launch: Launch, command: Sequence[str] = (), control: socket.socket | None = None
    ) -> Child:
        if launch.network is not None and not self._sandbox.isolating:
            raise LaunchFailed("A network of its own takes a sandbox, and there is none here.")
        group = self._group(launch.limits)
        files = _files(launch)
        # A function zygote sees the folders of those that it will fork.
        others = [] if control is None else [str(launch.scratch.parent)]
        message = {
            **files,
            "environment": dict(launch.environment),
            "scratch": str(launch.scratch),
            "keep": [*self._keep, str(launch.code), *files["layers"], *others],
            "tasks": group.tasks if group else [],
            "handler": launch.handler,
            "command": list(command),
            "address": launch.beside.address if launch.beside else "",
            "debug": launch.debug,
            "zygote": control is not None,
            "ports": list(launch.network.ports) if launch.network else [],
            "ways": launch.network.ways if launch.network else 0,
        }
        descriptors = [launch.output]
        if control is not None:
            descriptors.append(control.fileno())
        if (beside := launch.beside) is not None:
            descriptors += [beside.output, beside.control]
            message["extensions"] = {
                "programs": dict(beside.programs),
                "environment": dict(beside.environment),
            }
        try:
            for _ in range(2):
                zygote = await self._ready()
                try:
                    child = await zygote.start(message, *descriptors, network=launch.network)
                except ZygoteGone:
                    continue  # it died between two starts: a new one has not seen this
                self._know(child)
                self._limit(child, launch.limits, group)
                return child
        except BaseException:
            if group is not None:
                group.remove()
            raise
        raise LaunchFailed("The zygote died twice while it started a process.")

    async def close(self) -> None:
        if self._starting is not None:
            with contextlib.suppress(LaunchFailed):
                await self._starting
        if self._zygote is not None:
            await self._zygote.close()

    async def _ready(self) -> Zygote:
        if self._zygote is not None and self._zygote.alive:
            return self._zygote
        if self._starting is None:
            self._starting = asyncio.create_task(self._open())
        try:
            self._zygote = await asyncio.shield(self._starting)
        finally:
            if self._starting is not None and self._starting.done():
                self._starting = None
        return self._zygote

    async def _open(self) -> Zygote:
        zygote = Zygote(self._command, [json.dumps(self._options), *self._arguments])
        await zygote.ready
        return zygote

    def _group(self, limits: Limits) -> Group | None:
        cgroups = self._sandbox.cgroups
        if cgroups is None:
            return None
        try:
            return cgroups.make(f"{self._options['zygote']}-{next(self._groups)}", limits)
        except OSError as error:
            raise LaunchFailed(f"No control group could be made: {error}.") from error

    def _know(self, child: Child) -> None:
        """Note by what its connections are known."""
        child.isolated = self._sandbox.isolating
        if self._sandbox.kind == "rooted":
            child.user = rooted.host_user(self._number, child.number)

    def _limit(self, child: Child, limits: Limits, group: Group | None) -> None:
        """Watch its memory; let go of its group when it is gone."""
        if not self._sandbox.isolating:
            return
        child.group = group
        watcher = self._sandbox.watcher
        meter = Meter(child.pid, limits.memory, group)

        def end() -> None:
            child.out_of_memory = True
            child.kill()

        def exited(_: asyncio.Future[int]) -> None:
            child.out_of_memory |= group is not None and group.killed()

        def gone(_: asyncio.Future[None]) -> None:
            watcher.remove(meter)
            if group is not None:
                group.remove()

        watcher.add(meter, end)
        child.exited.add_done_callback(exited)
        child.gone.add_done_callback(gone)
