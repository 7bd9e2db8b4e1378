"""Consumed capacity, by the rules of "Read/write capacity" in the Developer Guide.

A write unit is 1 KiB of the larger of an item's images, a read unit 4 KiB, half of one when
the read is eventually consistent; transactions take twice as much.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from lambent.services.dynamodb.model import Table

_WRITE_UNIT = 1024
_READ_UNIT = 4096


def write_units(size: int) -> int:
    """Units to write an item of that many bytes; an absent item counts as one unit."""
    return max(1, -(-size // _WRITE_UNIT))


def read_units(size: int, consistent: bool) -> float:
    """Units to read that many bytes; at least one read."""
    units = max(1, -(-size // _READ_UNIT))
    return float(units) if consistent else units / 2


class Meter:
    """Units that one request consumes on one table, by table and index."""

    __slots__ = ("_indexes", "_read", "_table", "_write", "table")

    def __init__(self, table: Table) -> None:
        self.table = table
        self._table = 0.0
        self._read = 0.0
        self._write = 0.0
        self._indexes: dict[str, float] = defaultdict(float)

    def read(self, units: float, index: str | None = None) -> None:
        """Count read units of the table or of an index."""
        self._read += units
        self._count(units, index)

    def write(self, units: float, index: str | None = None) -> None:
        """Count write units of the table or of an index."""
        self._write += units
        self._count(units, index)

    def _count(self, units: float, index: str | None) -> None:
        if index is None:
            self._table += units
        else:
            self._indexes[index] += units

    def report(self, wanted: str | None, *, split: bool = False) -> dict[str, Any] | None:
        """ConsumedCapacity for a ReturnConsumedCapacity of TOTAL or INDEXES, else None.

        `split` also tells read and write units apart, as transactions do.
        """
        if wanted not in ("TOTAL", "INDEXES"):
            return None
        report: dict[str, Any] = {
            "TableName": self.table.name,
            "CapacityUnits": self._table + sum(self._indexes.values()),
        }
        kinds = [("ReadCapacityUnits", self._read), ("WriteCapacityUnits", self._write)]
        if split:
            report |= {name: units for name, units in kinds if units}
        if wanted == "INDEXES":
            report["Table"] = _with_kinds(self._table, split, self._write > 0)
            for member, is_global in (
                ("GlobalSecondaryIndexes", True),
                ("LocalSecondaryIndexes", False),
            ):
                used = {
                    index.name: _with_kinds(self._indexes[index.name], split, self._write > 0)
                    for index in self.table.indexes
                    if index.is_global == is_global and index.name in self._indexes
                }
                if used:
                    report[member] = used
        return report


def _with_kinds(units: float, split: bool, writes: bool) -> Mapping[str, float]:
    capacity = {"CapacityUnits": units}
    if split:
        capacity["WriteCapacityUnits" if writes else "ReadCapacityUnits"] = units
    return capacity
