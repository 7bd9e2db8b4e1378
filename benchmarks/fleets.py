"""Many environments of one function: how soon a hundred are there, what fifty idle ones take.

Measured at the host's own door. A hundred: as many invocations at once, each of which needs an
environment of its own, until all are answered. Memory: the proportional set size of all
processes that the fifty are, the sandbox's own included, once they are frozen.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from benchmarks.processes import tree
from lambent.core.clock import SystemClock
from lambent.host.contract import FunctionSpec, Invocation
from lambent.host.local import LocalHost

MANY = 100
IDLE = 50
_REST = 0.5
"""Seconds until the idle are frozen, and what was begun for them is over."""


async def seconds_to_many(host: LocalHost, spec: FunctionSpec) -> float:
    """From nothing to `MANY` environments that have answered."""
    await host.prime(spec)
    await SystemClock().sleep(_REST)
    began = time.perf_counter()
    await _invoke_at_once(host, spec, MANY)
    took = time.perf_counter() - began
    await _retire(host, spec)
    return took


async def megabytes_each(host: LocalHost, spec: FunctionSpec) -> float:
    """What one of `IDLE` idle environments takes, in MB (millions of bytes)."""
    await host.prime(spec)
    await SystemClock().sleep(_REST)
    before = set(tree(os.getpid()))
    await _invoke_at_once(host, spec, IDLE)
    await SystemClock().sleep(_REST)
    kilobytes = sum(_proportional(pid) for pid in tree(os.getpid()) if pid not in before)
    await _retire(host, spec)
    return kilobytes * 1024 / 1e6 / IDLE


async def _invoke_at_once(host: LocalHost, spec: FunctionSpec, count: int) -> None:
    results = await asyncio.gather(
        *(host.invoke(spec, Invocation(f"r-{number}", b"{}")) for number in range(count))
    )
    assert all(result.error is None and result.tier != "hot" for result in results)


async def _retire(host: LocalHost, spec: FunctionSpec) -> None:
    await host.retire(spec.arn)
    await SystemClock().sleep(_REST)


def _proportional(pid: int) -> int:
    """In kB; nothing for a process that is gone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
