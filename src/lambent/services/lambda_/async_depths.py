"""How many asynchronous events wait for each function, looked up for Prometheus."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Final

from lambent.core.arns import Arn
from lambent.core.clock import Clock
from lambent.core.metrics import Metrics
from lambent.services.lambda_.asynchronous import queue_of
from lambent.services.lambda_.names import Reference, from_arn
from lambent.store.contract import Store, Transaction, WorkCounts

_AT_ONCE: Final = 100
"""Functions looked at in one transaction."""
_LABELS: Final = ("account", "region", "function")


class AsyncDepths:
    """Shows the depths of the functions whose ARNs `served` gives; none on all nodes but one,
    as they are the same everywhere."""

    def __init__(
        self, store: Store, clock: Clock, metrics: Metrics, served: Callable[[], Iterable[str]]
    ) -> None:
        self._store = store
        self._clock = clock
        self._served = served
        self._events = metrics.gauge(
            "lambent_function_async_events",
            "Asynchronous events that were accepted: waiting, running, or to be retried later.",
            *_LABELS,
            "state",
        )
        self._oldest = metrics.gauge(
            "lambent_function_async_oldest_seconds", "The age of the oldest of them.", *_LABELS
        )
        metrics.before(self._show)

    async def _show(self) -> None:
        self._events.clear()
        self._oldest.clear()
        references = [from_arn(Arn.parse(arn)) for arn in self._served()]
        for begin in range(0, len(references), _AT_ONCE):
            part = references[begin : begin + _AT_ONCE]
            counts = await self._store.transact(functools.partial(_counts, references=part))
            for reference, one in zip(part, counts, strict=True):
                labels = (reference.account, reference.region, reference.name)
                self._events.child(*labels, "waiting").set(one.ready)
                self._events.child(*labels, "running").set(one.leased)
                self._events.child(*labels, "later").set(one.delayed)
                age = 0.0 if one.oldest is None else max(0.0, self._clock.now() - one.oldest)
                self._oldest.child(*labels).set(age)


async def _counts(tx: Transaction, references: list[Reference]) -> list[WorkCounts]:
    return [await tx.work_counts(queue_of(reference)) for reference in references]
