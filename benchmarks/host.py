"""The function host alone, without gateway or client: warm and cold invocations, and a fork.

Usage: python benchmarks/host.py [--json] [--warm N] [--cold N] [--sandbox require|off]

- fork: what the kernel and the interpreter need to fork a process with boto3 loaded and to
  see it end: the least that a cold start could cost;
- warm: one invocation of a no-op after another in one environment;
- parallel: the same, four at once in four environments, per second;
- cold no-op, cold boto3: the first invocation of a new function, which makes an S3 and a
  DynamoDB client in the second case.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import uvloop

from benchmarks import promises
from benchmarks.promises import Promise
from lambent.core.clock import SystemClock
from lambent.core.ids import SystemIds
from lambent.host.contract import FunctionSpec, Invocation
from lambent.host.local import LocalHost, open_host
from lambent.host.logs import LogStream
from lambent.host.output import LogEvent
from lambent.host.runtimes.python_interpreters import OWN
from lambent.host.sandboxes.local import open_sandbox

NOOP = "def handler(event, context): return event"
BOTO3 = """
import boto3
clients = [boto3.client("s3"), boto3.client("dynamodb")]
def handler(event, context): return event
"""
FORK = """
import os, time, boto3
boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y")
times = []
for _ in range(100):
    began = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    times.append(time.perf_counter() - began)
print(sorted(times)[50])
"""


class NoLogs:
    """A log sink that keeps nothing."""

    def write(self, stream: LogStream, events: Sequence[LogEvent]) -> None:
        pass

    async def flush(self) -> None:
        pass

    async def close(self) -> None:
        pass


async def credentials(spec: FunctionSpec) -> Mapping[str, str]:
    return {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_SESSION_TOKEN": "z"}


def percentiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        name: round(ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000, 3)
        for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))
    }


async def timed(run: Callable[[int], Awaitable[object]], count: int) -> list[float]:
    times = []
    for number in range(count):
        began = time.perf_counter()
        await run(number)
        times.append(time.perf_counter() - began)
    return times


def function(folder: Path, name: str, source: str, revision: str = "1") -> FunctionSpec:
    code = folder / name
    code.mkdir(exist_ok=True)
    (code / "app.py").write_text(source)
    return FunctionSpec(
        arn=f"arn:aws:lambda:us-east-1:000000000000:function:{name}",
        name=name,
        account="000000000000",
        region="us-east-1",
        version="$LATEST",
        revision=revision,
        runtime=OWN.name,
        handler="app.handler",
        code=code,
        timeout=30.0,
        memory=128,
    )


async def cold(host: LocalHost, folder: Path, source: str, count: int) -> list[float]:
    async def run(number: int) -> None:
        spec = function(folder, f"cold-{number}", source, revision=f"{len(source)}-{number}")
        result = await host.invoke(spec, Invocation(f"r-{number}", b"{}"))
        assert result.error is None and result.init is not None
        await host.retire(spec.arn)

    return await timed(run, count)


async def measure(warm: int, colds: int, sandbox: str) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        host = await open_host(
            clock=SystemClock(),
            ids=SystemIds(),
            cache=folder / "cache",
            endpoint=lambda: "http://127.0.0.1:4566",
            credentials=credentials,
            logs=NoLogs(),
            sandbox=await open_sandbox(sandbox, folder / "cache"),
        )
        began = time.perf_counter()
        await host.prepare(OWN.name)
        prepared = time.perf_counter() - began
        spec = function(folder, "warm", NOOP)

        async def invoke(number: int) -> None:
            await host.invoke(spec, Invocation(f"r-{number}", b'{"key": "value"}'))

        async def stream() -> None:
            await timed(invoke, warm // 4)

        await timed(invoke, 50)
        warm_times = await timed(invoke, warm)
        await asyncio.gather(*(invoke(number) for number in range(4)))
        began = time.perf_counter()
        await asyncio.gather(*(stream() for _ in range(4)))
        rate = warm // 4 * 4 / (time.perf_counter() - began)
        cold_noop = await cold(host, folder, NOOP, colds)
        cold_boto3 = await cold(host, folder, BOTO3, colds)
        await host.close()
    fork = subprocess.run(  # noqa: ASYNC221 - nothing else runs
        [sys.executable, "-c", FORK], capture_output=True, check=True, text=True, env=os.environ
    )
    bare = float(fork.stdout) * 1000
    return {
        "zygote start ms": round(prepared * 1000, 1),
        "fork ms": round(bare, 3),
        "warm ms": percentiles(warm_times),
        "parallel per second": round(rate),
        "cold no-op ms": percentiles(cold_noop),
        "cold boto3 ms": percentiles(cold_boto3),
        "cold no-op to fork": round(percentiles(cold_noop)["p50"] / bare, 1),
    }


def promised(figures: Mapping[str, Any]) -> list[Promise]:
    """What is promised of these figures, at the host's own door."""
    return [
        Promise("warm, p50", figures["warm ms"]["p50"], 1.0, "ms"),
        Promise("warm, four at once", figures["parallel per second"], 3_000, "/s", least=True),
        Promise("cold with boto3, p50", figures["cold boto3 ms"]["p50"], 30.0, "ms"),
        Promise("cold with boto3, p99", figures["cold boto3 ms"]["p99"], 100.0, "ms"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--warm", type=int, default=2000)
    parser.add_argument("--cold", type=int, default=40)
    parser.add_argument("--sandbox", choices=("require", "off"), default="require")
    options = parser.parse_args()
    figures = uvloop.run(measure(options.warm, options.cold, options.sandbox))
    if options.json:
        print(json.dumps(figures))
        return
    for name, figure in figures.items():
        print(f"{name:24}{figure}")
    print(f"\n{promises.table(promised(figures))}")
    load = os.getloadavg()[0]
    print(f"\nThe load average is {load:.1f}; figures of a machine that is busy are too high.")


if __name__ == "__main__":
    main()
