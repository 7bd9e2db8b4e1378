"""Keeps lanes from claiming by a definition that is not in force any more.

Once UpdateEventSourceMapping or DeleteEventSourceMapping is committed, no lane on any node
claims for the mapping as it was: each claim reads the definition in its own transaction. The
same holds for a function whose asynchronous invocations are parked.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from lambent.core.arns import Arn
from lambent.services.lambda_ import records
from lambent.services.lambda_.model import Function, Mapping
from lambent.services.lambda_.names import Reference, from_arn
from lambent.store.contract import Transaction


class DefinitionFence:
    """Holds for as long as the stored mapping runs as `mapping` does; see `events.control.Fence`.

    `lost` is told when it does not.
    """

    def __init__(self, mapping: Mapping, lost: Callable[[], None]) -> None:
        self._mapping = mapping
        self._function = from_arn(Arn.parse(mapping.function))
        self._lost = lost
        self._held = b""
        """The record that was last found to be as it should, not to be decoded for each claim."""

    async def holds(self, tx: Transaction) -> bool:
        at = self._function
        record = await records.mapping_record(tx, at.account, at.region, self._mapping.uuid)
        if record is None:
            return False
        if record.value == self._held:
            return True
        stored = records.decode(record, Mapping)
        if not stored.enabled or stored.parked is not None or not same_work(stored, self._mapping):
            return False
        self._held = record.value
        return True

    def lost(self) -> None:
        self._lost()


class ParkedFence:
    """Holds for as long as a function's asynchronous invocations are not parked."""

    def __init__(self, function: Reference, lost: Callable[[], None]) -> None:
        self._function = function
        self._lost = lost
        self._held = b""

    async def holds(self, tx: Transaction) -> bool:
        record = await records.find_function_record(tx, self._function)
        # What is left of a function that is gone is not held back.
        if record is None or record.value == self._held:
            return True
        if records.decode(record, Function).parked is not None:
            return False
        self._held = record.value
        return True

    def lost(self) -> None:
        self._lost()


def same_work(one: Mapping, other: Mapping) -> bool:
    """Whether one lane serves both: they differ in flow control, tags and dates alone."""
    rest = {"flow": one.flow, "parked": one.parked, "tags": one.tags, "modified": one.modified}
    return one == msgspec.structs.replace(other, **rest)
