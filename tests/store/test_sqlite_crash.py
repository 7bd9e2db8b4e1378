"""What was acknowledged is there after `kill -9`, and nothing is ever half there."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from lambent.core.clock import SystemClock
from lambent.core.ids import SystemIds
from lambent.store.backends.sqlite import open_sqlite

from . import sqlite_writer
from .calls import call, whole

ROUNDS = 10


def killed_after(folder: Path, first: int, lines: int) -> list[tuple[str, int]]:
    """Run the writer until it has acknowledged so much, kill it, and give all it said."""
    child = subprocess.Popen(
        [sys.executable, sqlite_writer.__file__, str(folder), str(first)], stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    said = [child.stdout.readline() for _ in range(lines)]
    child.kill()
    said += child.stdout.readlines()
    child.stdout.close()
    child.wait()
    whole_lines = [line.decode().split() for line in said if line.endswith(b"\n")]
    return [(kind, int(number)) for kind, number in whole_lines]


@pytest.mark.crash
async def test_everything_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    chance = random.Random(20)
    written: set[int] = set()
    done: set[int] = set()
    for round in range(ROUNDS):
        said = killed_after(tmp_path, round * 1_000_000, chance.randint(1, 1500))
        written |= {number for kind, number in said if kind == "w"}
        done |= {number for kind, number in said if kind == "d"}

        store = await open_sqlite(tmp_path, SystemClock(), SystemIds())
        records = {int(r.partition): r for r in await call(store, "scan_all", "written")}
        finished = {int(r.partition) for r in await call(store, "scan_all", "done")}
        waiting = Counter(
            int(w.payload) for w in await call(store, "browse", "todo", limit=1_000_000)
        )
        entries = Counter(int(e.value) for e in await call(store, "read", "log", limit=1_000_000))
        assert written <= records.keys(), "an acknowledged record is gone"
        assert done <= finished, "an acknowledged piece of work is undone"
        assert entries == Counter(list(records)), "log and records differ"
        assert waiting + Counter(finished) == Counter(list(records)), "work was lost or doubled"
        counts = await call(store, "work_counts", "todo")
        assert counts.ready + counts.leased + counts.delayed == waiting.total()
        for number in chance.sample(sorted(records), min(len(records), 50)):
            expected = sqlite_writer.BLOB if number % 10 == 0 else b"%d" % number
            assert await whole(store, records[number].value.decode()) == expected
        await store.close()
    assert len(written) > ROUNDS
