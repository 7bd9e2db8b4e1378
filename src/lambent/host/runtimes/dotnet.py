"""The .NET family: known, and refused with the way that works (an OS-only bootstrap).

AWS's managed .NET runtimes load a function's assembly into a host program that is not
published on its own; a self-contained executable with Amazon.Lambda.RuntimeSupport is the
same function and runs as `provided.al2023`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lambent.host.runtimes.contract import Launch, LaunchFailed, Process
from lambent.host.sandboxes.contract import Sandbox


def create(cache: Path, sandbox: Sandbox) -> DotnetRuntime:
    """The family; it starts nothing."""
    return DotnetRuntime()


class DotnetRuntime:
    """Says how .NET functions are run here."""

    def runs(self, identifier: str) -> bool:
        return identifier.startswith("dotnet")

    def variables(self, identifier: str) -> Mapping[str, str]:
        return {}

    async def prepare(self) -> None:
        return

    async def start(self, launch: Launch) -> Process:
        raise LaunchFailed(
            f"Lambent does not run {launch.runtime} as it is: publish the function as a "
            "self-contained executable named bootstrap, with Amazon.Lambda.RuntimeSupport, "
            "and set its runtime to provided.al2023",
            "Runtime.Unsupported",
        )

    async def close(self) -> None:
        return
