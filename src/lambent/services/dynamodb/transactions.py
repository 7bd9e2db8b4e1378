"""TransactWriteItems and TransactGetItems: all or nothing, in one store transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.services.dynamodb import capacity, keys
from lambent.services.dynamodb.capacity import Meter
from lambent.services.dynamodb.changes import read_item
from lambent.services.dynamodb.errors import EmptyKey, invalid
from lambent.services.dynamodb.expressions.request import Expressions
from lambent.services.dynamodb.items import collection_metrics, projector
from lambent.services.dynamodb.keys import StoreKey
from lambent.services.dynamodb.model import Table, load_table
from lambent.services.dynamodb.parameters import table_name
from lambent.services.dynamodb.statistics import Ledger, Statistics
from lambent.services.dynamodb.tokens import Token
from lambent.services.dynamodb.values import clean_item, item_size
from lambent.services.dynamodb.writes import (
    Plan,
    Put,
    plan_check,
    plan_delete,
    plan_put,
    plan_update,
)
from lambent.store.contract import Store, Transaction

MAX_BYTES = 4 * 1024 * 1024
_KINDS = ("ConditionCheck", "Put", "Delete", "Update")
_NO_REASON: Mapping[str, Any] = {"Code": "None"}
_TWICE = "Transaction request cannot include multiple operations on one item"


def cancelled(reasons: Sequence[Mapping[str, Any]]) -> AwsError:
    """TransactionCanceledException with a reason for each member."""
    codes = ", ".join(reason["Code"] for reason in reasons)
    return AwsError(
        "TransactionCanceledException",
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
        400,
        members={"CancellationReasons": [dict(reason) for reason in reasons]},
    )


def _reason(error: AwsError) -> Mapping[str, Any] | None:
    """Why a member fails; None for errors that are the whole request's."""
    if error.code == "ConditionalCheckFailedException":
        return {"Code": "ConditionalCheckFailed", "Message": error.message, **error.members}
    if error.code == "ValidationException":
        return {"Code": "ValidationError", "Message": error.message}
    return None


class Member(NamedTuple):
    """One write of a transaction."""

    name: str
    plan: Plan


class Done(NamedTuple):
    """What the writes of a transaction counted, consumed and touched."""

    statistics: Statistics
    meters: dict[str, Meter]
    collections: dict[str, Any]


class Transactions:
    """Operations on many items that succeed or fail together."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger

    async def write(self, context: RequestContext, params: Params) -> Result:
        """TransactWriteItems."""
        members = [_member(context, given) for given in params["TransactItems"]]
        _check_size(members)
        token = Token(params)

        async def body(tx: Transaction) -> Done:
            if await token.done_before(tx, context):
                return await replayed(tx, context, members)
            done = await run_members(tx, context, members)
            await token.note(tx, context)
            return done

        done = await self._store.transact(body)
        self._ledger.add(done.statistics)
        result: dict[str, Any] = {}
        wanted = params.get("ReturnConsumedCapacity")
        if wanted in ("TOTAL", "INDEXES"):
            result["ConsumedCapacity"] = [
                meter.report(wanted, split=True) for meter in done.meters.values()
            ]
        if params.get("ReturnItemCollectionMetrics") == "SIZE" and done.collections:
            result["ItemCollectionMetrics"] = done.collections
        return result

    async def get(self, context: RequestContext, params: Params) -> Result:
        """TransactGetItems."""
        plans = []
        for given in params["TransactItems"]:
            get = given["Get"]
            expressions = Expressions(get, ("ProjectionExpression",))
            key = clean_item(get["Key"])
            project = projector(get, expressions)
            expressions.finish()
            plans.append((table_name(context, get["TableName"]), key, project))

        async def body(tx: Transaction) -> tuple[list[dict[str, Any]], dict[str, Meter]]:
            meters: dict[str, Meter] = {}
            located: list[tuple[Table, StoreKey]] = []
            reasons: list[Mapping[str, Any]] = []
            for name, key, _ in plans:
                table = await load_table(tx, context.account, context.region, name)
                try:
                    keys.check_key(table.key, key)
                    located.append((table, keys.store_key(table.key, key)))
                    reasons.append(_NO_REASON)
                except EmptyKey:
                    raise
                except AwsError as error:
                    reasons.append({"Code": "ValidationError", "Message": error.message})
            if any(reason is not _NO_REASON for reason in reasons):
                raise cancelled(reasons)
            if len({(table.id, where) for table, where in located}) != len(located):
                raise invalid(_TWICE)
            responses: list[dict[str, Any]] = []
            for (table, where), (_, _, project) in zip(located, plans, strict=True):
                stored = await read_item(tx, table, where)
                meter = meters.setdefault(table.name, Meter(table))
                meter.read(2 * capacity.read_units(stored.size if stored else 0, True))
                item = stored.item if stored is not None else None
                if item is not None and project is not None:
                    item = project(item)
                responses.append({"Item": item} if item else {})
            return responses, meters

        responses, meters = await self._store.transact(body)
        result: dict[str, Any] = {"Responses": responses}
        wanted = params.get("ReturnConsumedCapacity")
        if wanted in ("TOTAL", "INDEXES"):
            result["ConsumedCapacity"] = [
                meter.report(wanted, split=True) for meter in meters.values()
            ]
        return result


def _check_size(members: Sequence[Member]) -> None:
    """Raise when the items and keys that are sent are too much for one transaction."""
    total = sum(plan.size if isinstance(plan, Put) else item_size(plan.item) for _, plan in members)
    if total > MAX_BYTES:
        raise invalid(
            f"Transaction request size has exceeded the maximum allowed size of {MAX_BYTES} bytes"
        )


def _member(context: RequestContext, given: Mapping[str, Any]) -> Member:
    kinds = [kind for kind in _KINDS if given.get(kind) is not None]
    if len(kinds) != 1:
        raise invalid("TransactItems can only contain one of Check, Put, Update or Delete")
    request: dict[str, Any] = given[kinds[0]]
    plan: Plan
    match kinds[0]:
        case "Put":
            plan = plan_put(request)
        case "Delete":
            plan = plan_delete(request)
        case "Update":
            plan = plan_update(request)
        case _:
            plan = plan_check(request)
    return Member(table_name(context, request["TableName"]), plan)


async def run_members(tx: Transaction, context: RequestContext, members: Sequence[Member]) -> Done:
    """Carry the writes out; TransactionCanceledException when any of them fails."""
    statistics = Statistics()
    meters: dict[str, Meter] = {}
    collections: dict[str, list[Any]] = {}
    located: list[tuple[Table, StoreKey | None]] = []
    reasons: list[Mapping[str, Any]] = []
    for name, plan in members:
        table = await load_table(tx, context.account, context.region, name)
        meters.setdefault(table.name, Meter(table))
        try:
            located.append((table, plan.locate(table)))
            reasons.append(_NO_REASON)
        except EmptyKey:
            raise
        except AwsError as error:
            located.append((table, None))
            reasons.append({"Code": "ValidationError", "Message": error.message})
    wheres = [(table.id, where) for table, where in located if where is not None]
    if len(set(wheres)) != len(wheres):
        raise invalid(_TWICE)
    for number, ((table, where), member) in enumerate(zip(located, members, strict=True)):
        if where is None:
            continue
        try:
            meter = meters[table.name]
            await member.plan.run(tx, table, where, statistics, meter, factor=2)
        except AwsError as error:
            reason = _reason(error)
            if reason is None:
                raise
            reasons[number] = reason
            continue
        metrics = collection_metrics(table, member.plan.item)
        if metrics and metrics not in collections.setdefault(table.name, []):
            collections[table.name].append(metrics)
    if any(reason is not _NO_REASON for reason in reasons):
        raise cancelled(reasons)
    return Done(statistics, meters, collections)


async def replayed(tx: Transaction, context: RequestContext, members: Sequence[Member]) -> Done:
    """A repetition changes nothing and costs reads."""
    meters: dict[str, Meter] = {}
    for name, plan in members:
        table = await load_table(tx, context.account, context.region, name)
        stored = await read_item(tx, table, plan.locate(table))
        meter = meters.setdefault(table.name, Meter(table))
        meter.read(2 * capacity.read_units(stored.size if stored else 0, True))
    return Done(Statistics(), meters, {})
