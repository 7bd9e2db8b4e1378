"""Runs functions on a sandboxed host; see `conftest`.

Each line of standard input is an order, each line of standard output its answer, in JSON.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lambent.core.clock import SystemClock
from lambent.core.errors import StartupError
from lambent.core.ids import SystemIds
from lambent.host.contract import FunctionSpec, Invocation
from lambent.host.local import LocalHost, open_host
from lambent.host.logs import LogStream
from lambent.host.output import LogEvent
from lambent.host.sandboxes.local import open_sandbox

FOLDER = Path.cwd()
DATA = FOLDER / "data"
_numbers = itertools.count()


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


async def serve() -> None:
    """Carry out orders until there are no more."""
    DATA.mkdir()
    (DATA / "lambent.db").write_text("everything")
    cache = DATA / "cache"
    try:
        sandbox = await open_sandbox("require", cache, [DATA])
    except StartupError as error:
        print(json.dumps({"skip": str(error)}), flush=True)
        return
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
    print(json.dumps({"sandbox": sandbox.description}), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        try:
            answer: Any = {"answers": await carry_out(json.loads(line), host, logs)}
        except Exception:
            answer = {"failed": traceback.format_exc()}
        print(json.dumps(answer), flush=True)
    await host.close()


async def carry_out(order: dict[str, Any], host: LocalHost, logs: Logs) -> list[dict[str, Any]]:
    """What functions with the order's sources answered; nothing of them is left then."""
    logs.texts.clear()
    number = next(_numbers)
    layers = [DATA / f"layer-{number}"] if "extensions" in order else []
    for name, source in order.get("extensions", {}).items():
        program = layers[0] / "extensions" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(source)
        program.chmod(0o755)
    answers: list[dict[str, Any]] = []
    specs = [
        spec_of(order, f"f{number}-{place}", source, layers)
        for place, source in enumerate(order["sources"])
    ]
    for spec in specs:
        await host.prime(spec)
        event = {"folder": str(FOLDER), "answers": answers}
        result = await host.invoke(spec, Invocation(SystemIds().uuid(), json.dumps(event).encode()))
        alone = order.get("network") == "none"
        assert result.tier == ("cold" if alone else order["tier"]), result
        answers.append(
            {
                "name": spec.name,
                "payload": json.loads(result.payload),
                "error": result.error,
                "memory": result.memory_peak,
                "log": "".join(logs.texts),
            }
        )
    for spec in specs:
        await host.retire(spec.arn)
    while host._pool._endings:
        await asyncio.wait(host._pool._endings)
    answers[-1]["after"] = "".join(logs.texts)
    return answers


def spec_of(order: dict[str, Any], name: str, source: str, layers: list[Path]) -> FunctionSpec:
    """A function as the order wants it."""
    code = DATA / f"code-{name}"
    code.mkdir()
    code.chmod(0o755)
    (code / "app.py").write_text(source)
    (code / "secret.txt").write_text(f"secret of {name}")
    return FunctionSpec(
        arn=f"arn:aws:lambda:eu-west-1:123456789012:function:{name}",
        name=name,
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
        environment={"OWN": f"own of {name}"},
        network=order.get("network", ""),
        tier=order["tier"],
        layers=layers,
    )


asyncio.run(serve())
