"""What nodes on one PostgreSQL answer: one, two, three of them on loopback, and the database's
own limit by pgbench beside them.

Usage: python -m benchmarks.nodes [--rounds N] [--seconds S] [--most N] [--svg FILE]

The database is a throw-away server of this machine that syncs each commit; the load
generator, the database and all nodes share the machine's cores. Each count of nodes gets a
schema of its own, and the counts take turns within each round. Each node has 64 connections,
since a node is added for more clients; one load is repeated with 64 in all. pgbench inserts a
row of a message's size and commits, on 64 connections.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from tests.support import postgres

from benchmarks import delivery, wire
from benchmarks.load import Job, drive
from benchmarks.systems import Running, System
from benchmarks.throughput import BODY, ITEMS, Figures, Scale
from lambent import __version__

CONNECTIONS = 64
STEPS = [digit * 10**power for power in range(1, 7) for digit in (1, 2, 5)]
"""Between the lines of the picture, in answers per second."""
NAMES = {
    "send": "SendMessage",
    "few": "SendMessage, 64 connections in all",
    "receive": "ReceiveMessage",
    "delete": "DeleteMessage",
    "put": "PutItem",
    "get": "GetItem",
    "delivery": "queue to function, messages",
}


class Nodes:
    """Some nodes on a schema of their own."""

    def __init__(self, database: postgres.Cluster, folder: Path, count: int) -> None:
        url = database.url()
        system = System(
            "Lambent",
            __version__,
            "/_lambent/health",
            lambda port, own: (
                [
                    *(sys.executable, "-m", "lambent", "up", "--json", "--port", str(port)),
                    *("--data-dir", str(own / "data"), "--blobs", str(folder / f"blobs-{count}")),
                ],
                {"LAMBENT_STORE": url},
            ),
        )
        self.running: list[Running] = []
        try:
            for number in range(count):
                self.running.append(Running(system, folder / f"{count}-{number}"))
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        for one in self.running:
            one.end()

    def load(
        self,
        requests: list[bytes],
        seconds: float,
        *,
        limit: int = 0,
        keep: bool = False,
        few: bool = False,
    ) -> tuple[float, list[bytes]]:
        """Answers per second of all nodes together, and the answers. One generator loads all,
        or it would take more of the machine the more nodes there are. With `few` the nodes
        share the connections of one."""
        first, *others = self.running
        ports = [node.port for node in others]
        connections = CONNECTIONS * (1 if few else len(self.running))
        job = Job(first.port, requests, connections, seconds, limit, keep, ports)
        result = drive(job, first.pid)
        return result.rate, result.bodies


def round_of(nodes: Nodes, number: int, seconds: float) -> Figures:
    """One round on some nodes."""
    first = nodes.running[0]
    url = first.client("sqs").create_queue(QueueName=f"bench-{number}")["QueueUrl"]
    figures: Figures = {}
    send = [wire.sqs("SendMessage", QueueUrl=url, MessageBody=BODY)]
    figures["send"], _ = nodes.load(send, seconds)
    figures["few"], _ = nodes.load(send, seconds, few=True)
    receive = [wire.sqs("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=1)]
    figures["receive"], bodies = nodes.load(receive, seconds, keep=True)
    handles = [m["ReceiptHandle"] for body in bodies for m in json.loads(body).get("Messages", ())]
    delete = [wire.sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=one) for one in handles]
    figures["delete"], _ = nodes.load(delete, seconds, limit=len(delete))
    _table(nodes, figures, number, seconds)
    scale = Scale(seconds=seconds / 4, invocations=0, colds=0, uploads=0)
    found: Figures = {}
    delivery.rate(first, scale, found, name=f"-{number}")
    figures["delivery"] = found["delivery.rate"]
    return figures


def _table(nodes: Nodes, figures: Figures, number: int, seconds: float) -> None:
    table = f"bench-{number}"
    dynamodb = nodes.running[0].client("dynamodb")
    dynamodb.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    keys = [{"id": {"S": str(key)}} for key in range(ITEMS)]
    put = [
        wire.dynamodb("PutItem", TableName=table, Item={**key, "body": {"S": BODY}}) for key in keys
    ]
    figures["put"], _ = nodes.load(put, seconds)
    get = [wire.dynamodb("GetItem", TableName=table, Key=key) for key in keys]
    figures["get"], _ = nodes.load(get, seconds)


def limit(database: postgres.Cluster, seconds: float) -> float:
    """Commits per second of the database alone: one insert each."""
    script = database.folder / "insert.sql"
    script.write_text(f"INSERT INTO bench_limit (body) VALUES ('{BODY}');\n")
    database.sql("CREATE TABLE IF NOT EXISTS bench_limit (id bigserial PRIMARY KEY, body text)")
    said = database.program(
        *("pgbench", "--no-vacuum", f"--client={CONNECTIONS}", "--jobs=1"),
        *(f"--time={max(1, round(seconds))}", f"--file={script}"),
    )
    found = re.search(r"tps = ([\d.]+)", said)
    assert found is not None, said
    return float(found[1])


def measure(rounds: int, seconds: float, most: int) -> tuple[dict[int, list[Figures]], list[float]]:
    """The figures of each count of nodes, and the database's limit, round by round."""
    programs = postgres.programs()
    if programs is None:
        raise SystemExit("No PostgreSQL server is installed here.")
    counts = list(range(1, most + 1))
    figures: dict[int, list[Figures]] = {count: [] for count in counts}
    limits: list[float] = []
    with tempfile.TemporaryDirectory(prefix="lambent-bench-") as text, ExitStack() as ends:
        folder = Path(text)
        place = Path(tempfile.mkdtemp(prefix="lambent-pg-"))
        database = postgres.Cluster(programs, place, durable=True)
        ends.callback(database.remove)
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}: pgbench", file=sys.stderr, flush=True)
            limits.append(limit(database, seconds))
            for count in counts[number % most :] + counts[: number % most]:
                print(f"  {count} nodes", file=sys.stderr, flush=True)
                # Idle nodes of other counts would take a share of the machine.
                nodes = Nodes(database, folder / f"round-{number}", count)
                try:
                    figures[count].append(round_of(nodes, number, seconds))
                finally:
                    nodes.end()
    return figures, limits


def table(figures: dict[int, list[Figures]], limits: list[float]) -> str:
    """The medians, as Markdown."""
    counts = sorted(figures)
    own = median(limits)
    lines = [
        "| per second | " + " | ".join(f"{c} node{'s' * (c > 1)}" for c in counts) + " |",
        "| --- |" + " ---: |" * len(counts),
    ]
    for name, title in NAMES.items():
        cells = [f"{median(one[name] for one in figures[count]):,.0f}" for count in counts]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    ratios = [
        median(one["send"] / most for one, most in zip(figures[count], limits, strict=True))
        for count in counts
    ]
    lines.append(
        f"| SendMessage, of the {own:,.0f} commits of pgbench | "
        + " | ".join(f"{ratio:.2f}" for ratio in ratios)
        + " |"
    )
    return "\n".join(lines)


def picture(figures: dict[int, list[Figures]], limits: list[float]) -> str:
    """Bars by call and count of nodes, and the database's own limit as a line."""
    counts = sorted(figures)
    shown = [name for name in NAMES if name != "few"]
    rates = {
        (name, count): median(one[name] for one in figures[count])
        for name in shown
        for count in counts
    }
    own = median(limits)
    most = max(*rates.values(), own)
    step = next(one for one in STEPS if one * 5 >= most)
    top = step * math.ceil(most / step)
    width, base, height = 880.0, 280.0, 230.0
    slot = (width - 90) / len(shown)
    bar = slot * 0.7 / len(counts)
    shades = ["#9db8d9", "#5b8bc4", "#1f5a9e"]
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 880 340" role="img" '
        'font-family="system-ui, sans-serif" font-size="12">',
        "<title>Answers per second by one, two and three nodes on one PostgreSQL</title>",
        '<rect width="880" height="340" fill="#ffffff"/>',
    ]
    for value in range(0, top + 1, step):
        y = base - height * value / top
        parts.append(f'<line x1="70" x2="870" y1="{y:.1f}" y2="{y:.1f}" stroke="#e4e7eb"/>')
        parts.append(
            f'<text x="62" y="{y + 4:.1f}" text-anchor="end" fill="#52606d">{value:,.0f}</text>'
        )
    for place, name in enumerate(shown):
        left = 80 + place * slot
        for index, count in enumerate(counts):
            size = height * rates[name, count] / top
            parts.append(
                f'<rect x="{left + index * bar:.1f}" y="{base - size:.1f}" width="{bar - 2:.1f}" '
                f'height="{size:.1f}" fill="{shades[index % 3]}"/>'
            )
        label = NAMES[name].split(",")[0]
        middle = left + bar * len(counts) / 2
        parts.append(
            f'<text x="{middle:.1f}" y="{base + 18:.0f}" text-anchor="middle" fill="#1f2933">'
            f"{label}</text>"
        )
    y = base - height * own / top
    parts.append(
        f'<line x1="70" x2="870" y1="{y:.1f}" y2="{y:.1f}" stroke="#b44d12" '
        'stroke-dasharray="5 4"/>'
    )
    parts.append(
        f'<text x="866" y="{y - 5:.1f}" text-anchor="end" fill="#b44d12">'
        "commits of pgbench, one insert each</text>"
    )
    for index, count in enumerate(counts):
        x = 80 + index * 110
        parts.append(f'<rect x="{x}" y="312" width="12" height="12" fill="{shades[index % 3]}"/>')
        parts.append(
            f'<text x="{x + 18}" y="322" fill="#1f2933">{count} node{"s" * (count > 1)}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    """Run it and print the table."""
    parser = argparse.ArgumentParser(prog="./dev bench nodes", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each load")
    parser.add_argument("--most", type=int, default=3, help="nodes")
    parser.add_argument("--svg", type=Path, help="where the picture goes")
    options = parser.parse_args()
    figures, limits = measure(options.rounds, options.seconds, options.most)
    print(table(figures, limits))
    if options.svg:
        options.svg.write_text(picture(figures, limits))


if __name__ == "__main__":
    main()
