"""The Python family: environments forked from a zygote with boto3 and the client loaded.

Each interpreter that serves has a zygote of its own (`python_zygote` is its program), and
another one for debugged functions. Which interpreter serves is `python_interpreters`', what
it is given `python_distributions`'.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from lambent.host.contract import Language
from lambent.host.runtimes import python_distributions
from lambent.host.runtimes.contract import FunctionZygote, Launch, LaunchFailed, Process
from lambent.host.runtimes.python_interpreters import (
    IDENTIFIER,
    OWN,
    Interpreter,
    Interpreters,
    wanted,
)
from lambent.host.runtimes.toolchains import notice
from lambent.host.runtimes.wrapper import wrapper
from lambent.host.sandboxes.contract import Launcher, Sandbox

_SCRIPT = Path(__file__).with_name("python_zygote.py")
_PROGRAM = Path(__file__).with_name("python_bootstrap.py")
_LOADED = (
    *("python_preload.py", "python_botocore.py", "python_transport.py"),
    *("python_forks.py", "python_debug.py"),
)
_DEBUGGER = "debugpy"
_log = logging.getLogger(__name__)


def create(cache: Path, sandbox: Sandbox) -> PythonRuntime:
    """The family; what its interpreters are given lies in `cache`."""
    return PythonRuntime(cache, sandbox)


class PythonRuntime:
    """Starts Python environments by zygotes."""

    def __init__(
        self, cache: Path, sandbox: Sandbox, interpreters: Interpreters | None = None
    ) -> None:
        self._cache = cache.absolute()
        self._sandbox = sandbox
        self._interpreters = interpreters or Interpreters()
        self._launchers: dict[tuple[Interpreter, bool], asyncio.Task[Launcher]] = {}
        self._programs: dict[Interpreter, Launcher] = {}

    def runs(self, identifier: str) -> bool:
        return IDENTIFIER.fullmatch(identifier) is not None

    def variables(self, identifier: str) -> Mapping[str, str]:
        return {"AWS_EXECUTION_ENV": f"AWS_Lambda_{identifier}"}

    async def prepare(self, identifier: str = "") -> None:
        launcher, _ = await self._serving(identifier, debugged=False)
        await launcher.prepare()

    async def languages(self) -> list[Language]:
        versions = [one.name.removeprefix("python") for one in await self._interpreters.all()]
        return [Language("Python", versions)]

    async def start(self, launch: Launch) -> Process:
        launcher, interpreter = await self._serving(launch.runtime, debugged=bool(launch.debug))
        if interpreter.version != wanted(launch.runtime):
            os.write(launch.output, notice(launch.runtime, interpreter.name))
        wrapped = wrapper(launch, self._sandbox)
        if wrapped and not launch.debug:
            return await self._start_program(launch, interpreter, wrapped)
        return await launcher.start(launch)

    async def zygote(self, launch: Launch) -> FunctionZygote:
        launcher, interpreter = await self._serving(launch.runtime, debugged=False)
        if interpreter.version != wanted(launch.runtime):
            os.write(launch.output, notice(launch.runtime, interpreter.name))
        if wrapper(launch, self._sandbox):
            raise LaunchFailed("its wrapper script starts a program of its own", "Lambent.Unfit")
        return await launcher.zygote(launch)

    async def close(self) -> None:
        for programs in self._programs.values():
            await programs.close()
        for making in self._launchers.values():
            try:
                launcher = await making
            except LaunchFailed:
                continue
            await launcher.close()

    async def _start_program(
        self, launch: Launch, interpreter: Interpreter, wrapped: list[str]
    ) -> Process:
        """Start a runtime as a program of its own, by a wrapper script."""
        folder = await python_distributions.folder(self._cache, interpreter, ())
        if interpreter not in self._programs:
            show = [_PROGRAM, interpreter.executable.parent, interpreter.prefix]
            self._programs[interpreter] = self._sandbox.launcher(show, runtime=folder)
        layers = self._sandbox.layers(launch.layers)
        command = [str(interpreter.executable), str(_PROGRAM), self._sandbox.runtime(folder)]
        return await self._programs[interpreter].start(launch, [*wrapped, *command, *layers])

    def debugger(self) -> str:
        if importlib.util.find_spec(_DEBUGGER) is None:
            raise LaunchFailed(
                "debugpy is not installed beside Lambent: `pip install lambent[debug]`, "
                "and start the node anew"
            )
        return _DEBUGGER

    async def _serving(self, identifier: str, debugged: bool) -> tuple[Launcher, Interpreter]:
        """The launcher for an identifier, and by which interpreter: the node's own where the
        one that should serve cannot."""
        interpreter = await self._interpreters.serving(identifier)
        try:
            return await self._launcher(interpreter, debugged), interpreter
        except LaunchFailed as error:
            if interpreter is OWN:
                raise
            _log.warning("%s runs %s functions: %s", OWN.name, identifier, error)
            return await self._launcher(OWN, debugged), OWN

    async def _launcher(self, interpreter: Interpreter = OWN, debugged: bool = False) -> Launcher:
        key = (interpreter, debugged)
        if key not in self._launchers:
            self._launchers[key] = asyncio.create_task(self._make(interpreter, debugged))
        return await asyncio.shield(self._launchers[key])

    async def _make(self, interpreter: Interpreter, debugged: bool) -> Launcher:
        more = (_DEBUGGER,) if debugged else ()
        folder = await python_distributions.folder(self._cache, interpreter, more)
        return self._sandbox.zygote(
            _SCRIPT,
            [self._sandbox.runtime(folder)],
            # The folder of the interpreter's link, by which programs start it anew.
            show=[
                *(_SCRIPT.with_name(name) for name in _LOADED),
                *(interpreter.executable.parent, interpreter.prefix),
            ],
            runtime=folder,
            interpreter=interpreter.executable,
        )
