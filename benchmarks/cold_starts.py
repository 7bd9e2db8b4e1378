"""First invocations by language, tier and isolation, as a table and as a picture.

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
import math
import os
import shutil
import subprocess
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from html import escape
from pathlib import Path

import uvloop

from benchmarks.host import BOTO3, NOOP, NoLogs, credentials, percentiles
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


@dataclass(frozen=True)
class Row:
    """What was measured of a case at one tier; milliseconds."""

    title: str
    tier: str
    figures: dict[str, float]


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


async def measure(count: int) -> tuple[list[Row], list[str], str]:
    """All rows, the languages left out, and what kept environments apart."""
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
    return rows, missing, described


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


COLOURS = {
    "cold": "cold",
    "cold, no sandbox": "bare",
    "warm": "warm",
    "warm, no sandbox": "plain",
    "snap-start": "snap",
    "hot": "hot",
}
LEFT, RIGHT, TOP, LINE = 130, 780, 70, 22


def picture(rows: list[Row]) -> str:
    """Each row as a line from its least to its p99 with a dot at its median; logarithmic."""
    high = max(row.figures["p99"] for row in rows)
    low = min(row.figures["least"] for row in rows)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))

    def x(value: float) -> float:
        share = (math.log10(value) - first) / (last - first)
        return round(LEFT + share * (RIGHT - LEFT), 1)

    titles = list(dict.fromkeys(row.title for row in rows))
    bottom = TOP + len(rows) * LINE + len(titles) * 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 {bottom + 40}" role="img" '
        'aria-labelledby="t" font-family="system-ui, sans-serif">',
        '<title id="t">Invocations by language and tier, in milliseconds</title>',
        "<style>text{fill:#4d5a76;font-size:12px}.h{fill:#1c2740;font-size:15px;font-weight:600}"
        ".g{stroke:#c3cde0}.cold{stroke:#3d6fd1;fill:#3d6fd1}.bare{stroke:#8b9cc0;fill:#8b9cc0}"
        ".warm{stroke:#2b8a5c;fill:#2b8a5c}.plain{stroke:#8fbfa6;fill:#8fbfa6}"
        ".snap{stroke:#8a5cc4;fill:#8a5cc4}.hot{stroke:#cf8a1d;fill:#cf8a1d}line{stroke-width:3}line.g{stroke-width:1}"
        "@media(prefers-color-scheme:dark){text{fill:#aab6d0}.h{fill:#e8edf8}"
        ".g{stroke:#3f4d6b}}</style>",
        f'<text class="h" x="{LEFT}" y="24">One invocation, by language and tier</text>',
    ]
    at = LEFT
    for tier, colour in COLOURS.items():
        parts.append(f'<circle class="{colour}" cx="{at + 5}" cy="44" r="5"/>')
        parts.append(f'<text x="{at + 16}" y="48">{escape(tier)}</text>')
        at += 40 + 8 * len(tier)
    for power in range(first, last + 1):
        place = x(10**power)
        label = f"{10**power:g} ms"
        parts.append(f'<line class="g" x1="{place}" x2="{place}" y1="{TOP - 8}" y2="{bottom}"/>')
        parts.append(f'<text x="{place}" y="{bottom + 18}" text-anchor="middle">{label}</text>')
    y = TOP
    for title in titles:
        own = [row for row in rows if row.title == title]
        middle = y + LINE * len(own) / 2 + 4
        parts.append(f'<text class="h" x="10" y="{middle:g}">{escape(title)}</text>')
        for row in own:
            colour, centre = COLOURS[row.tier], y + LINE / 2
            least, median, most = (x(row.figures[name]) for name in ("least", "p50", "p99"))
            parts.append(
                f'<line class="{colour}" x1="{least}" x2="{most}" y1="{centre:g}" y2="{centre:g}"/>'
                f'<circle class="{colour}" cx="{median}" cy="{centre:g}" r="5"/>'
                f'<text x="{most + 10}" y="{centre + 4:g}">{_short(row.figures["p50"])}</text>'
            )
            y += LINE
        y += 12
    parts.append(
        f'<text x="{LEFT}" y="{bottom + 34}">dots: medians; lines: from the least to p99</text>'
    )
    return "\n".join([*parts, "</svg>", ""])


def _short(milliseconds: float) -> str:
    return f"{milliseconds:,.0f}" if milliseconds >= 1000 else f"{milliseconds:.3g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20, help="cold starts of each kind")
    parser.add_argument("--svg", type=Path, help="where the picture goes")
    options = parser.parse_args()
    rows, missing, described = uvloop.run(measure(options.count))
    print(f"sandbox: {described}; milliseconds\n")
    print("| function | tier | least | p50 | p90 | p99 |\n| --- | --- | --- | --- | --- | --- |")
    for row in rows:
        values = " | ".join(f"{row.figures[name]:.2f}" for name in ("least", "p50", "p90", "p99"))
        print(f"| {row.title} | {row.tier} | {values} |")
    for language in missing:
        print(f"\n{language} is left out: its toolchain is not on this machine.")
    if options.svg:
        options.svg.write_text(picture(rows))


if __name__ == "__main__":
    main()
