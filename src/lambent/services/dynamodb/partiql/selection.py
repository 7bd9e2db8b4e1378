"""SELECT: which items it reads, by query where the hash key is given, else by scan."""

from __future__ import annotations

import dataclasses
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from lambent.core.context import Params, RequestContext
from lambent.services.dynamodb import capacity, keys
from lambent.services.dynamodb.changes import read_item
from lambent.services.dynamodb.errors import invalid
from lambent.services.dynamodb.expressions.binding import conjuncts
from lambent.services.dynamodb.expressions.compiled import CompiledProjection
from lambent.services.dynamodb.expressions.paths import Projector, lookup
from lambent.services.dynamodb.expressions.tree import Condition, Path
from lambent.services.dynamodb.key_conditions import KeyTest
from lambent.services.dynamodb.model import KeySchema, Table, load_table
from lambent.services.dynamodb.parameters import table_name
from lambent.services.dynamodb.partiql.plans import (
    choices,
    comparison,
    compile_all,
    named_item,
)
from lambent.services.dynamodb.partiql.statements import Select
from lambent.services.dynamodb.reads import PAGE_BYTES, Page, Reading, query_page, scan_page
from lambent.services.dynamodb.values import AttributeValue, Item
from lambent.store.contract import Transaction


class _Columns(Projector):
    """SELECT's list: each path's value under the path's last name."""

    __slots__ = ("_paths",)

    def __init__(self, paths: Sequence[Path]) -> None:
        super().__init__(paths)
        self._paths = paths

    def __call__(self, item: Mapping[str, AttributeValue]) -> Item:
        row: Item = {}
        for path in self._paths:
            value = lookup(item, path)
            if value is not None:
                row[_column(path)] = value
        return row


def _column(path: Path) -> str:
    """A column's name: the path from its last name on, as in `b[0]` of `a.b[0]`."""
    start = max(at for at, part in enumerate(path) if isinstance(part, str))
    return str(path[start]) + "".join(f"[{index}]" for index in path[start + 1 :])


def _projection(statement: Select) -> CompiledProjection | None:
    if statement.paths is None:
        return None
    return CompiledProjection(
        kind="SELECT",
        names=frozenset(),
        values=(),
        faults=(),
        checks=(),
        attributes=frozenset(str(path[0]) for path in statement.paths),
        paths=statement.paths,
        project=_Columns(statement.paths),
    )


class _Strategy(NamedTuple):
    """Hash keys to query one after the other (None: scan), a range test, and the rest."""

    hashes: list[AttributeValue] | None
    range: KeyTest | None
    rest: list[Condition]


def _strategy(where: Condition | None, schema: KeySchema) -> _Strategy:
    conditions = list(conjuncts(where)) if where is not None else []
    for condition in conditions:
        hashes = choices(condition, schema.hash)
        if hashes is None:
            continue
        rest = [each for each in conditions if each is not condition]
        for each in rest:
            found = comparison(each)
            if found is not None and schema.range and found[0] == schema.range:
                rest.remove(each)
                return _Strategy(hashes, found[1], rest)
        return _Strategy(hashes, None, rest)
    return _Strategy(None, None, conditions)


async def select_page(
    tx: Transaction, context: RequestContext, statement: Select, params: Mapping[str, Any]
) -> dict[str, Any]:
    """One page of a SELECT, as ExecuteStatement's answer."""
    name = table_name(context, statement.table)
    table = await load_table(tx, context.account, context.region, name)
    position, start = _parse_token(params.get("NextToken"))
    reading = Reading(
        name=name,
        index_name=statement.index,
        condition=None,
        projection=_projection(statement),
        values={},
        start=start,
        limit=params.get("Limit"),
        consistent=params.get("ConsistentRead") is True,
        params=_ordering(statement),
    )
    index = reading.source(table)
    schema = index.key if index is not None else table.key
    strategy = _strategy(statement.where, schema)
    if statement.order is not None:
        if strategy.hashes is None:
            raise invalid("Must have WHERE clause in the statement when using ORDER BY clause.")
        if statement.order[0] not in schema.attributes:
            raise invalid(
                f"Variable reference {statement.order[0]} in ORDER BY clause must be part of the "
                "primary key"
            )
    reading = dataclasses.replace(reading, condition=compile_all(strategy.rest))
    if strategy.hashes is None:
        page, more = await scan_page(tx, table, reading), False
    else:
        page, position, more = await _query_all(tx, table, schema, reading, strategy, position)
    result: dict[str, Any] = {"Items": page.items}
    if page.last is not None or more:
        result["NextToken"] = _token(position, page.last)
    if page.last is not None:
        result["LastEvaluatedKey"] = page.last
    meter = capacity.Meter(table)
    meter.read(capacity.read_units(page.size, reading.consistent), statement.index)
    result["ConsumedCapacity"] = meter.report(params.get("ReturnConsumedCapacity"))
    return result


async def _query_all(
    tx: Transaction,
    table: Table,
    schema: KeySchema,
    reading: Reading,
    strategy: _Strategy,
    position: int,
) -> tuple[Page, int, bool]:
    """Query the hash keys from the `position`th on.

    The page, the position to go on from, and whether there are hash keys left.
    """
    whole = Page(table)
    hashes = strategy.hashes or []
    while position < len(hashes):
        tests = {schema.hash: KeyTest("=", [hashes[position]])}
        if strategy.range is not None:
            tests[schema.range] = strategy.range
        page = await query_page(tx, table, reading, tests)
        whole.items.extend(page.items)
        whole.scanned += page.scanned
        whole.size += page.size
        whole.last = page.last
        if page.last is not None:
            return whole, position, True
        position += 1
        if whole.size >= PAGE_BYTES:
            break
        left = None if reading.limit is None else reading.limit - page.scanned
        reading = dataclasses.replace(reading, start=None, limit=left)
    return whole, position, position < len(hashes)


def _ordering(statement: Select) -> Params:
    descending = statement.order is not None and statement.order[1]
    return {"ScanIndexForward": not descending}


def _token(position: int, last: Item | None) -> str:
    return urlsafe_b64encode(msgspec.msgpack.encode((position, last))).decode()


def _parse_token(token: str | None) -> tuple[int, Item | None]:
    if token is None:
        return 0, None
    try:
        return msgspec.msgpack.decode(
            urlsafe_b64decode(token), type=tuple[int, dict[str, dict[str, Any]] | None]
        )
    except (ValueError, msgspec.MsgspecError):
        raise invalid("Invalid NextToken") from None


class Found(NamedTuple):
    """What a SELECT of one item found."""

    table: Table
    item: Item | None
    size: int


async def get_named(tx: Transaction, context: RequestContext, statement: Select) -> Found:
    """A SELECT that names one item by its whole key, as batches and transactions need it."""
    name = table_name(context, statement.table)
    table = await load_table(tx, context.account, context.region, name)
    where = statement.where
    named = named_item(where, table.key) if where is not None else None
    if named is None or statement.index is not None:
        raise invalid(
            "Select statements within BatchExecuteStatement must specify the primary key in the "
            "where clause."
        )
    keys.check_key(table.key, named.key)
    condition = compile_all(named.rest)
    stored = await read_item(tx, table, keys.store_key(table.key, named.key))
    if stored is None:
        return Found(table, None, 0)
    if condition is not None and not condition.test(stored.item, {}):
        return Found(table, None, stored.size)
    projection = _projection(statement)
    item = projection.project(stored.item) if projection is not None else stored.item
    return Found(table, item, stored.size)
