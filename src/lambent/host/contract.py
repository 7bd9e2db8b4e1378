"""What the function host promises to those who invoke functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from lambent.host.streams import ResponseStream


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """A function as the host runs it.

    `revision` changes with every change of code or configuration: environments of another
    revision finish what they run and are drained. `code` is the unpacked code's folder, read
    only to the function. Timeout in seconds, memory and /tmp in MiB. `network` is "host",
    "none" (only the node can be reached), or "" for what the node's setting says.
    """

    arn: str
    name: str
    account: str
    region: str
    version: str
    revision: str
    runtime: str
    handler: str
    code: Path
    timeout: float
    memory: int
    ephemeral: int = 512
    role: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    layers: Sequence[Path] = ()
    log_group: str = ""
    log_format: str = "Text"
    application_log_level: str = ""
    system_log_level: str = "INFO"
    architecture: str = "x86_64"
    network: str = ""
    tier: str = "cold"
    """What is kept ready of it: "hot" an environment, "warm" its own zygote, "cold" nothing."""
    snap_start: bool = False
    """Whether it is a version with SnapStart: initialised once, and forked from that."""


class Invocation(msgspec.Struct, frozen=True):
    """One call of a function. `request_id` is the AWS request id that handlers and logs see."""

    request_id: str
    payload: bytes
    trace: str | None = None
    client_context: bytes | None = None
    tail: bool = False
    """Whether the caller wants the last 4 KiB of the log back."""
    arn: str = ""
    """The ARN as the caller named the function, qualifier and all; "" is the spec's."""
    retries: int = 0
    """How often this event was tried before."""
    stream: ResponseStream | None = None
    """What takes the response of a function that streams; None waits for all of it."""


class InvocationResult(msgspec.Struct, frozen=True):
    """How an invocation went.

    `error` is None, or "Unhandled" for whatever the function or its environment did wrong;
    `payload` is then the error's JSON as Lambda gives it
    (`{"errorMessage", "errorType", "requestId"?, "stackTrace"?}`). Durations in seconds,
    memory in MiB. `init` is None when an environment was already there (a warm start).
    What the invocation's stream took is not in `payload`, unless an error ended it.
    """

    payload: bytes
    error: str | None
    log_tail: bytes
    duration: float
    billed: float
    init: float | None
    memory_peak: int
    waited: float = 0.0
    """Seconds in line for an environment."""
    tier: str = "cold"
    """What its environment was: "hot" initialised before, "warm" or "snap-start" forked from
    the function's own zygote, "cold" neither."""


@dataclass(slots=True)
class Activity:
    """A function's environments now, and its counts since the node started."""

    busy: int = 0
    idle: int = 0
    invocations: int = 0
    failures: int = 0
    throttles: int = 0
    tier: str = "cold"
    """Its setting, as last seen."""
    zygotes: int = 0
    """Its own zygotes that are ready."""


@dataclass(frozen=True, slots=True)
class Kept:
    """How many environments are to be kept ready, how many are, and why not more."""

    wanted: int
    ready: int
    fault: str | None = None


class Throttled(Exception):
    """There was no place for the invocation within the host's limits."""


@dataclass(frozen=True, slots=True)
class Language:
    """What functions of a language are run by here: the versions that there are, or, in
    `missing`, why there are none and what to do."""

    name: str
    versions: Sequence[str] = ()
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Debugging:
    """How a debugger reaches a function: by a port of this machine's loopback.

    `debugger` is "debugpy" or "inspector"; `folder` is where the process finds its code.
    """

    debugger: str
    port: int
    folder: str


class NotDebuggable(Exception):
    """The function cannot be debugged, or not at that port; the message is for the user."""


class FunctionHost(Protocol):
    """Runs functions. One object per node."""

    async def invoke(self, spec: FunctionSpec, invocation: Invocation) -> InvocationResult:
        """Run the function once; waits for an environment. Throttled when there is no place."""
        ...

    async def prepare(self, runtime: str) -> None:
        """Functions with this runtime identifier exist: get ready to start them quickly.

        Cheap when called again; unknown identifiers are nothing to get ready for.
        """
        ...

    async def keep(self, spec: FunctionSpec, count: int) -> None:
        """Keep `count` environments initialised from now on, beyond what the keep-alive would;
        one that ends is replaced. Returns at once: see `kept`."""
        ...

    def kept(self, spec: FunctionSpec) -> Kept:
        """How far `keep` has come for the spec's revision."""
        ...

    async def debug(self, spec: FunctionSpec, port: int, patience: float) -> Debugging:
        """From now on, run the invocations of `spec.arn` in an environment that waits for a
        debugger, up to `patience` seconds, before it loads the function; one at a time.

        No time counts while a debugger is attached. `port` 0 takes a free one; a session
        that is there is replaced. `NotDebuggable` says why not.
        """
        ...

    async def stop_debugging(self, arn: str) -> bool:
        """End the session, and what runs in it; False when there is none."""
        ...

    async def prime(self, spec: FunctionSpec) -> tuple[str, str] | None:
        """Make ready what the spec's tier and SnapStart ask for, and keep it until the
        revision is retired. Returns once that is done; an error type and a message when the
        function's initialisation fails."""
        ...

    async def retire(self, arn: str, keep_revision: str | None = None) -> None:
        """Drain the function's environments of all revisions but one; nothing in flight is
        cut off. For code updates and deletion."""
        ...

    @property
    def sandbox(self) -> str:
        """How environments are kept apart, for people."""
        ...

    async def languages(self) -> Sequence[Language]:
        """What this machine can run, and what it lacks."""
        ...

    def activity(self) -> Mapping[str, Activity]:
        """What runs and what ran, by function ARN; for all functions that were invoked."""
        ...

    async def close(self) -> None:
        """Drain: let what runs finish within its timeout, then end all environments."""
        ...
