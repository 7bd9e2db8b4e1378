"""How many asynchronous invocations of each function run on this node, how many may, and the
state of their flow control, for Prometheus; as `mapping_figures` for mappings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from lambent.core.metrics import Metrics
from lambent.events.delivery import Lane
from lambent.events.flow.regulator import Regulator
from lambent.services.lambda_.names import Reference

_LABELS: Final = ("account", "region", "function")


class Served(NamedTuple):
    """A function's lane; `regulator` None when nothing is regulated."""

    function: Reference
    lane: Lane
    regulator: Regulator | None


class AsyncFlowFigures:
    """Shows the lanes that `served` gives."""

    def __init__(self, metrics: Metrics, served: Callable[[], Iterable[Served]]) -> None:
        self._served = served
        self._running = metrics.gauge(
            "lambent_function_async_running", "Asynchronous invocations that run now.", *_LABELS
        )
        self._limit = metrics.gauge(
            "lambent_function_async_limit", "How many of them may run at once now.", *_LABELS
        )
        self._state = metrics.gauge(
            "lambent_function_async_state",
            "1 for the state that their flow control is in, circuit states among them.",
            *_LABELS,
            "state",
        )
        metrics.before(self._show)

    async def _show(self) -> None:
        for gauge in (self._running, self._limit, self._state):
            gauge.clear()
        for function, lane, regulator in self._served():
            labels = (function.account, function.region, function.name)
            limit: float = lane.places
            if regulator is not None:
                shown = regulator.shown(lane.places, lane.in_flight)
                limit = shown["limit"]
                self._state.child(*labels, str(shown["state"])).set(1)
            self._running.child(*labels).set(lane.in_flight)
            self._limit.child(*labels).set(limit)
