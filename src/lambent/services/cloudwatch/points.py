"""Measurements in the store: by metric, resolution, time and unit.

Resolution is 1 second for high-resolution metrics and a minute for all others. As points grow
old, `roll_up` sums them up to coarser ones, and drops the oldest (see `periods.KEPT`).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from lambent.core.distribution import Distribution, Plain, restored
from lambent.services.cloudwatch import periods
from lambent.services.cloudwatch.model import (
    METRICS,
    POINTS,
    UNITS,
    Dimensions,
    Listed,
    decode_listed,
    encode,
    key,
    path,
    scope,
)
from lambent.store.contract import Transaction

_SORT = struct.Struct(">HQB")
_plain = msgspec.msgpack.Decoder(Plain)
SEEN_SECONDS = 3600.0
"""How exactly it is known when data last came."""


class Point(NamedTuple):
    """What was measured in the `resolution` seconds from `at` (seconds since the epoch)."""

    at: int
    resolution: int
    unit: str
    values: Distribution


async def add(
    tx: Transaction,
    account: str,
    region: str,
    namespace: str,
    name: str,
    dimensions: Dimensions,
    points: Iterable[Point],
) -> None:
    """Add measurements of one metric to what is there."""
    place = path(namespace, name, dimensions)
    partition = key(account, region, place)
    for point in points:
        await _merge(tx, partition, point)
    known = await tx.get(METRICS, scope(account, region), place)
    if known is None or decode_listed(known.value).seen + SEEN_SECONDS <= tx.now:
        listed = Listed(namespace, name, dimensions, tx.now)
        await tx.put(METRICS, scope(account, region), place, encode(listed))


async def read(
    tx: Transaction, partition: bytes, start: float, end: float, unit: str | None
) -> list[Point]:
    """The points of a metric with start ≤ time < end, oldest first within each resolution."""
    found = []
    for resolution, _ in periods.KEPT:
        found += await _of(tx, partition, resolution, start, end, unit)
    return found


async def _of(
    tx: Transaction,
    partition: bytes,
    resolution: int,
    start: float,
    end: float,
    unit: str | None = None,
) -> list[Point]:
    first, last = (_SORT.pack(resolution, max(0, math.ceil(at)), 0) for at in (start, end))
    found = []
    for record in await tx.scan(POINTS, partition, start=first, end=last):
        _, at, number = _SORT.unpack(record.sort)
        if unit is None or UNITS[number] == unit:
            values = restored(_plain.decode(record.value))
            found.append(Point(at, resolution, UNITS[number], values))
    return found


async def roll_up(tx: Transaction, account: str, region: str, metric: Listed) -> bool:
    """Sum up what is old; whether the metric has no data left and is forgotten."""
    place = path(metric.namespace, metric.name, metric.dimensions)
    partition = key(account, region, place)
    coarser = [*(resolution for resolution, _ in periods.KEPT[1:]), None]
    for (resolution, age), into in zip(periods.KEPT, coarser, strict=True):
        before = int((tx.now - age) // 3600 * 3600)
        for point in await _of(tx, partition, resolution, 0, before):
            await tx.delete(POINTS, partition, _sort(point))
            if into is not None:
                whole = point._replace(at=point.at // into * into, resolution=into)
                await _merge(tx, partition, whole)
    if metric.seen > tx.now - periods.KEPT[-1][1]:
        return False
    await tx.clear(POINTS, partition)
    await tx.delete(METRICS, scope(account, region), place)
    return True


async def _merge(tx: Transaction, partition: bytes, point: Point) -> None:
    sort = _sort(point)
    record = await tx.get(POINTS, partition, sort)
    values = point.values
    if record is not None:
        values = restored(_plain.decode(record.value))
        values.merge(point.values)
    await tx.put(POINTS, partition, sort, encode(values.plain()))


def _sort(point: Point) -> bytes:
    return _SORT.pack(point.resolution, point.at, UNITS.index(point.unit))
