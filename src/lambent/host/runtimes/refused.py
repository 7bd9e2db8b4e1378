"""Managed runtimes that are known and not run: each with what works instead.

AWS loads .NET functions into a host program that is not published on its own, and Ruby ones
by a client that is not run here yet. Both run as an OS-only function with a bootstrap.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lambent.host.contract import Language
from lambent.host.runtimes.contract import Launch, LaunchFailed, Process
from lambent.host.sandboxes.contract import Sandbox

_INSTEAD = {
    "dotnet": "publish it as a self-contained executable named bootstrap, with "
    "Amazon.Lambda.RuntimeSupport, and set its runtime to provided.al2023",
    "ruby": "give it an executable named bootstrap that starts aws_lambda_ric, and set its "
    "runtime to provided.al2023",
}

_SPOKEN = {"dotnet": ".NET", "ruby": "Ruby"}


def create(cache: Path, sandbox: Sandbox) -> RefusedRuntime:
    """The family; it starts nothing."""
    return RefusedRuntime()


class RefusedRuntime:
    """Says how such functions are run here."""

    def runs(self, identifier: str) -> bool:
        return identifier.startswith(tuple(_INSTEAD))

    def variables(self, identifier: str) -> Mapping[str, str]:
        return {}

    async def prepare(self, identifier: str = "") -> None:
        return

    async def languages(self) -> list[Language]:
        return [Language(_SPOKEN[name], (), text) for name, text in _INSTEAD.items()]

    async def start(self, launch: Launch) -> Process:
        language = next(name for name in _INSTEAD if launch.runtime.startswith(name))
        raise LaunchFailed(
            f"Lambent does not run {launch.runtime}: {_INSTEAD[language]}", "Runtime.Unsupported"
        )

    async def close(self) -> None:
        return
