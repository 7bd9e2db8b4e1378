"""Steps side by side: each as soon as those it depends on are done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from lambent.core.clock import Clock


@dataclass(slots=True)
class Course:
    """How it went: `late` when time was up first. `cancelled` were under way and let go."""

    failed: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    late: bool = False


async def run(
    needs: Mapping[str, Iterable[str]],
    step: Callable[[str], Awaitable[bool]],
    patient: Callable[[str], bool],
    clock: Clock,
    until: float | None,
) -> Course:
    """Take a step for each name, those it `needs` first.

    After a failure (a step that gives False), or at `until` (seconds since the epoch), no step is
    begun any more; steps that only wait for others (`patient`) are let go, and the rest end. An
    exception of a step ends all of them and is raised.
    """
    course, done = Course(), set[str]()
    left = list(needs)
    running: dict[str, asyncio.Task[bool]] = {}
    changed = asyncio.Event()
    try:
        while True:
            stopping = bool(course.failed) or course.late
            for name in [] if stopping else left:
                if all(need in done for need in needs[name]):
                    running[name] = asyncio.ensure_future(step(name))
                    running[name].add_done_callback(lambda _: changed.set())
            left = [name for name in left if name not in running and name not in done]
            if stopping:
                for name, task in list(running.items()):
                    if patient(name) and not task.done():
                        await _end([running.pop(name)])
                        course.cancelled.append(name)
            if not running:
                return course
            rest = None if until is None or course.late else max(until - clock.now(), 0.0)
            course.late = not await clock.wait(changed, rest)
            changed.clear()
            for name in [name for name, task in running.items() if task.done()]:
                if running.pop(name).result():
                    done.add(name)
                else:
                    course.failed.append(name)
    finally:
        await _end(list(running.values()))


async def _end(tasks: list[asyncio.Task[bool]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
