"""Runs functions on a sandboxed host and prints their answers as JSON; see `conftest`."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lambent.core.clock import SystemClock
from lambent.core.errors import StartupError
from lambent.core.ids import SystemIds
from lambent.host.contract import FunctionSpec, Invocation
from lambent.host.local import open_host
from lambent.host.logs import LogStream
from lambent.host.output import LogEvent
from lambent.host.sandboxes.local import open_sandbox


class Logs:
    def __init__(self) -> None:
        self.texts: list[str] = []

    def write(self, stream: LogStream, events: Sequence[LogEvent]) -> None:
        self.texts += [text for _, text in events]

    async def flush(self) -> None:
        pass

    async def close(self) -> None:
        pass


async def credentials(spec: FunctionSpec) -> Mapping[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": f"ASIA{spec.name}",
        "AWS_SECRET_ACCESS_KEY": f"secret of {spec.name}",
        "AWS_SESSION_TOKEN": "token",
    }


async def main(order: dict[str, Any]) -> None:
    folder = Path(order["folder"])
    cache = folder / "data" / "cache"
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data" / "lambent.db").write_text("everything")
    try:
        sandbox = await open_sandbox("require", cache, [folder / "data"])
    except StartupError as error:
        print(error)
        sys.exit(77)
    logs = Logs()
    host = await open_host(
        clock=SystemClock(),
        ids=SystemIds(),
        cache=cache,
        endpoint=lambda: "http://127.0.0.1:4566",
        credentials=credentials,
        logs=logs,
        sandbox=sandbox,
    )
    answers = []
    layers = [folder / "data" / "layer"] if "extensions" in order else []
    for name, source in order.get("extensions", {}).items():
        program = layers[0] / "extensions" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(source)
        program.chmod(0o755)

    async def run(number: int, source: str) -> dict[str, Any]:
        code = folder / "data" / f"code-{number}"
        code.mkdir(exist_ok=True)
        code.chmod(0o755)
        (code / "app.py").write_text(source)
        (code / "secret.txt").write_text(f"secret of {number}")
        spec = FunctionSpec(
            arn=f"arn:aws:lambda:eu-west-1:123456789012:function:f{number}",
            name=f"f{number}",
            account="123456789012",
            region="eu-west-1",
            version="$LATEST",
            revision=SystemIds().hex(8),
            runtime=f"python3.{sys.version_info.minor}",
            handler="app.handler",
            code=code,
            timeout=order.get("timeout", 20.0),
            memory=order.get("memory", 128),
            ephemeral=order.get("ephemeral", 512),
            environment={"OWN": f"own of {number}"},
            network=order.get("network", ""),
            tier=order["tier"],
            layers=layers,
        )
        await host.prime(spec)
        event = {"folder": str(folder), "answers": answers}
        result = await host.invoke(spec, Invocation(SystemIds().uuid(), json.dumps(event).encode()))
        alone = order.get("network") == "none"
        assert result.tier == ("cold" if alone else order["tier"]), result
        return {
            "payload": json.loads(result.payload),
            "error": result.error,
            "memory": result.memory_peak,
            "log": "".join(logs.texts),
            "sandbox": sandbox.description,
        }

    for number, source in enumerate(order["sources"]):
        answers.append(await run(number, source))
    await host.close()
    answers[-1]["after"] = "".join(logs.texts)
    print(json.dumps(answers))


asyncio.run(main(json.loads(sys.stdin.read())))
