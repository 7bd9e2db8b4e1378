"""Figures of several rounds to medians and ratios, and those to JSON and Markdown tables."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

START, END = "<!-- benchmarks -->", "<!-- /benchmarks -->"
_MISSING = "-"


@dataclass(frozen=True)
class Metric:
    """One line of the table. `promise` is the bound that Lambent is to keep, in `unit`."""

    key: str
    title: str
    unit: str
    higher_is_better: bool = True
    promise: float | None = None

    def kept(self, value: float) -> bool:
        """Whether the promise holds."""
        if self.promise is None:
            return True
        return value >= self.promise if self.higher_is_better else value < self.promise


def _rate(key: str, title: str, promise: float | None = None) -> Metric:
    return Metric(key, title, "/s", True, promise)


def _time(key: str, title: str, promise: float | None = None) -> Metric:
    return Metric(key, title, "ms", False, promise)


METRICS: tuple[Metric, ...] = (
    _rate("sqs.send", "SQS SendMessage", 10_000),
    _rate("sqs.receive", "SQS ReceiveMessage, one message each"),
    _rate("sqs.delete", "SQS DeleteMessage"),
    _rate("sqs.send_10", "SQS SendMessageBatch of 10, messages"),
    _rate("sqs.receive_10", "SQS ReceiveMessage of 10, messages"),
    _rate("sqs.delete_10", "SQS DeleteMessageBatch of 10, messages"),
    _rate("sqs.send_1", "SQS SendMessage, one connection"),
    _rate("dynamodb.put", "DynamoDB PutItem"),
    _rate("dynamodb.get", "DynamoDB GetItem"),
    _rate("dynamodb.query", "DynamoDB Query, 10 items"),
    _rate("s3.put_4k", "S3 PutObject, 4 KiB"),
    _rate("s3.get_4k", "S3 GetObject, 4 KiB"),
    _rate("s3.put_8m", "S3 PutObject, 8 MiB, 4 connections"),
    _rate("s3.get_8m", "S3 GetObject, 8 MiB, 4 connections"),
    _time("lambda.http_p50", "Invoke, warm, raw HTTP, p50", 1.0),
    _time("lambda.warm_p50", "Invoke, warm, boto3, p50"),
    _time("lambda.warm_p99", "Invoke, warm, boto3, p99"),
    _rate("lambda.rate", "Invoke, warm, 4 connections", 3_000),
    Metric(
        "lambda.rate.cpu_us", "the same, processor time of all its processes for one", "µs", False
    ),
    _time("lambda.cold", "Invoke, cold, p50"),
    _time("lambda.cold_boto3", "Invoke, cold, handler with a boto3 client, p50", 30.0),
    _rate("delivery.rate", "Queue to function, batches of 10, messages", 5_000),
    _time("delivery.p50", "Queue to function, idle, SendMessage to handler, p50", 5.0),
    _time("delivery.p99", "Queue to function, idle, p99"),
    _time("uploads.row", "Upload to row, whole, p50"),
    _time("uploads.beyond", "Upload to row beyond the handler's own time, p50", 60.0),
    Metric("start", "Start to healthy", "s", False, 0.7),
    Metric("memory", "Idle memory", "MB", False, 120.0),
)
BARE: tuple[Metric, ...] = (
    _rate("bare.http", "HTTP server that answers at once, 64 connections"),
    _rate("bare.commit_1", "SQLite rows, one to a synced commit"),
    _rate("bare.commit_64", "SQLite rows, 64 to a synced commit"),
    _time("bare.fork", "Fork of a process with boto3 loaded, and its end"),
)
RATIO_PROMISES: Mapping[tuple[str, str], float] = {
    **{
        (f"sqs.{call}{size}", peer): least
        for call in ("send", "receive", "delete")
        for size in ("", "_10")
        for peer, least in (("ElasticMQ", 1.5), ("MiniStack", 5.0))
    },
    ("sqs.send", "moto"): 25.0,
    ("lambda.http_p50", "MiniStack"): 30.0,
    ("lambda.warm_p50", "MiniStack"): 30.0,
}
"""How many times better than a peer Lambent is to be."""

Rounds = Sequence[Mapping[str, Mapping[str, float]]]
"""For each round, for each system, its figures by metric key."""


def summary(rounds: Rounds) -> dict[str, dict[str, float]]:
    """For each system, the median of each figure over the rounds that have it."""
    collected: dict[str, dict[str, list[float]]] = {}
    for round in rounds:
        for system, figures in round.items():
            for key, value in figures.items():
                collected.setdefault(system, {}).setdefault(key, []).append(value)
    return {
        system: {key: median(values) for key, values in figures.items()}
        for system, figures in collected.items()
    }


def ratios(rounds: Rounds, peers: Sequence[str]) -> dict[str, dict[str, float]]:
    """For each peer and metric, how many times better Lambent is: the median of each round's
    own ratio, since the machine's load changes between rounds."""
    found: dict[str, dict[str, float]] = {}
    for peer in peers:
        found[peer] = {}
        for metric in METRICS:
            each = []
            for round in rounds:
                ours = round.get("Lambent", {}).get(metric.key)
                theirs = round.get(peer, {}).get(metric.key)
                if ours and theirs:
                    each.append(ours / theirs if metric.higher_is_better else theirs / ours)
            if each:
                found[peer][metric.key] = median(each)
    return found


def promises(result: Mapping[str, Any]) -> list[tuple[bool, str]]:
    """What Lambent is promised to do, as far as this run measured it: whether it did, and the
    figure."""
    lines = []
    ours = result["figures"].get("Lambent", {})
    for metric in METRICS:
        value = ours.get(metric.key)
        if value is not None and metric.promise is not None:
            bound = "at least" if metric.higher_is_better else "under"
            told = (
                f"{metric.title}: {_figure(value, metric)}, to be {bound} "
                f"{_figure(metric.promise, metric)}"
            )
            lines.append((metric.kept(value), told))
    for (key, peer), least in RATIO_PROMISES.items():
        ratio = result["ratios"].get(peer, {}).get(key)
        if ratio is not None:
            told = f"{key}: {ratio:.1f} times {peer}, to be at least {least:g}"
            lines.append((ratio >= least, told))
    return lines


def broken_promises(result: Mapping[str, Any]) -> list[str]:
    """What Lambent is promised to do and did not in this run."""
    return [told for kept, told in promises(result) if not kept]


def table(result: Mapping[str, Any]) -> str:
    """The Markdown table of a run."""
    names = list(result["systems"])
    peers = names[1:]
    titles = [
        "",
        *(f"{name} {result['systems'][name]}" for name in names),
        *(f"vs {peer}" for peer in peers),
    ]
    lines = [_row(titles), _row(["---", *["---:"] * (len(titles) - 1)])]
    for metric in METRICS:
        cells = [metric.title]
        for name in names:
            value = result["figures"].get(name, {}).get(metric.key)
            cells.append(_MISSING if value is None else _figure(value, metric))
        for peer in peers:
            ratio = result["ratios"].get(peer, {}).get(metric.key)
            cells.append(_MISSING if ratio is None else _times(ratio))
        if any(cell != _MISSING for cell in cells[1:]):
            lines.append(_row(cells))
    return "\n".join(lines)


def bare_table(result: Mapping[str, Any]) -> str:
    """The Markdown table of the bare limits."""
    lines = [_row(["the bare part", ""]), _row(["---", "---:"])]
    figures = result["figures"].get("bare", {})
    lines += [
        _row([metric.title, _figure(figures[metric.key], metric)])
        for metric in BARE
        if metric.key in figures
    ]
    return "\n".join(lines)


def document(result: Mapping[str, Any]) -> str:
    """The whole of docs/benchmarks.md."""
    machine = result["machine"]
    failures = "".join(f"- {line}\n" for line in result["failures"]) or "Nothing failed.\n"
    missed = "".join(f"- {line}\n" for line in broken_promises(result))
    kept = missed or "Every promised figure was kept in this run.\n"
    return f"""# Benchmarks

Made by `./dev bench`; do not edit. The figures in full are in [benchmarks.json](benchmarks.json).

{START}
{table(result)}
{END}

Medians of {result["rounds"]} rounds in one run, the systems taking turns within each round.
"vs" is how many times better Lambent is: the median of each round's own ratio. Where there is
"{_MISSING}", see what failed, below. Everything that Lambent acknowledges is
synced to disk; the peers keep their state in memory.

{machine["cores"]} cores shared by the load generator and the system under test,
{machine["memory"]}, {machine["system"]}, Python {machine["python"]}, {result["date"]}; the
load average was {machine["load"]} before the run began.

## What is measured

- SQS, DynamoDB and S3: a raw HTTP load generator in a process of its own, 64 connections
  unless the line says otherwise, {result["seconds"]:g} s for each load, with boto3's headers.
- Invocations: one after another, as the client sees them. Warm: a no-op that has run, by the
  load generator and by boto3, which takes most of a millisecond itself. Cold: the first
  invocation of a new function, by boto3.
- Upload to row: `examples/thumbnails` deployed as it is, one small photo after another, from
  before the upload to the first GetItem that finds the row; the handler's own time is the
  duration in its REPORT line, which is told for Lambent alone, since systems differ in what
  they count there.
- Start: from the process's start to the first healthy answer.
- Memory: the proportional set size of the process and all its children, after start, before
  any request.
- The systems run with their defaults, at the versions in the head of the table; the peers are
  installed from PyPI (`requirements/bench.txt`) and Maven Central into a folder of their own.
- ElasticMQ: in memory, its defaults, run by the machine's Java; SQS alone, after ten seconds
  of load, which its virtual machine needs to compile what it runs.
- Queue to function: a mapping is made on a queue that is full already; counted until the queue
  is empty. The latency: from before SendMessage to the handler's first line, one message at a
  time.

## The limits

What the parts do in the same run with nothing built on them.

{bare_table(result)}

## What failed

{failures}
## Promises

{kept}
## To repeat it

    ./dev bench                  everything, some five minutes, on a machine that is quiet
    ./dev bench --quick          one short round; leaves the published figures alone
    ./dev bench sqs dynamodb     some scenarios (sqs, dynamodb, s3, invoke, delivery,
                                 uploads, footprint)
    ./dev bench store            a part alone (store, codecs, host, server, cold_starts,
                                 backlog)
"""


def publish(result: Mapping[str, Any], checkout: Path) -> None:
    """Write docs/benchmarks.json and docs/benchmarks.md, and the README's table."""
    docs = checkout / "docs"
    (docs / "benchmarks.json").write_text(json.dumps(result, indent=1) + "\n")
    (docs / "benchmarks.md").write_text(document(result))
    rewrite(checkout / "README.md", table(result))


def rewrite(path: Path, content: str) -> bool:
    """Put `content` between the markers of a file; False when the file has none."""
    text = path.read_text() if path.exists() else ""
    pattern = re.compile(f"{re.escape(START)}.*?{re.escape(END)}", re.DOTALL)
    changed, count = pattern.subn(lambda _: f"{START}\n{content}\n{END}", text)
    if count:
        path.write_text(changed)
    return bool(count)


def _figure(value: float, metric: Metric) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    space = "" if metric.unit == "/s" else " "
    return f"{value:,.{digits}f}{space}{metric.unit}"


def _times(ratio: float) -> str:
    return f"{ratio:,.{0 if ratio >= 10 else 1 if ratio >= 1 else 2}f}x"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
