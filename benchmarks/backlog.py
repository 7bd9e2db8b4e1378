"""What a backlog costs: rates of SQS calls beside how many messages wait, as table and picture.

Usage: python -m benchmarks.backlog [--rounds N] [--most N] [--svg FILE]

One node holds standard queues with a thousand to a million messages waiting, and FIFO queues
with up to 200,000 in 1,000 groups. Each round sends to, receives from and deletes of each
queue on 64 connections, one message a call; the queues take turns, so that the machine's
other load falls on all of them. The backlog is written to the data folder before the node
starts.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import math
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks import wire
from benchmarks.load import Job, drive
from benchmarks.systems import ACCOUNT, REGION, Running, System
from benchmarks.throughput import BODY
from lambent.core.clock import SystemClock
from lambent.core.ids import SystemIds
from lambent.services.sqs.model import Message, placed
from lambent.services.sqs.queues import Queues
from lambent.store.backends.sqlite import open_sqlite
from lambent.store.contract import Store, Transaction

STANDARD = (1_000, 10_000, 100_000, 1_000_000)
FIFO = (1_000, 20_000, 200_000)
GROUPS = 1_000
CALLS = ("send", "receive", "delete")
SENDS = 2_000
RECEIVES = 800
"""Of each queue and round; fewer than groups, as each receive takes one of its own."""
LEAST = 2 / 3
"""The share of its rate without a backlog that a call is to keep with one."""
_CHUNK = 2_000


@dataclass
class Backlog:
    """A queue with a backlog, and what was measured of it: a list for each call."""

    fifo: bool
    waiting: int
    rates: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"backlog-{self.waiting}{'.fifo' if self.fifo else ''}"

    def rate(self, call: str) -> float:
        """Calls per second."""
        return median(self.rates[call])

    def microseconds(self, call: str) -> float:
        """Processor time of the node for one call."""
        return median(self.cpu[call]) * 1e6


def measure(rounds: int, most: int) -> list[Backlog]:
    """All queues, after so many rounds; none with more than `most` waiting."""
    queues = [Backlog(False, waiting) for waiting in STANDARD if waiting <= most]
    queues += [Backlog(True, waiting) for waiting in FIFO if waiting <= most]
    with tempfile.TemporaryDirectory(prefix="lambent-backlog-") as name:
        folder = Path(name)
        command = [sys.executable, "-m", "lambent", "up", "--json", "--data-dir", f"{name}/data"]
        system = System(
            "Lambent",
            "",
            "/_lambent/health",
            lambda port, _: ([*command, "--port", str(port)], {}),
        )
        first = Running(system, folder / "first")
        for queue in queues:
            given = {"FifoQueue": "true"} if queue.fifo else {}
            first.client("sqs").create_queue(QueueName=queue.name, Attributes=given)
        first.end()
        asyncio.run(_fill(folder / "data", queues))
        running = Running(system, folder / "second")
        try:
            for number in range(rounds):
                turn = number % len(queues)
                for queue in queues[turn:] + queues[:turn]:
                    _round(running, queue, number)
        finally:
            running.end()
    return queues


async def _fill(data: Path, queues: list[Backlog]) -> None:
    store = await open_sqlite(data, SystemClock(), SystemIds())
    try:
        for queue in queues:
            print(f"filling {queue.name} …", file=sys.stderr, flush=True)
            for begin in range(0, queue.waiting, _CHUNK):
                await _enqueue(store, queue, begin, min(begin + _CHUNK, queue.waiting))
    finally:
        await store.close()


async def _enqueue(store: Store, queue: Backlog, begin: int, end: int) -> None:
    digest = hashlib.md5(BODY.encode(), usedforsecurity=False).hexdigest()

    async def body(tx: Transaction) -> None:
        found = await Queues().get(tx, ACCOUNT, REGION, queue.name)
        messages = [
            Message(
                f"00000000-0000-4000-8000-{number:012}",
                BODY,
                digest,
                ACCOUNT,
                group=f"group-{number % GROUPS}" if queue.fifo else None,
                deduplication=str(number) if queue.fifo else None,
            )
            for number in range(begin, end)
        ]
        await tx.enqueue(found.work, [placed(found, message) for message in messages])

    await store.transact(body)


def _round(running: Running, queue: Backlog, number: int) -> None:
    url = running.client("sqs").get_queue_url(QueueName=queue.name)["QueueUrl"]
    unique = (
        {"MessageGroupId": f"group-{each % GROUPS}", "MessageDeduplicationId": f"{number}-{each}"}
        if queue.fifo
        else {}
        for each in range(SENDS)
    )
    send = [wire.sqs("SendMessage", QueueUrl=url, MessageBody=BODY, **own) for own in unique]
    receive = [wire.sqs("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=1)]
    _calls(running, queue, "send", send, len(send))
    bodies = _calls(running, queue, "receive", receive, RECEIVES)
    handles = [
        message["ReceiptHandle"]
        for body in bodies
        for message in json.loads(body).get("Messages", ())
    ]
    delete = [wire.sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=handle) for handle in handles]
    _calls(running, queue, "delete", delete, len(delete))


def _calls(
    running: Running, queue: Backlog, call: str, requests: list[bytes], count: int
) -> list[bytes]:
    load = drive(Job(running.port, requests, 64, 60.0, count, call == "receive"), running.pid)
    queue.rates.setdefault(call, []).append(load.rate)
    queue.cpu.setdefault(call, []).append(load.cpu)
    return load.bodies


def table(queues: list[Backlog]) -> str:
    """The Markdown table."""
    lines = [
        "| queue | waiting | send | receive | delete | µs CPU: send | receive | delete |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for queue in queues:
        kind = "FIFO, 1,000 groups" if queue.fifo else "standard"
        rates = " | ".join(f"{queue.rate(call):,.0f}/s" for call in CALLS)
        cpu = " | ".join(f"{queue.microseconds(call):.0f}" for call in CALLS)
        lines.append(f"| {kind} | {queue.waiting:,} | {rates} | {cpu} |")
    return "\n".join(lines)


def promises(queues: list[Backlog]) -> list[tuple[bool, str]]:
    """Whether a long backlog costs at most a third of the rate that a short one allows, on
    queues of the same kind; and for FIFO queues, of that of the shortest standard queue too."""
    lines = []
    for fifo in (False, True):
        own = [queue for queue in queues if queue.fifo is fifo]
        if not own:
            continue
        beside = [own[0]] + [queue for queue in queues[:1] if fifo and not queue.fifo]
        for base in beside:
            for call in CALLS:
                share = own[-1].rate(call) / base.rate(call)
                told = (
                    f"{call} on {own[-1].name}: {share:.2f} of the rate on {base.name}, "
                    f"to be at least {LEAST:.2f}"
                )
                lines.append((share >= LEAST, told))
    return lines


LEFT, RIGHT, TOP, BOTTOM = 70, 430, 80, 290
PANEL = 420


def picture(queues: list[Backlog]) -> str:
    """Rates against backlog: a panel for standard queues and one for FIFO queues."""
    high = max(queue.rate(call) for queue in queues for call in CALLS)
    step = 10 ** math.floor(math.log10(high))
    top = math.ceil(high / step) * step
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 880 340" role="img" '
        'aria-labelledby="t" font-family="system-ui, sans-serif">',
        '<title id="t">SQS calls per second beside the number of messages waiting</title>',
        "<style>text{fill:#4d5a76;font-size:12px}.h{fill:#1c2740;font-size:15px;font-weight:600}"
        ".g{stroke:#c3cde0;stroke-width:1}polyline{fill:none;stroke-width:3}"
        ".send{stroke:#3d6fd1}.receive{stroke:#cf8a1d}.delete{stroke:#8b9cc0}"
        "circle.send{fill:#3d6fd1}circle.receive{fill:#cf8a1d}circle.delete{fill:#8b9cc0}"
        "@media(prefers-color-scheme:dark){text{fill:#aab6d0}.h{fill:#e8edf8}"
        ".g{stroke:#3f4d6b}}</style>",
        f'<text class="h" x="{LEFT}" y="24">Calls per second, by how many messages wait</text>',
    ]
    at = LEFT
    for call in CALLS:
        parts.append(f'<circle class="{call}" cx="{at + 5}" cy="46" r="5"/>')
        parts.append(f'<text x="{at + 16}" y="50">{call}</text>')
        at += 90
    for number, fifo in enumerate((False, True)):
        own = [queue for queue in queues if queue.fifo is fifo]
        if own:
            parts += _panel(own, PANEL * number, top)
    return "\n".join([*parts, "</svg>", ""])


def _panel(queues: list[Backlog], offset: int, top: float) -> list[str]:
    low, high = (math.log10(queues[end].waiting) for end in (0, -1))

    def x(queue: Backlog) -> float:
        share = (math.log10(queue.waiting) - low) / ((high - low) or 1.0)
        return round(offset + LEFT + share * (RIGHT - LEFT - 40), 1)

    def y(rate: float) -> float:
        return round(BOTTOM - rate / top * (BOTTOM - TOP), 1)

    parts = []
    for quarter in range(5):
        rate = top * quarter / 4
        parts.append(
            f'<line class="g" x1="{offset + LEFT}" x2="{offset + RIGHT - 20}" '
            f'y1="{y(rate)}" y2="{y(rate)}"/>'
        )
        parts.append(
            f'<text x="{offset + LEFT - 8}" y="{y(rate) + 4}" text-anchor="end">{rate:,.0f}</text>'
        )
    parts += [
        f'<text x="{x(queue)}" y="{BOTTOM + 18}" text-anchor="middle">{queue.waiting:,}</text>'
        for queue in queues
    ]
    title = "FIFO queue, 1,000 groups" if queues[0].fifo else "standard queue"
    parts.append(f'<text x="{offset + LEFT}" y="{BOTTOM + 38}">messages waiting, {title}</text>')
    for call in CALLS:
        points = [(x(queue), y(queue.rate(call))) for queue in queues]
        line = " ".join(f"{px},{py}" for px, py in points)
        parts.append(f'<polyline class="{call}" points="{line}"/>')
        parts += [f'<circle class="{call}" cx="{px}" cy="{py}" r="4"/>' for px, py in points]
    return parts


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each queue is measured")
    parser.add_argument("--most", type=int, default=1_000_000, help="the longest backlog")
    parser.add_argument("--svg", type=Path, help="where the picture goes")
    options = parser.parse_args()
    began = time.perf_counter()
    queues = measure(options.rounds, options.most)
    print(table(queues))
    print()
    for kept, told in promises(queues):
        print(f"{'kept' if kept else 'not kept'}: {told}")
    print(f"\n{options.rounds} rounds, {time.perf_counter() - began:.0f} s.")
    if options.svg:
        options.svg.write_text(picture(queues))


if __name__ == "__main__":
    main()
