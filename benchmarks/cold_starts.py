"""First invocations by language, tier and isolation, as a table and as a picture; and what is
promised of them, and of many environments (`fleets`).

Usage: python -m benchmarks.cold_starts [--count N] [--svg FILE]

Each function is a no-op (Python also with boto3's S3 and DynamoDB clients), 512 MiB. Cold is
the first invocation of a function that nothing is ready for but the family's base zygote;
warm and snap-start find a zygote of the function's own, where the language has one; hot finds
an initialised environment. Each is measured at the host's own door, without HTTP,
sandboxed as this machine allows and not at all, in turns. Languages whose toolchain is
missing are left out and named.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import uvloop

from benchmarks import fleets, promises
from benchmarks.cold_starts_picture import Row, picture
from benchmarks.host import BOTO3, NOOP, NoLogs, credentials, percentiles
from benchmarks.promises import Promise
from lambent.core.clock import SystemClock
from lambent.core.ids import SystemIds
from lambent.host.contract import FunctionSpec, Invocation
from lambent.host.local import LocalHost, open_host
from lambent.host.sandboxes.local import open_sandbox

GO = """package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(ctx context.Context, event any) (any, error) { return event, nil })
}
"""
JAVA = """import java.util.Map;
public class Noop { public Object handle(Map<String, Object> event) { return event; } }
"""
EXAMPLES = Path(__file__).parent.parent / "examples" / "runtimes"
HOT_PER_COLD = 10
SETTLE = 0.05
CLOCK = SystemClock()


@dataclass(frozen=True)
class Case:
    """A function in a language, ready to run."""

    title: str
    runtime: str
    handler: str
    code: Path


def cases(folder: Path) -> tuple[list[Case], list[str]]:
    """The functions that this machine can run, and the languages that it cannot."""
    found: list[Case] = []
    missing: list[str] = []

    def case(title: str, runtime: str, handler: str, files: dict[str, str]) -> Case:
        code = folder / title.replace(" ", "-")
        code.mkdir()
        for name, text in files.items():
            (code / name).write_text(text)
        found.append(Case(title, runtime, handler, code))
        return found[-1]

    case("Python", "python3.11", "app.handler", {"app.py": NOOP})
    case("Python, boto3", "python3.11", "app.handler", {"app.py": BOTO3})
    if shutil.which("node"):
        source = "exports.handler = async (event) => event;"
        case("Node.js", "nodejs20.x", "index.handler", {"index.js": source})
    else:
        missing.append("Node.js")
    if shutil.which("go"):
        go = folder / "go-source"
        shutil.copytree(EXAMPLES / "go", go, ignore=shutil.ignore_patterns("build"))
        (go / "main.go").write_text(GO)
        made = case("Go", "provided.al2023", "bootstrap", {})
        command = ["go", "build", "-ldflags=-s -w", "-o", f"{made.code}/bootstrap", "."]
        subprocess.run(command, cwd=go, env={**os.environ, "CGO_ENABLED": "0"}, check=True)
    else:
        missing.append("Go")
    if shutil.which("javac") and shutil.which("mvn"):
        made = case("Java", "java17", "Noop::handle", {"Noop.java": JAVA})
        subprocess.run(["javac", "Noop.java"], cwd=made.code, check=True)
    else:
        missing.append("Java")
    return found, missing


def specified(case: Case, revision: str, tier: str = "cold") -> FunctionSpec:
    """The function, at a tier."""
    name = case.title
    return FunctionSpec(
        *(f"arn:aws:lambda:us-east-1:000000000000:function:{name}", name, "000000000000"),
        *("us-east-1", "$LATEST", revision, case.runtime, case.handler, case.code, 30.0, 512),
        tier="warm" if tier == "warm" else "cold",
        snap_start=tier == "snap-start",
    )


async def invoke(
    host: LocalHost, case: Case, revision: str, number: int, tier: str = "cold"
) -> float:
    """One invocation; milliseconds."""
    spec = specified(case, revision, tier)
    began = time.perf_counter()
    result = await host.invoke(spec, Invocation(f"r-{revision}-{number}", b'{"key": "value"}'))
    took = (time.perf_counter() - began) * 1000
    assert result.error is None, result.payload
    assert result.tier in (tier, "hot"), result.tier
    return took


@dataclass(frozen=True)
class Measured:
    """All rows, what is promised of environments by their number, the languages left out, and
    what kept environments apart."""

    rows: list[Row]
    fleets: list[Promise]
    missing: list[str]
    sandbox: str


async def measure(count: int) -> Measured:
    """All there is to measure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found, missing = cases(folder)
        async with AsyncExitStack() as ends:
            hosts: dict[str, LocalHost] = {}
            described = ""
            for mode in ("auto", "off"):
                cache = folder / mode
                cache.mkdir()
                sandbox = await open_sandbox(mode, cache)
                if mode == "auto":
                    described = sandbox.description
                hosts[mode] = await open_host(
                    clock=CLOCK,
                    ids=SystemIds(),
                    cache=cache,
                    endpoint=lambda: "http://127.0.0.1:4566",
                    credentials=credentials,
                    logs=NoLogs(),
                    sandbox=sandbox,
                )
                ends.push_async_callback(hosts[mode].close)
            rows: list[Row] = []
            for case in found:
                rows += await _rows(hosts, case, count)
            many = await _fleets(hosts["auto"], [case for case in found if "Python" in case.title])
    return Measured(rows, many, missing, described)


async def _fleets(host: LocalHost, cases: list[Case]) -> list[Promise]:
    found = []
    for case in cases:
        for tier in ("cold", "warm"):
            title = f"{case.title}, {tier}"
            seconds = await fleets.seconds_to_many(host, specified(case, f"many-{tier}", tier))
            found.append(Promise(f"{fleets.MANY} environments, {title}", seconds, 2.0, "s"))
            each = await fleets.megabytes_each(host, specified(case, f"idle-{tier}", tier))
            found.append(
                Promise(f"{fleets.IDLE} idle environments, {title}", each, 10.0, "MB each")
            )
    return found


def promised(rows: list[Row]) -> list[Promise]:
    """What is promised of first invocations."""
    figures = {(row.title, row.tier): row.figures for row in rows}
    found = [
        Promise(f"{title}, {tier}, {name}", figures[title, tier][name], bound, "ms")
        for title, tier, name, bound in (
            ("Python", "hot", "p50", 1.0),
            ("Python", "warm", "p50", 10.0),
            ("Python, boto3", "cold", "p50", 30.0),
            ("Python, boto3", "cold", "p99", 100.0),
            ("Python, boto3", "warm", "p50", 10.0),
            ("Node.js", "cold", "p50", 100.0),
            ("Go", "cold", "p50", 20.0),
        )
        if (title, tier) in figures
    ]
    for title in dict.fromkeys(row.title for row in rows):
        costs = figures[title, "cold"]["p50"] - figures[title, "cold, no sandbox"]["p50"]
        found.append(Promise(f"{title}, what the sandbox costs a cold start", costs, 10.0, "ms"))
    return found


async def _rows(hosts: dict[str, LocalHost], case: Case, count: int) -> list[Row]:
    cold: dict[str, list[float]] = {mode: [] for mode in hosts}
    hot: list[float] = []
    forked: dict[tuple[str, str], list[float]] = {}
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{case.title}"
    for host in hosts.values():
        await host.prepare(case.runtime)
        await invoke(host, case, "first", 0)  # caches of the machine, not of the host
        await host.retire(arn)
    for number in range(count):
        # Who comes first changes, and the last one's end is over before the next begins.
        for mode in sorted(hosts, reverse=bool(number % 2)):
            await CLOCK.sleep(SETTLE)
            host = hosts[mode]
            cold[mode].append(await invoke(host, case, str(number), 0))
            if mode == "auto":
                hot += [await invoke(host, case, str(number), 1 + i) for i in range(HOT_PER_COLD)]
            await host.retire(arn)
            if case.runtime.startswith("python"):
                for tier in ("warm", "snap-start"):
                    revision = f"{tier}-{number}"
                    await host.prime(specified(case, revision, tier))
                    await CLOCK.sleep(SETTLE)
                    took = await invoke(host, case, revision, 0, tier)
                    forked.setdefault((tier, mode), []).append(took)
                    await host.retire(arn)
    rows = [
        Row(case.title, "cold", _spread(cold["auto"])),
        Row(case.title, "cold, no sandbox", _spread(cold["off"])),
    ]
    if forked:
        rows.append(Row(case.title, "warm", _spread(forked["warm", "auto"])))
        rows.append(Row(case.title, "warm, no sandbox", _spread(forked["warm", "off"])))
        rows.append(Row(case.title, "snap-start", _spread(forked["snap-start", "auto"])))
    return [*rows, Row(case.title, "hot", _spread(hot))]


def _spread(milliseconds: list[float]) -> dict[str, float]:
    figures = percentiles([value / 1000 for value in milliseconds])
    return {"least": round(min(milliseconds), 3), **figures}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20, help="cold starts of each kind")
    parser.add_argument("--svg", type=Path, help="where the picture goes")
    options = parser.parse_args()
    measured = uvloop.run(measure(options.count))
    print(f"sandbox: {measured.sandbox}; milliseconds\n")
    print("| function | tier | least | p50 | p90 | p99 |\n| --- | --- | --- | --- | --- | --- |")
    for row in measured.rows:
        values = " | ".join(
            promises.figure(row.figures[name]) for name in ("least", "p50", "p90", "p99")
        )
        print(f"| {row.title} | {row.tier} | {values} |")
    for language in measured.missing:
        print(f"\n{language} is left out: its toolchain is not on this machine.")
    print(f"\n{promises.table([*promised(measured.rows), *measured.fleets])}")
    load = os.getloadavg()[0]
    print(f"\nThe load average is {load:.1f}; figures of a machine that is busy are too high.")
    if options.svg:
        options.svg.write_text(picture(measured.rows))


if __name__ == "__main__":
    main()
