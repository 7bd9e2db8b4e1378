"""How many events of each mapping are parked, looked up for Prometheus."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Final

from lambent.core.metrics import Metrics
from lambent.events.flow import parking
from lambent.services.lambda_.mapping_figures import LABELS, labels_of
from lambent.services.lambda_.model import Mapping
from lambent.store.contract import Store, Transaction

_AT_ONCE: Final = 100
"""Mappings looked at in one transaction."""


class ParkedDepths:
    """Shows the mappings that `served` gives; none on all nodes but one, as `AsyncDepths`."""

    def __init__(
        self, store: Store, metrics: Metrics, served: Callable[[], Iterable[Mapping]]
    ) -> None:
        self._store = store
        self._served = served
        self._parked = metrics.gauge(
            "lambent_mapping_parked_events",
            "Events that were put aside and wait to be resumed.",
            *LABELS,
        )
        metrics.before(self._show)

    async def _show(self) -> None:
        self._parked.clear()
        mappings = list(self._served())
        for begin in range(0, len(mappings), _AT_ONCE):
            part = mappings[begin : begin + _AT_ONCE]
            counts = await self._store.transact(functools.partial(_counts, mappings=part))
            for mapping, count in zip(part, counts, strict=True):
                self._parked.child(*labels_of(mapping)).set(count)


async def _counts(tx: Transaction, mappings: list[Mapping]) -> list[int]:
    return [await parking.count(tx, mapping.uuid) for mapping in mappings]
