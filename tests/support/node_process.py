"""`python -m tests.support.node_process`: a node that says on standard output, in one line of
JSON, where it is, and stops on SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from pathlib import Path

import msgspec

from lambent.app import Node, run
from lambent.core.clock import SystemClock
from lambent.core.settings import Settings


class ClockAhead(SystemClock):
    """The clock of a machine that is so many seconds ahead of the others."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def now(self) -> float:
        return super().now() + self._seconds


async def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--auth", action="store_true")
    parser.add_argument("--store")
    parser.add_argument("--blobs")
    parser.add_argument("--lease", type=float, default=10.0)
    parser.add_argument("--clock-ahead", type=float, default=0.0)
    arguments = vars(parser.parse_args())
    clock = ClockAhead(arguments.pop("clock_ahead"))
    node = Node(Settings(**arguments), clock)
    await node.start()
    key = node.administrator
    said = {
        "endpoint": node.endpoint,
        "port": node.port,
        "administrator": msgspec.structs.asdict(key) if key else None,
    }
    print(json.dumps(said), flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await node.stop()


if __name__ == "__main__":
    run(_main())
