"""What a runtime family promises: it starts processes that speak the Runtime API.

A family is one module in this folder with `create(cache, sandbox) -> Runtime`; `discover`
finds it.
The pool knows no language, and a family knows no pool.
"""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from lambent.host.contract import Language
from lambent.host.sandboxes.contract import Limits, Sandbox


@dataclass(frozen=True, slots=True)
class Beside:
    """The extensions to start beside a process, in its sandbox.

    `programs` are paths by name. `output` takes what they write, `control` tells of their
    ends and takes the word to begin (see `sandboxes.inside.extensions`); the starter closes
    neither. `address`, an address of the loopback, is the environment's own: listeners of two
    environments that bind to the environment's name do not meet.
    """

    programs: Mapping[str, str]
    environment: Mapping[str, str]
    output: int
    control: int
    address: str


@dataclass(frozen=True, slots=True)
class Network:
    """A network of a process's own: its loopback, on which these ports are served by whoever
    `serve` gives the listening sockets to (in the order of the ports, which then owns them),
    and nothing else. So many `ways`, sockets by which what listens there can be connected to,
    are given along with them."""

    ports: Sequence[int]
    ways: int
    serve: Callable[[Sequence[socket.socket]], None]


@dataclass(frozen=True, slots=True)
class Launch:
    """One process to start.

    `environment` is complete: nothing of the node's own is added. `code` is its working
    folder, `scratch` what becomes its /tmp. `output` is the file descriptor that takes its
    standard output, standard error and framed log records; the starter does not close it.
    `runtime` is the function's runtime identifier. `debug` asks that the process, before it
    loads the function, opens a port of the loopback for a debugger, tells it to that address
    (HOST:PORT) as a line of text, and waits until a debugger has attached. With a `network`,
    it has one of its own; only an isolating sandbox can do that.
    """

    handler: str
    environment: Mapping[str, str]
    code: Path
    scratch: Path
    output: int
    layers: Sequence[Path] = ()
    limits: Limits = field(default_factory=Limits)
    runtime: str = ""
    debug: str = ""
    beside: Beside | None = None
    network: Network | None = None


class Process(Protocol):
    """A started process and all it starts in turn."""

    @property
    def pid(self) -> int:
        """Its process id."""
        ...

    @property
    def address(self) -> str:
        """The environment's own address of the loopback, if it is another than that of
        `Launch.beside`; else ""."""
        ...

    @property
    def out_of_memory(self) -> bool:
        """Whether it was ended because it used more memory than it has."""
        ...

    @property
    def exited(self) -> asyncio.Future[int]:
        """Done with the wait status (as of `os.waitpid`) once it is gone."""
        ...

    @property
    def gone(self) -> asyncio.Future[None]:
        """Done once nothing of it is left: with extensions beside it, only after `kill`."""
        ...

    def owns(self, theirs: tuple[str, int], ours: tuple[str, int]) -> bool:
        """Whether the other end of a loopback connection is in its sandbox; always, where
        there is none."""
        ...

    def terminate(self) -> None:
        """Ask it to end (SIGTERM); nothing when it is gone."""
        ...

    def kill(self) -> None:
        """End it, its children and its extensions at once (SIGKILL), also when frozen."""
        ...

    def freeze(self, frozen: bool) -> None:
        """Stop it and its children where they are, or let them go on; nothing when it is
        gone."""
        ...


class FunctionZygote(Protocol):
    """A process that has loaded a function, and forks its environments."""

    @property
    def process(self) -> Process:
        """The process itself; its end is the end of all that it forked."""
        ...

    @property
    def ready(self) -> asyncio.Future[None]:
        """Done once it can fork; `LaunchFailed` when it cannot and has ended."""
        ...

    async def fork(self, launch: Launch) -> Process:
        """Start an environment's process, in a sandbox of its own. `LaunchFailed` when that
        is not possible."""
        ...


class LaunchFailed(Exception):
    """The process could not be started; the message is for the operator.

    `type` is the error type that the function's caller sees.
    """

    def __init__(self, message: str, type: str = "Sandbox.LaunchFailed") -> None:
        super().__init__(message)
        self.type = type


class Runtime(Protocol):
    """One family of runtimes ("python3.11", "python3.12", ...)."""

    def runs(self, identifier: str) -> bool:
        """Whether functions with this runtime identifier are run by this family."""
        ...

    def variables(self, identifier: str) -> Mapping[str, str]:
        """Environment variables that this family's functions find besides the common ones."""
        ...

    async def prepare(self, identifier: str = "") -> None:
        """Get ready to start this identifier's processes quickly (a zygote); may be called
        often."""
        ...

    async def languages(self) -> Sequence[Language]:
        """What it runs on this machine, and what it lacks for it."""
        ...

    async def start(self, launch: Launch) -> Process:
        """Start a process. `LaunchFailed` when that is not possible."""
        ...

    async def close(self) -> None:
        """End what `prepare` began, and every process that still runs."""
        ...


@runtime_checkable
class Debuggable(Runtime, Protocol):
    """A runtime family that heeds `Launch.debug`."""

    def debugger(self) -> str:
        """What its processes speak ("debugpy", "inspector"). `LaunchFailed` says what is
        missing."""
        ...


@runtime_checkable
class Forking(Runtime, Protocol):
    """A runtime family whose functions can have zygotes of their own."""

    async def zygote(self, launch: Launch) -> FunctionZygote:
        """Start a process that loads the function and forks its environments. `LaunchFailed`
        when that is not possible."""
        ...


def discover(cache: Path, sandbox: Sandbox) -> list[Runtime]:
    """The families in this folder; `cache` is for what they can make again."""
    package = importlib.import_module(__package__)
    found: list[Runtime] = []
    for info in pkgutil.iter_modules(package.__path__):
        create = getattr(importlib.import_module(f"{__package__}.{info.name}"), "create", None)
        if create is not None:
            found.append(create(cache, sandbox))
    return found
