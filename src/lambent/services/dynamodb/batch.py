"""BatchGetItem and BatchWriteItem."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from lambent.core.context import Params, RequestContext, Result
from lambent.services.dynamodb import capacity, keys
from lambent.services.dynamodb.capacity import Meter
from lambent.services.dynamodb.changes import read_item
from lambent.services.dynamodb.errors import invalid
from lambent.services.dynamodb.expressions.paths import Projector
from lambent.services.dynamodb.expressions.request import Expressions, check_mixing
from lambent.services.dynamodb.items import collection_metrics, projector
from lambent.services.dynamodb.keys import StoreKey
from lambent.services.dynamodb.model import load_table
from lambent.services.dynamodb.parameters import table_name
from lambent.services.dynamodb.statistics import Ledger, Statistics
from lambent.services.dynamodb.values import CROWDED, EMPTY, Item, clean_item
from lambent.services.dynamodb.writes import Plan, plan_delete, plan_put
from lambent.store.contract import Store, Transaction

MAX_GETS = 100
MAX_WRITES = 25
MAX_RESPONSE = 16 * 1024 * 1024
_DUPLICATES = "Provided list of item keys contains duplicates"


class _Gets(NamedTuple):
    """What is asked of one table."""

    given: str
    name: str
    request: dict[str, Any]
    keys: list[Item]
    project: Projector | None
    consistent: bool


class Batches:
    """Operations on many items, none of which depends on another."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger

    async def get(self, context: RequestContext, params: Params) -> Result:
        """BatchGetItem: what does not fit into 16 MB comes back as UnprocessedKeys."""
        requests: dict[str, dict[str, Any]] = params["RequestItems"]
        if sum(len(request["Keys"]) for request in requests.values()) > MAX_GETS:
            raise invalid("Too many items requested for the BatchGetItem call")
        _check_mixing(requests.values())
        plans = [_plan_gets(context, given, request) for given, request in requests.items()]

        async def body(tx: Transaction) -> tuple[dict[str, Any], dict[str, Any], list[Meter]]:
            responses: dict[str, Any] = {}
            unprocessed: dict[str, Any] = {}
            meters = []
            room = MAX_RESPONSE
            for plan in plans:
                table = await load_table(tx, context.account, context.region, plan.name)
                found: list[Item] = responses.setdefault(plan.given, [])
                meter = Meter(table)
                meters.append(meter)
                located: dict[StoreKey, int] = {}
                for number, key in enumerate(plan.keys):
                    keys.check_key(table.key, key)
                    if located.setdefault(keys.store_key(table.key, key), number) != number:
                        raise invalid(_DUPLICATES)
                for where, number in located.items():
                    stored = await read_item(tx, table, where)
                    if stored is not None and stored.size > room:
                        left = plan.request["Keys"][number:]
                        unprocessed[plan.given] = plan.request | {"Keys": left}
                        room = 0
                        break
                    size = stored.size if stored else 0
                    meter.read(capacity.read_units(size, plan.consistent))
                    room -= size
                    if stored is not None:
                        found.append(plan.project(stored.item) if plan.project else stored.item)
            return responses, unprocessed, meters

        responses, unprocessed, meters = await self._store.transact(body)
        result: dict[str, Any] = {"Responses": responses, "UnprocessedKeys": unprocessed}
        wanted = params.get("ReturnConsumedCapacity")
        if wanted in ("TOTAL", "INDEXES"):
            result["ConsumedCapacity"] = [meter.report(wanted) for meter in meters]
        return result

    async def write(self, context: RequestContext, params: Params) -> Result:
        """BatchWriteItem. Here all of it is done, in one transaction."""
        requests: dict[str, list[dict[str, Any]]] = params["RequestItems"]
        plans: list[tuple[str, str, list[Plan]]] = []
        for given, writes in requests.items():
            name = table_name(context, given)
            plans.append((given, name, [_plan_write(write) for write in writes]))
        if sum(len(writes) for _, _, writes in plans) > MAX_WRITES:
            raise invalid("Too many items requested for the BatchWriteItem call")

        async def body(tx: Transaction) -> tuple[Statistics, list[Meter], dict[str, Any]]:
            statistics, meters = Statistics(), []
            collections: dict[str, Any] = {}
            for given, name, writes in plans:
                table = await load_table(tx, context.account, context.region, name)
                meter = Meter(table)
                meters.append(meter)
                for plan in writes:
                    keys.check_has_key(table.key, plan.item)
                located = [(plan.locate(table), plan) for plan in writes]
                if len({where for where, _ in located}) != len(located):
                    raise invalid(_DUPLICATES)
                for where, plan in located:
                    await plan.run(tx, table, where, statistics, meter)
                    metrics = collection_metrics(table, plan.item)
                    known = collections.setdefault(given, []) if metrics else []
                    if metrics and metrics not in known:
                        known.append(metrics)
            return statistics, meters, collections

        statistics, meters, collections = await self._store.transact(body)
        self._ledger.add(statistics)
        result: dict[str, Any] = {"UnprocessedItems": {}}
        wanted = params.get("ReturnConsumedCapacity")
        if wanted in ("TOTAL", "INDEXES"):
            result["ConsumedCapacity"] = [meter.report(wanted) for meter in meters]
        if params.get("ReturnItemCollectionMetrics") == "SIZE" and collections:
            result["ItemCollectionMetrics"] = collections
        return result


def _check_mixing(requests: Iterable[dict[str, Any]]) -> None:
    """Refuse old-style parameters beside expressions, in one table's request or in two."""
    given: dict[str, Any] = {}
    for request in requests:
        given |= {name: value for name, value in request.items() if value is not None}
    check_mixing(given, ("AttributesToGet",), ("ProjectionExpression",))


def _plan_gets(context: RequestContext, given: str, request: dict[str, Any]) -> _Gets:
    name = table_name(context, given)
    expressions = Expressions(request, ("ProjectionExpression",))
    cleaned = [clean_item(key) for key in request["Keys"]]
    project = projector(request, expressions)
    expressions.finish()
    if any(key in cleaned[:number] for number, key in enumerate(cleaned)):
        raise invalid(_DUPLICATES)
    return _Gets(given, name, request, cleaned, project, request.get("ConsistentRead") is True)


def _plan_write(request: dict[str, Any]) -> Plan:
    put, delete = request.get("PutRequest"), request.get("DeleteRequest")
    if put is not None and delete is not None:
        raise invalid(CROWDED)
    if put is not None:
        return plan_put(put)
    if delete is not None:
        return plan_delete(delete)
    raise invalid(EMPTY)
