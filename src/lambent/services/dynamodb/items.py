"""GetItem, PutItem, UpdateItem and DeleteItem."""

from __future__ import annotations

from typing import Any

from lambent.core.context import Params, RequestContext, Result
from lambent.services.dynamodb import capacity, keys
from lambent.services.dynamodb.changes import read_item
from lambent.services.dynamodb.expressions.paths import Projector
from lambent.services.dynamodb.expressions.request import Expressions, check_mixing
from lambent.services.dynamodb.model import Table, load_table
from lambent.services.dynamodb.parameters import table_name
from lambent.services.dynamodb.selecting import check_names
from lambent.services.dynamodb.statistics import Ledger, Statistics
from lambent.services.dynamodb.values import Item, clean_item
from lambent.services.dynamodb.writes import (
    Change,
    Plan,
    Update,
    plan_delete,
    plan_put,
    plan_update,
)
from lambent.store.contract import Store, Transaction


def projector(params: Params, expressions: Expressions) -> Projector | None:
    """What cuts items down by ProjectionExpression or AttributesToGet; None for all of it."""
    projection = expressions.projection(params.get("ProjectionExpression"))
    if projection is not None:
        return projection.project
    names = params.get("AttributesToGet")
    check_names(names)
    return Projector((name,) for name in names) if names else None


class Items:
    """Operations on single items."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger

    async def get(self, context: RequestContext, params: Params) -> Result:
        """GetItem."""
        name = table_name(context, params["TableName"])
        check_mixing(params, ("AttributesToGet",), ("ProjectionExpression",))
        expressions = Expressions(params, ("ProjectionExpression",))
        key = clean_item(params["Key"])
        project = projector(params, expressions)
        expressions.finish()

        async def body(tx: Transaction) -> tuple[Table, Item | None, int]:
            table = await load_table(tx, context.account, context.region, name)
            keys.check_key(table.key, key)
            stored = await read_item(tx, table, keys.store_key(table.key, key))
            return (table, stored.item, stored.size) if stored else (table, None, 0)

        table, item, size = await self._store.transact(body)
        result: dict[str, Any] = {}
        if item is not None:
            result["Item"] = project(item) if project else item
        wanted = params.get("ReturnConsumedCapacity")
        if wanted is not None:
            meter = capacity.Meter(table)
            meter.read(capacity.read_units(size, params.get("ConsistentRead") is True))
            result["ConsumedCapacity"] = meter.report(wanted)
        return result

    async def put(self, context: RequestContext, params: Params) -> Result:
        """PutItem."""
        return await self._write(context, params, plan_put(params))

    async def update(self, context: RequestContext, params: Params) -> Result:
        """UpdateItem."""
        return await self._write(context, params, plan_update(params))

    async def delete(self, context: RequestContext, params: Params) -> Result:
        """DeleteItem."""
        return await self._write(context, params, plan_delete(params))

    async def _write(self, context: RequestContext, params: Params, plan: Plan) -> Result:
        name = table_name(context, params["TableName"])

        async def body(tx: Transaction) -> tuple[Change, Statistics, capacity.Meter]:
            table = await load_table(tx, context.account, context.region, name)
            statistics, meter = Statistics(), capacity.Meter(table)
            change = await plan.run(tx, table, plan.locate(table), statistics, meter)
            return change, statistics, meter

        change, statistics, meter = await self._store.transact(body)
        self._ledger.add(statistics)
        result: dict[str, Any] = {}
        attributes = returned(params.get("ReturnValues"), plan, change)
        if attributes:
            result["Attributes"] = attributes
        result["ConsumedCapacity"] = meter.report(params.get("ReturnConsumedCapacity"))
        if params.get("ReturnItemCollectionMetrics") == "SIZE":
            result["ItemCollectionMetrics"] = collection_metrics(meter.table, plan.item)
        return result


def returned(wanted: str | None, plan: Plan, change: Change) -> Item | None:
    """The attributes that a write gives back, by its ReturnValues."""
    if wanted is None or wanted == "NONE":
        return None
    if wanted == "ALL_OLD":
        return change.old
    if wanted == "ALL_NEW":
        return change.new
    image = change.old if wanted == "UPDATED_OLD" else change.new
    return plan.touched(image) if isinstance(plan, Update) and image is not None else None


def collection_metrics(table: Table, item: Item) -> dict[str, Any] | None:
    """ItemCollectionMetrics of an item's collection; None without local indexes."""
    if all(index.is_global for index in table.indexes):
        return None
    return {
        "ItemCollectionKey": {table.key.hash: item[table.key.hash]},
        "SizeEstimateRangeGB": [0.0, 1.0],
    }
