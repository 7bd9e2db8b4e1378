"""The flow control of this node's mappings (and functions' asynchronous invocations, see
`flow_subjects`): one regulator each, for as long as it is theirs.

A regulator outlives its lane, so that what was learned and decided is not lost when a mapping
is changed or disabled for a while. A mapping without flow settings has none, until it is
parked.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

from lambent.core.arns import Arn
from lambent.events.flow.cluster_state import ClusterState
from lambent.events.flow.regulator import Regulator
from lambent.events.flow.settings import OFF
from lambent.events.flow.state import FlowState
from lambent.services.contract import Platform
from lambent.services.lambda_ import flow_subjects, past
from lambent.services.lambda_.model import Mapping
from lambent.services.lambda_.names import from_arn

Park = Callable[[str, str], None]
"""Called with a mapping's UUID and the reason when a rule parks it."""


@dataclass(frozen=True, slots=True)
class _Kept:
    function: str
    regulator: Regulator


class Regulators:
    """Regulators by mapping."""

    def __init__(self, platform: Platform, park: Park) -> None:
        self._platform = platform
        self._state: FlowState = ClusterState(platform.store, platform.clock, platform.cluster)
        self._park = park
        self._kept: dict[str, _Kept] = {}

    def follow(self, mapping: Mapping) -> Regulator | None:
        """Bring the mapping's regulator to its settings; None when nothing is regulated."""
        flow = flow_subjects.rules(mapping)
        function = _unqualified(mapping)
        kept = self._kept.get(mapping.uuid)
        if kept is not None and kept.function != function:
            self.close(mapping.uuid)
            kept = None
        off = flow == OFF and mapping.parked is None
        if kept is None:
            if off:
                return None
            kept = self._kept[mapping.uuid] = _Kept(function, self._make(mapping, function))
        regulator = kept.regulator
        regulator.configure(flow)
        if mapping.parked is None:
            regulator.resume()
        else:
            regulator.stop_claiming(mapping.parked)
        return None if off else regulator

    def _make(self, mapping: Mapping, function: str) -> Regulator:
        uuid = mapping.uuid
        reads = past.of_event if flow_subjects.is_function(mapping) else past.past
        return Regulator(
            clock=self._platform.clock,
            ids=self._platform.ids,
            state=self._state,
            mapping=uuid,
            function=function,
            past=functools.partial(reads, function=function),
            park=lambda reason: self._park(uuid, reason),
        )

    def of(self, uuid: str) -> Regulator | None:
        """The mapping's regulator, if it has or had one."""
        kept = self._kept.get(uuid)
        return None if kept is None else kept.regulator

    def close(self, uuid: str) -> None:
        """The mapping is gone."""
        kept = self._kept.pop(uuid, None)
        if kept is not None:
            kept.regulator.close()


def _unqualified(mapping: Mapping) -> str:
    return from_arn(Arn.parse(mapping.function)).arn
