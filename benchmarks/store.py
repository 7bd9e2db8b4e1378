"""Measures each primitive of the embedded store, beside bare SQLite in the same run.

    python -m benchmarks.store [--seconds 1.0] [--items 1000000] [--folder DIR]

Every line is a rate with 64 tasks at once unless it says otherwise, everything durable
before it counts (one fsync per shared commit). `CPU` is the processor's time per call, which
other programs on the machine disturb least. The ratio is to the same statements in a bare
loop over the driver, 64 per transaction, without the store around them, in CPU time: 0.5 is
half as fast as bare SQLite. DIR must lie on the disk that is to be measured.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import resource
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.table import Table

from lambent.core.clock import SystemClock
from lambent.core.ids import SystemIds
from lambent.store.backends.sqlite import open_sqlite
from lambent.store.backends.sqlite.folder import open_database
from lambent.store.contract import NewWork, StagedBlob, Store, Transaction

TASKS = 64
PAYLOAD = b"x" * 200
KIB_4 = b"x" * 4096
Body = Callable[[Transaction], Awaitable[Any]]


@dataclass
class Measured:
    """How often per second, and seconds of CPU for each."""

    rate: float
    cpu: float


class Meter:
    """Counts what is done until its time is over."""

    def __init__(self, seconds: float) -> None:
        self.done = 0
        self._start = time.perf_counter()
        self._end = self._start + seconds
        self._cpu = time.process_time()

    @property
    def running(self) -> bool:
        return time.perf_counter() < self._end

    def read(self) -> Measured:
        cpu = (time.process_time() - self._cpu) / self.done
        return Measured(self.done / (time.perf_counter() - self._start), cpu)


class Report:
    """The lines measured so far."""

    def __init__(self) -> None:
        self.table = Table("primitive", "per second", "µs", "µs CPU", "of bare SQLite")

    def line(self, name: str, found: Measured, bare: Measured | None = None) -> None:
        share = "" if bare is None else f"{bare.cpu / found.cpu:.2f}"
        self.table.add_row(
            name, f"{found.rate:,.0f}", f"{1e6 / found.rate:,.1f}", f"{found.cpu * 1e6:,.1f}", share
        )


async def rate(
    store: Store, bodies: Iterator[Body], seconds: float, tasks: int = TASKS
) -> Measured:
    """How many of the bodies are done per second by `tasks` tasks."""
    meter = Meter(seconds)

    async def work() -> None:
        while meter.running:
            await store.transact(next(bodies))
            meter.done += 1

    await asyncio.gather(*(work() for _ in range(tasks)))
    return meter.read()


def bare(folder: Path, seconds: float, statements: Callable[[Any, int], None]) -> Measured:
    """The same statements in a bare loop, TASKS to a transaction."""
    folder.mkdir()
    db = open_database(folder)
    execute = db.cursor().execute
    numbers = itertools.count(1)
    meter = Meter(seconds)
    while meter.running:
        execute("BEGIN IMMEDIATE")
        for _ in range(TASKS):
            statements(execute, next(numbers))
        execute("COMMIT")
        meter.done += TASKS
    found = meter.read()
    db.close()
    shutil.rmtree(folder)
    return found


def bare_put(execute: Any, number: int) -> None:
    execute(
        "INSERT INTO record (collection, partition, sort, version, value) VALUES (1, ?, ?, ?, ?)"
        " ON CONFLICT (collection, partition, sort)"
        " DO UPDATE SET version = excluded.version, value = excluded.value",
        (b"p%d" % (number % 1000), b"s%d" % number, number, PAYLOAD),
    )


def bare_enqueue(execute: Any, number: int) -> None:
    execute(
        "INSERT INTO work (queue, id, due, leased, created, token, attempts)"
        " VALUES (1, ?, ?, 0, ?, 0, 0)",
        (number, float(number), float(number)),
    )
    execute("INSERT INTO work_payload (id, payload) VALUES (?, ?)", (number, PAYLOAD))


def bare_append(execute: Any, number: int) -> None:
    execute(
        "INSERT INTO log (log, position, time, value) VALUES (1, ?, ?, ?)",
        (number, float(number), PAYLOAD),
    )


def puts(prefix: bytes, value: bytes) -> Iterator[Body]:
    for number in itertools.count():

        async def put(tx: Transaction, number: int = number) -> None:
            await tx.put("c", b"p%d" % (number % 1000), prefix + b"%d" % number, value)

        yield put


def gets() -> Iterator[Body]:
    for number in itertools.count():

        async def get(tx: Transaction, number: int = number % 1000) -> None:
            assert await tx.get("c", b"p%d" % (number % 1000), b"s%d" % number)

        yield get


def cycle(body: Body) -> Iterator[Body]:
    return itertools.repeat(body)


def enqueue(queue: str, count: int = 1, group: str | None = None) -> Body:
    items = [NewWork(PAYLOAD, group=group) for _ in range(count)]

    async def body(tx: Transaction) -> None:
        await tx.enqueue(queue, items)

    return body


def consume(queue: str, limit: int, ordered: bool = False) -> Body:
    async def body(tx: Transaction) -> None:
        for work in await tx.claim(queue, limit, 30, ordered=ordered):
            await tx.settle(queue, work.id, work.token)

    return body


def counts(queue: str) -> Body:
    async def body(tx: Transaction) -> None:
        await tx.work_counts(queue)

    return body


@asynccontextmanager
async def fresh(folder: Path) -> AsyncIterator[Store]:
    """A new store in `folder`, gone afterwards."""
    store = await open_sqlite(folder, SystemClock(), SystemIds())
    try:
        yield store
    finally:
        await store.close()
        shutil.rmtree(folder)


async def fill(store: Store, queue: str, items: int, groups: int = 0, delay: float = 0.0) -> None:
    for first in range(0, items, 1000):
        batch = [
            NewWork(PAYLOAD, group=f"g{number % groups}" if groups else None, delay=delay)
            for number in range(first, min(first + 1000, items))
        ]

        async def body(tx: Transaction, batch: list[NewWork] = batch) -> None:
            await tx.enqueue(queue, batch)

        await store.transact(body)


async def records(report: Report, folder: Path, seconds: float) -> None:
    plain = bare(folder, seconds, bare_put)
    async with fresh(folder) as store:
        report.line("records: put 200 B", await rate(store, puts(b"s", PAYLOAD), seconds), plain)
        report.line("records: get", await rate(store, gets(), seconds))
        report.line("records: put 4 KiB", await rate(store, puts(b"t", KIB_4), seconds))

        async def scan(tx: Transaction) -> None:
            await tx.scan("c", b"p1", limit=100)

        report.line("records: scan of up to 100", await rate(store, cycle(scan), seconds))
        one = await rate(store, puts(b"u", PAYLOAD), seconds, tasks=1)
        report.line("records: put 200 B, one task", one)


async def work(report: Report, folder: Path, seconds: float, items: int) -> None:
    plain = bare(folder, seconds, bare_enqueue)
    async with fresh(folder) as store:
        report.line("work: enqueue 200 B", await rate(store, cycle(enqueue("q")), seconds), plain)
        report.line("work: enqueue 10 in one", await rate(store, cycle(enqueue("r", 10)), seconds))
        report.line("work: claim 1 and settle", await rate(store, cycle(consume("q", 1)), seconds))
        report.line(
            "work: claim 10 and settle each", await rate(store, cycle(consume("r", 10)), seconds)
        )
    async with fresh(folder) as store:
        await fill(store, "q", items)
        name = f"behind {items:,} items"
        await store.transact(counts("q"))
        report.line(f"work: counts, {name}", await rate(store, cycle(counts("q")), seconds))
        report.line(
            f"work: claim 1 and settle, {name}", await rate(store, cycle(consume("q", 1)), seconds)
        )
        report.line(f"work: enqueue, {name}", await rate(store, cycle(enqueue("q")), seconds))


async def ordered(report: Report, folder: Path, seconds: float) -> None:
    async with fresh(folder) as store:
        await fill(store, "q", 200_000, groups=1000)
        name = "200,000 items in 1,000 groups"
        report.line(
            f"ordered: claim 1 and settle, {name}",
            await rate(store, cycle(consume("q", 1, ordered=True)), seconds),
        )

        async def block(tx: Transaction) -> None:
            for _ in range(900):
                await tx.claim("q", 1, 3600, ordered=True)

        await store.transact(block)
        report.line(
            "ordered: the same, 900 groups blocked",
            await rate(store, cycle(consume("q", 1, ordered=True)), seconds),
        )


async def logs(report: Report, folder: Path, seconds: float) -> None:
    plain = bare(folder, seconds, bare_append)

    async def append(tx: Transaction) -> None:
        await tx.append("l", [PAYLOAD])

    async def read(tx: Transaction) -> None:
        await tx.read("l", after=1000, limit=100)

    async def seek(tx: Transaction) -> None:
        await tx.position_at("l", tx.now - 1)

    async with fresh(folder) as store:
        report.line("log: append 200 B", await rate(store, cycle(append), seconds), plain)
        report.line("log: read 100", await rate(store, cycle(read), seconds))
        report.line("log: position at a time", await rate(store, cycle(seek), seconds))


async def blobs(report: Report, folder: Path, seconds: float) -> None:
    async def upload(store: Store, data: bytes, tasks: int) -> Measured:
        meter = Meter(seconds)

        async def work() -> None:
            while meter.running:
                staged = await store.blobs.stage(pieces(data))

                async def link(tx: Transaction, staged: StagedBlob = staged) -> None:
                    await tx.link_blob(staged)

                await store.transact(link)
                meter.done += 1

        await asyncio.gather(*(work() for _ in range(tasks)))
        return meter.read()

    async with fresh(folder) as store:
        for kib in (4, 16, 32, 33, 64, 1024, 8192):
            found = await upload(store, b"x" * (kib * 1024), 16)
            report.line(f"blobs: stage and link {kib:,} KiB, 16 tasks", found)


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    for first in range(0, len(data), 65_536):
        yield data[first : first + 65_536]


async def main(seconds: float, items: int, parent: Path | None) -> None:
    report = Report()
    folder = Path(tempfile.mkdtemp(prefix="lambent-bench-", dir=parent)) / "data"
    try:
        await records(report, folder, seconds)
        await work(report, folder, seconds, items)
        await ordered(report, folder, seconds)
        await logs(report, folder, seconds)
        await blobs(report, folder, seconds)
    finally:
        shutil.rmtree(folder.parent)
    console = Console(width=100)
    console.print(report.table)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    console.print(f"Peak memory {peak:.0f} MiB.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="per line")
    parser.add_argument("--items", type=int, default=1_000_000, help="backlog of a long queue")
    parser.add_argument("--folder", type=Path, default=None, help="where the data lies")
    options = parser.parse_args()
    uvloop.run(main(options.seconds, options.items, options.folder))
