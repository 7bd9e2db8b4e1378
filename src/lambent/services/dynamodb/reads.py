"""Query and Scan: pages of items of a table or an index."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.services.dynamodb import capacity, key_conditions, keys, legacy
from lambent.services.dynamodb.changes import read_item
from lambent.services.dynamodb.errors import invalid
from lambent.services.dynamodb.expressions.compiled import CompiledCondition, CompiledProjection
from lambent.services.dynamodb.expressions.operands import Values
from lambent.services.dynamodb.expressions.request import Expressions, check_mixing
from lambent.services.dynamodb.key_conditions import Selection, Tests
from lambent.services.dynamodb.keys import StoreKey
from lambent.services.dynamodb.model import (
    Index,
    Table,
    decode_item,
    load_table,
    stored_size,
)
from lambent.services.dynamodb.parameters import table_name
from lambent.services.dynamodb.selecting import Shape, check_select, shape
from lambent.services.dynamodb.values import Item, clean_item
from lambent.store.contract import Record, Store, Transaction

PAGE_BYTES = 1024 * 1024
_CHUNK = 100

Fetch = Callable[[StoreKey | None, int], Awaitable[list[Record]]]
"""Records after a key (None: from the start), at most so many."""


@dataclass(slots=True)
class Page:
    """One page: what was kept of what was looked at."""

    table: Table
    items: list[Item] = field(default_factory=list)
    count: int = 0
    scanned: int = 0
    size: int = 0
    fetched_units: float = 0.0
    last: Item | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """A Query or Scan that was found sound as a request."""

    name: str
    index_name: str | None
    condition: CompiledCondition | None
    projection: CompiledProjection | None
    values: Values
    start: Item | None
    limit: int | None
    consistent: bool
    params: Params

    def source(self, table: Table) -> Index | None:
        """The index that is read; None for the table itself."""
        if self.index_name is None:
            return None
        index = table.index(self.index_name)
        if index is None:
            raise invalid(f"The table does not have the specified index: {self.index_name}")
        if index.is_global and self.consistent:
            raise invalid("Consistent reads are not supported on global secondary indexes")
        if index.filling:
            raise invalid(f"Cannot read from backfilling global secondary index: {self.index_name}")
        return index

    async def page(
        self,
        tx: Transaction,
        table: Table,
        index: Index | None,
        after: StoreKey | None,
        fetch: Fetch,
    ) -> Page:
        """Read records until the limit, a mebibyte, or the end."""
        form = shape(self.params, table, index, self.projection, self.condition)
        page = Page(table)
        while True:
            wanted = _CHUNK if self.limit is None else min(_CHUNK, self.limit - page.scanned)
            records = await fetch(after, wanted)
            for record in records:
                item = decode_item(record.value)
                page.scanned += 1
                page.size += stored_size(record.value)
                whole = await self._whole(tx, page, item) if form.fetch else item
                self._take(page, form, whole)
                if page.scanned == self.limit or page.size >= PAGE_BYTES:
                    page.last = _position(table, index, item)
                    return page
            if len(records) < wanted:
                return page
            after = StoreKey(records[-1].partition, records[-1].sort)

    async def _whole(self, tx: Transaction, page: Page, entry: Item) -> Item:
        """The item that an entry of a local index stands for."""
        stored = await read_item(tx, page.table, keys.store_key(page.table.key, entry))
        if stored is None:
            return entry
        page.fetched_units += capacity.read_units(stored.size, self.consistent)
        return stored.item

    def _take(self, page: Page, form: Shape, item: Item) -> None:
        if self.condition is not None and not self.condition.test(item, self.values):
            return
        page.count += 1
        if not form.count_only:
            page.items.append(form.project(item) if form.project else item)

    def result(self, page: Page) -> Result:
        """The page as an answer."""
        result: dict[str, Any] = {"Count": page.count, "ScannedCount": page.scanned}
        if self.params.get("Select") != "COUNT":
            result["Items"] = page.items
        if page.last is not None:
            result["LastEvaluatedKey"] = page.last
        wanted = self.params.get("ReturnConsumedCapacity")
        if wanted is not None:
            meter = capacity.Meter(page.table)
            meter.read(capacity.read_units(page.size, self.consistent), self.index_name)
            if page.fetched_units:
                meter.read(page.fetched_units)
            result["ConsumedCapacity"] = meter.report(wanted)
        return result


def _position(table: Table, index: Index | None, item: Item) -> Item:
    """An item's place as a LastEvaluatedKey."""
    position = keys.key_of(table.key, item)
    if index is not None:
        position |= keys.key_of(index.key, item)
    return position


def _reading(
    context: RequestContext,
    params: Params,
    expressions: Expressions,
    condition: CompiledCondition | None,
) -> Reading:
    start = params.get("ExclusiveStartKey")
    return Reading(
        name=table_name(context, params["TableName"]),
        index_name=params.get("IndexName"),
        condition=condition,
        projection=expressions.projection(params.get("ProjectionExpression")),
        values=expressions.values,
        start=_start_key(start) if start is not None else None,
        limit=params.get("Limit"),
        consistent=params.get("ConsistentRead") is True,
        params=params,
    )


def _start_key(start: Mapping[str, Any]) -> Item:
    try:
        return clean_item(start)
    except AwsError as error:
        raise invalid(f"The provided starting key is invalid: {error.message}") from None


class Reads:
    """Operations that read many items."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def query(self, context: RequestContext, params: Params) -> Result:
        """Query."""
        check_mixing(
            params,
            ("AttributesToGet", "QueryFilter", "ConditionalOperator", "KeyConditions"),
            ("ProjectionExpression", "FilterExpression", "KeyConditionExpression"),
        )
        expressions = Expressions(
            params, ("ProjectionExpression", "FilterExpression", "KeyConditionExpression")
        )
        old_style = params.get("KeyConditions")
        legacy_tests = legacy.conditions(old_style) if old_style is not None else None
        condition = legacy.filtered(params, "QueryFilter")
        check_select(params)
        if condition is None:
            condition = expressions.condition("FilterExpression", params.get("FilterExpression"))
        key_condition = expressions.condition(
            "KeyConditionExpression", params.get("KeyConditionExpression")
        )
        reading = _reading(context, params, expressions, condition)
        if key_condition is not None:
            tests = key_conditions.from_expression(key_condition, expressions.values)
        elif legacy_tests is not None:
            tests = key_conditions.from_legacy(legacy_tests)
        else:
            raise invalid(
                "Either the KeyConditions or KeyConditionExpression parameter must be "
                "specified in the request."
            )
        expressions.finish()

        async def body(tx: Transaction) -> Page:
            table = await load_table(tx, context.account, context.region, reading.name)
            _check_filter(table, reading)
            return await query_page(tx, table, reading, tests)

        return reading.result(await self._store.transact(body))

    async def scan(self, context: RequestContext, params: Params) -> Result:
        """Scan."""
        check_mixing(
            params,
            ("AttributesToGet", "ScanFilter", "ConditionalOperator"),
            ("ProjectionExpression", "FilterExpression"),
        )
        expressions = Expressions(params, ("ProjectionExpression", "FilterExpression"))
        condition = legacy.filtered(params, "ScanFilter")
        check_select(params)
        _check_segment(params)
        if condition is None:
            condition = expressions.condition("FilterExpression", params.get("FilterExpression"))
        reading = _reading(context, params, expressions, condition)
        expressions.finish()

        async def body(tx: Transaction) -> Page:
            table = await load_table(tx, context.account, context.region, reading.name)
            return await scan_page(tx, table, reading)

        return reading.result(await self._store.transact(body))


def _check_filter(table: Table, reading: Reading) -> None:
    """Raise when a query's filter is about its keys."""
    index = reading.source(table)
    schema = index.key if index is not None else table.key
    if reading.condition is not None:
        for name in schema.attributes:
            if name in reading.condition.attributes:
                legacy_style = reading.params.get("QueryFilter") is not None
                what = "QueryFilter" if legacy_style else "Filter Expression"
                raise invalid(
                    f"{what} can only contain non-primary key attributes: "
                    f"Primary key attribute: {name}"
                )


async def query_page(tx: Transaction, table: Table, reading: Reading, tests: Tests) -> Page:
    """A page of what the key tests select."""
    index = reading.source(table)
    schema = index.key if index is not None else table.key
    selection = key_conditions.select(schema, tests)
    partition = keys.partition(schema.hash_type, selection.hash)
    start, end = key_conditions.bounds(
        selection.range, schema.range_type, in_index=index is not None
    )
    collection = table.items if index is None else table.entries(index)
    backward = reading.params.get("ScanIndexForward") is False
    after: StoreKey | None = None
    if reading.start is not None:
        after = _query_start(table, index, reading.start, selection)

    async def fetch(after: StoreKey | None, limit: int) -> list[Record]:
        low, high = start, end
        if after is not None and backward:
            high = after.sort if high is None else min(high, after.sort)
        elif after is not None:
            low = max(low, after.sort + b"\x00")
        if high is not None and low >= high:
            return []
        return await tx.scan(
            collection, partition, start=low, end=high, reverse=backward, limit=limit
        )

    return await reading.page(tx, table, index, after, fetch)


async def scan_page(tx: Transaction, table: Table, reading: Reading) -> Page:
    """A page of everything, or of a segment of it."""
    index = reading.source(table)
    collection = table.items if index is None else table.entries(index)
    first, until = _segment(reading.params)
    after: StoreKey | None = StoreKey(first, b"") if first else None
    if reading.start is not None:
        after = _scan_start(table, index, reading.start)
        if after.partition < first or (until is not None and after.partition >= until):
            raise invalid(
                "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use "
                "ExclusiveStartKey with correct Segment. "
                f"TotalSegments: {reading.params['TotalSegments']} "
                f"Segment: {reading.params['Segment']}"
            )

    async def fetch(after: StoreKey | None, limit: int) -> list[Record]:
        return await tx.scan_all(collection, after=after, until=until, limit=limit)

    return await reading.page(tx, table, index, after, fetch)


def _query_start(table: Table, index: Index | None, start: Item, selection: Selection) -> StoreKey:
    schema = index.key if index is not None else table.key
    where = _start_position(table, index, start, "The provided starting key is invalid")
    if start[schema.hash] != selection.hash:
        raise invalid(
            "The provided starting key is outside query boundaries based on provided conditions"
        )
    if not key_conditions.holds(selection.range, schema.range_type, start, schema.range):
        raise invalid("The provided starting key does not match the range key predicate")
    return where


def _scan_start(table: Table, index: Index | None, start: Item) -> StoreKey:
    return _start_position(
        table,
        index,
        start,
        "The provided starting key is invalid: " + keys.MISMATCH,
    )


def _start_position(table: Table, index: Index | None, start: Item, message: str) -> StoreKey:
    schemas = [table.key] if index is None else [table.key, index.key]
    if start.keys() != {name for schema in schemas for name in schema.attributes}:
        raise invalid(message)
    for schema in schemas:
        part = {name: start[name] for name in schema.attributes}
        try:
            keys.check_key(schema, part)
        except AwsError as error:
            if error.message == keys.MISMATCH:
                raise invalid(message) from None
            raise
    key = keys.store_key(table.key, start)
    where = key if index is None else keys.entry_key(table, index, key, start)
    if where is None:
        raise invalid(message)
    return where


def _check_segment(params: Mapping[str, Any]) -> None:
    segment, total = params.get("Segment"), params.get("TotalSegments")
    if segment is None and total is None:
        return
    if segment is None:
        raise invalid(
            "The Segment parameter is required but was not present in the request when "
            "parameter TotalSegments is present"
        )
    if total is None:
        raise invalid(
            "The TotalSegments parameter is required but was not present in the request when "
            "Segment parameter is present"
        )
    if segment >= total:
        raise invalid(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
            f"Segment: {segment} is not less than TotalSegments: {total}"
        )


def _segment(params: Mapping[str, Any]) -> tuple[bytes, bytes | None]:
    """The partitions of a segment: from the first one to before the second (None: the end)."""
    total = params.get("TotalSegments")
    if total is None:
        return b"", None
    segment, span = params["Segment"], 1 << 8 * keys.HASH_BYTES
    low, high = (-(-span * number // total) for number in (segment, segment + 1))
    return (
        low.to_bytes(keys.HASH_BYTES, "big") if low else b"",
        high.to_bytes(keys.HASH_BYTES, "big") if high < span else None,
    )
