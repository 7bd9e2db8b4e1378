"""The Node.js family: CommonJS and ES modules, run by our own client (`nodejs_client`).

Why not AWS's: docs/decisions. A function's Node.js is the machine's of that major version,
else the nearest newer, else its newest; the log says so.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lambent.host.contract import Language
from lambent.host.runtimes.contract import Launch, LaunchFailed, Process
from lambent.host.runtimes.toolchains import Toolchain, choose, notice
from lambent.host.runtimes.wrapper import wrapper
from lambent.host.sandboxes.contract import Launcher, Sandbox

_IDENTIFIER = re.compile(r"nodejs(\d+)\.(?:x|10)")
_CLIENT = Path(__file__).with_name("nodejs_client")
_HEAP_SHARE = 0.9
_PLACES = (
    "~/.nvm/versions/node/*/bin/node",
    "~/.local/share/fnm/node-versions/*/installation/bin/node",
    "/usr/local/lib/nodejs/*/bin/node",
    "/opt/node*/bin/node",
)
_MISSING = "Node.js is not on this machine: install it so that `node` is on PATH"


def create(cache: Path, sandbox: Sandbox) -> NodejsRuntime:
    """The family; it caches nothing."""
    return NodejsRuntime(sandbox)


class NodejsRuntime:
    """Starts Node.js environments."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._launcher: Launcher | None = None
        self._toolchain = Toolchain(("node", "nodejs"), _PLACES, ("--version",), parts=1)

    def runs(self, identifier: str) -> bool:
        return _IDENTIFIER.fullmatch(identifier) is not None

    def variables(self, identifier: str) -> Mapping[str, str]:
        return {"AWS_EXECUTION_ENV": f"AWS_Lambda_{identifier}"}

    async def prepare(self, identifier: str = "") -> None:
        found = await self._toolchain.found()
        if found and self._launcher is None:
            show = [program.parent.parent for program in found.values()]
            self._launcher = self._sandbox.launcher(show, runtime=_CLIENT)
        if self._launcher is not None:
            await self._launcher.prepare()

    async def languages(self) -> list[Language]:
        versions = [str(version[0]) for version in sorted(await self._toolchain.found())]
        return [Language("Node.js", versions, "" if versions else _MISSING)]

    async def start(self, launch: Launch) -> Process:
        match = _IDENTIFIER.fullmatch(launch.runtime)
        assert match is not None
        wanted = (int(match[1]),)
        await self.prepare()
        found = await self._toolchain.found()
        version = choose(wanted, found)
        if version is None or self._launcher is None:
            raise LaunchFailed(_MISSING, "Runtime.Unsupported")
        if version != wanted:
            os.write(launch.output, notice(launch.runtime, f"Node.js {version[0]}"))
        program = ["debug.cjs", launch.debug] if launch.debug else ["bootstrap.cjs"]
        client = [f"{self._sandbox.runtime(_CLIENT)}/{program[0]}", *program[1:]]
        own = {"NODE_PATH": self._module_path(launch, version[0]), **launch.environment}
        return await self._launcher.start(
            replace(launch, environment=own),
            [
                *wrapper(launch, self._sandbox),
                *(str(found[version]), *_options(launch.environment), *client),
            ],
        )

    def debugger(self) -> str:
        return "inspector"

    async def close(self) -> None:
        if self._launcher is not None:
            await self._launcher.close()

    def _module_path(self, launch: Launch, major: int) -> str:
        layers = self._sandbox.layers(launch.layers)
        folders = [
            f"{layer}/nodejs/{folder}"
            for folder in (f"node{major}/node_modules", "node_modules")
            for layer in layers
        ]
        return ":".join([*folders, self._sandbox.task(launch.code)])


def _options(environment: Mapping[str, str]) -> list[str]:
    """The heap's limit by the function's memory, unless it sets one itself."""
    own = environment.get("NODE_OPTIONS", "").replace("_", "-")
    memory = int(environment.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "0"))
    if "--max-old-space-size" in own or "--max-semi-space-size" in own or not memory:
        return []
    return [f"--max-old-space-size={int(memory * _HEAP_SHARE)}"]
