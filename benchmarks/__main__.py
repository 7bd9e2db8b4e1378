"""`./dev bench`: Lambent beside its peers in one run, or one of its parts alone.

    ./dev bench                    everything, some five minutes; writes docs/benchmarks.*
    ./dev bench --quick            one short round, some seventy seconds; writes nothing
    ./dev bench sqs uploads        some scenarios; writes nothing
    ./dev bench store [OPTIONS]    a part alone: store, codecs, host, server, cold_starts,
                                   backlog, flow, nodes
    ./dev bench --store postgresql the same as nodes: several on one database

The machine's other load differs from second to second, so the systems take turns within
each round, and a ratio is taken in each round before the median over the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import runpy
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markdown import Markdown

from benchmarks import bare, delivery, invocations, report, throughput, uploads
from benchmarks.processes import memory
from benchmarks.systems import CHECKOUT, Running, System, systems
from benchmarks.throughput import Figures, Scale

PARTS = ("store", "codecs", "host", "server", "cold_starts", "backlog", "flow", "nodes")
FULL = Scale(seconds=1.5, invocations=300, colds=7, uploads=10)
QUICK = Scale(seconds=0.5, invocations=50, colds=3, uploads=3)
IDLE_SECONDS = 1.5
"""How long a system that just became healthy is left alone before its memory is read."""

Scenario = Callable[[Running, Scale, Figures], None]
SCENARIOS: dict[str, tuple[Scenario, ...]] = {
    "sqs": (throughput.sqs,),
    "dynamodb": (throughput.dynamodb,),
    "s3": (throughput.s3,),
    "invoke": (invocations.warm, invocations.parallel, invocations.cold),
    "delivery": (delivery.rate, delivery.latency),
    "uploads": (uploads.upload_to_row,),
    "footprint": (),
    "bare": (),
}


class Run:
    """The rounds of one run, and what failed in them."""

    def __init__(self, found: list[System], chosen: list[str], scale: Scale, folder: Path) -> None:
        self._systems = found
        self._chosen = chosen
        self._scale = scale
        self._folder = folder
        self.rounds: list[dict[str, Figures]] = []
        self.failures: dict[str, None] = {}

    def round(self) -> None:
        """Every chosen scenario on every system, the systems taking turns."""
        number = len(self.rounds)
        figures: dict[str, Figures] = {system.name: {} for system in self._systems}
        self.rounds.append(figures)
        # Who comes first changes, so that nobody always finds a machine that was just busy.
        turn = number % len(self._systems)
        order = self._systems[turn:] + self._systems[:turn]
        order = [each for each in order if any(map(each.takes_part, self._chosen))]
        with ExitStack() as ends:
            started = []
            for system in order:
                running = self._start(system, number)
                if running is not None:
                    ends.callback(running.end)
                    started.append(running)
                    figures[system.name]["start"] = running.started_in
            threading.Event().wait(IDLE_SECONDS)
            for running in started:
                figures[running.system.name]["memory"] = memory(running.pid)
            for name in self._chosen:
                for scenario in SCENARIOS[name]:
                    for running in started:
                        if not running.system.takes_part(name):
                            continue
                        self._run(scenario, running, figures[running.system.name])
            if "bare" in self._chosen:
                limits = figures.setdefault("bare", {})
                for limit in bare.LIMITS:
                    limit(self._scale.seconds, limits)

    def _start(self, system: System, number: int) -> Running | None:
        try:
            return Running(system, self._folder / f"{system.name}-{number}")
        except (OSError, RuntimeError) as error:
            self.failures[f"{system.name}, start: {error}"] = None
            return None

    def _run(self, scenario: Scenario, running: Running, figures: Figures) -> None:
        title = f"{running.system.name}, {scenario.__name__.replace('_', ' ')}"
        _tell(title)
        try:
            scenario(running, self._scale, figures)
        except Exception as error:
            # Whatever a black box does wrong is a finding, not an end.
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            self.failures[f"{title}: {reason[:300]}"] = None


def main() -> None:
    """Run what the command line names."""
    if sys.argv[1:3] == ["--store", "postgresql"]:
        sys.argv[1:3] = ["nodes"]
    if sys.argv[1:2] and sys.argv[1] in PARTS:
        part = sys.argv.pop(1)
        sys.modules.pop(f"benchmarks.{part}", None)  # it may have been used above
        runpy.run_module(f"benchmarks.{part}", run_name="__main__", alter_sys=True)
        return
    parser = argparse.ArgumentParser(
        prog="./dev bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"{', '.join(SCENARIOS)}, or a part"
    )
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--rounds", type=int, help="how many rounds [3; 1 with --quick]")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in SCENARIOS]
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}")
    chosen = options.names or list(SCENARIOS)
    result = _measure(
        chosen, QUICK if options.quick else FULL, options.rounds or (1 if options.quick else 3)
    )
    if options.json:
        print(json.dumps(result, indent=1))
    else:
        _show(result)
    if not options.names and not options.quick:
        report.publish(result, CHECKOUT)
        print("Written to docs/benchmarks.md and docs/benchmarks.json.", file=sys.stderr)


def _measure(chosen: list[str], scale: Scale, rounds: int) -> dict[str, Any]:
    machine, (found, missing) = _machine(), systems()
    folder = Path(tempfile.mkdtemp(prefix="lambent-bench-"))
    began = time.perf_counter()
    run = Run(found, chosen, scale, folder)
    try:
        for number in range(rounds):
            _tell(f"round {number + 1} of {rounds}")
            run.round()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine,
        "systems": {system.name: system.version for system in found},
        "rounds": rounds,
        "seconds": scale.seconds,
        "took": round(time.perf_counter() - began, 1),
        "figures": report.summary(run.rounds),
        "ratios": report.ratios(run.rounds, [system.name for system in found[1:]]),
        "failures": [*missing, *run.failures],
        "each_round": run.rounds,
    }


def _machine() -> dict[str, Any]:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory": f"{pages / 1e9:.0f} GB",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
    }


def _show(result: dict[str, Any]) -> None:
    console = Console(width=max(Console().width, 120))
    console.print(Markdown(report.table(result)))
    if "bare" in result["figures"]:
        console.print(Markdown(report.bare_table(result)))
    for line in result["failures"]:
        console.print(f"failed: {line}", markup=False)
    for kept, told in report.promises(result):
        console.print(f"{'kept' if kept else 'not kept'}: {told}", markup=False)
    console.print(f"{result['rounds']} rounds in {result['took']:.0f} s.")


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
