"""ExecuteStatement, BatchExecuteStatement and ExecuteTransaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.services.dynamodb import capacity
from lambent.services.dynamodb.capacity import Meter
from lambent.services.dynamodb.errors import invalid
from lambent.services.dynamodb.items import returned
from lambent.services.dynamodb.model import load_table
from lambent.services.dynamodb.parameters import table_name
from lambent.services.dynamodb.partiql.parser import parse
from lambent.services.dynamodb.partiql.plans import plan
from lambent.services.dynamodb.partiql.selection import get_named, select_page
from lambent.services.dynamodb.partiql.statements import (
    Delete,
    Exists,
    Insert,
    Select,
    Statement,
    Update,
)
from lambent.services.dynamodb.statistics import Ledger, Statistics
from lambent.services.dynamodb.tokens import Token
from lambent.services.dynamodb.transactions import Done, Member, cancelled, replayed, run_members
from lambent.services.dynamodb.writes import Change, Plan
from lambent.store.contract import Store, Transaction

_NO_REASON: Mapping[str, Any] = {"Code": "None"}
_BATCH_CODES = {
    "ConditionalCheckFailedException": "ConditionalCheckFailed",
    "DuplicateItemException": "DuplicateItem",
    "ResourceNotFoundException": "ResourceNotFound",
    "ValidationException": "ValidationError",
}
_DUPLICATE = "Duplicate primary key exists in table"


class PartiQL:
    """The operations that take statements."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger

    async def execute(self, context: RequestContext, params: Params) -> Result:
        """ExecuteStatement."""
        statement = parse(params["Statement"], params.get("Parameters") or ())
        wanted = params.get("ReturnConsumedCapacity")
        return await self._run(context, statement, params, wanted)

    async def _run(
        self,
        context: RequestContext,
        statement: Statement,
        params: Mapping[str, Any],
        wanted: str | None,
    ) -> dict[str, Any]:
        if isinstance(statement, Select):

            async def read(tx: Transaction) -> dict[str, Any]:
                return await select_page(tx, context, statement, params)

            return await self._store.transact(read)
        if isinstance(statement, Exists):
            raise invalid("EXISTS can only be used in a transaction")
        name = table_name(context, statement.table)

        async def write(tx: Transaction) -> tuple[Plan, Change, Statistics, Meter]:
            table = await load_table(tx, context.account, context.region, name)
            statistics, meter = Statistics(), Meter(table)
            planned = plan(statement, table, give_old=_gives_old(params))
            where = planned.locate(table)
            change = await planned.run(tx, table, where, statistics, meter)
            return planned, change, statistics, meter

        try:
            planned, change, statistics, meter = await self._store.transact(write)
        except AwsError as error:
            if isinstance(statement, Insert) and error.code == "ConditionalCheckFailedException":
                raise _duplicate(error) from None
            raise
        self._ledger.add(statistics)
        given = None
        if isinstance(statement, Update | Delete):
            given = returned(statement.returning, planned, change)
        return {
            "Items": [given] if given else [],
            "ConsumedCapacity": meter.report(wanted),
        }

    async def batch(self, context: RequestContext, params: Params) -> Result:
        """BatchExecuteStatement: each statement stands or fails by itself."""
        responses: list[dict[str, Any]] = []
        reports: list[Any] = []
        for each in params["Statements"]:
            answer: dict[str, Any] = {}
            try:
                statement = parse(each["Statement"], each.get("Parameters") or ())
                answer["TableName"] = statement.table
                answer |= await self._one(context, statement, each, params, reports)
            except AwsError as error:
                code = _BATCH_CODES.get(error.code)
                if code is None:
                    raise
                answer["Error"] = {"Code": code, "Message": error.message, **error.members}
            responses.append(answer)
        result: dict[str, Any] = {"Responses": responses}
        if params.get("ReturnConsumedCapacity") in ("TOTAL", "INDEXES"):
            result["ConsumedCapacity"] = reports
        return result

    async def _one(
        self,
        context: RequestContext,
        statement: Statement,
        given: Mapping[str, Any],
        params: Params,
        reports: list[Any],
    ) -> dict[str, Any]:
        wanted = params.get("ReturnConsumedCapacity")
        if isinstance(statement, Select):

            async def read(tx: Transaction) -> tuple[Any, Meter]:
                found = await get_named(tx, context, statement)
                meter = Meter(found.table)
                consistent = given.get("ConsistentRead") is True
                meter.read(capacity.read_units(found.size, consistent))
                return found.item, meter

            item, meter = await self._store.transact(read)
            reports.append(meter.report(wanted))
            return {} if item is None else {"Item": item}
        answer = await self._run(context, statement, given, wanted)
        reports.append(answer["ConsumedCapacity"])
        return {"Item": answer["Items"][0]} if answer["Items"] else {}

    async def transact(self, context: RequestContext, params: Params) -> Result:
        """ExecuteTransaction: only reads, or only writes and checks."""
        statements = [
            parse(each["Statement"], each.get("Parameters") or ())
            for each in params["TransactStatements"]
        ]
        if any(isinstance(each, Update | Delete) and each.returning for each in statements):
            raise invalid("RETURNING is not supported in a transaction")
        reads = [each for each in statements if isinstance(each, Select)]
        writes = [each for each in statements if not isinstance(each, Select)]
        if reads and writes:
            raise invalid("Transaction cannot contain both read and write operations")
        wanted = params.get("ReturnConsumedCapacity")
        if reads:
            responses, meters = await self._transact_reads(context, reads)
        else:
            meters = await self._transact_writes(context, writes, params)
            responses = [{} for _ in writes]
        result: dict[str, Any] = {"Responses": responses}
        if wanted in ("TOTAL", "INDEXES"):
            result["ConsumedCapacity"] = [
                meter.report(wanted, split=True) for meter in meters.values()
            ]
        return result

    async def _transact_reads(
        self, context: RequestContext, statements: Sequence[Select]
    ) -> tuple[list[dict[str, Any]], dict[str, Meter]]:
        async def body(tx: Transaction) -> tuple[list[dict[str, Any]], dict[str, Meter]]:
            meters: dict[str, Meter] = {}
            responses: list[dict[str, Any]] = []
            for statement in statements:
                found = await get_named(tx, context, statement)
                meter = meters.setdefault(found.table.name, Meter(found.table))
                meter.read(2 * capacity.read_units(found.size, True))
                responses.append({} if found.item is None else {"Item": found.item})
            return responses, meters

        return await self._store.transact(body)

    async def _transact_writes(
        self,
        context: RequestContext,
        statements: Sequence[Insert | Update | Delete | Exists],
        params: Params,
    ) -> dict[str, Meter]:
        token = Token(params)
        given = params["TransactStatements"]

        async def body(tx: Transaction) -> Done:
            members: list[Member] = []
            reasons: list[Mapping[str, Any]] = []
            for statement, each in zip(statements, given, strict=True):
                name = table_name(context, statement.table)
                table = await load_table(tx, context.account, context.region, name)
                try:
                    planned = plan(statement, table, give_old=_gives_old(each))
                    members.append(Member(name, planned))
                    reasons.append(_NO_REASON)
                except AwsError as error:
                    reasons.append({"Code": "ValidationError", "Message": error.message})
            if any(reason is not _NO_REASON for reason in reasons):
                raise cancelled(reasons)
            if await token.done_before(tx, context):
                return await replayed(tx, context, members)
            done = await run_members(tx, context, members)
            await token.note(tx, context)
            return done

        try:
            done = await self._store.transact(body)
        except AwsError as error:
            raise _with_duplicates(error, statements) from None
        self._ledger.add(done.statistics)
        return done.meters


def _gives_old(params: Mapping[str, Any]) -> bool:
    return params.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"


def _duplicate(error: AwsError) -> AwsError:
    """An INSERT's failed condition under its own name."""
    return AwsError("DuplicateItemException", _DUPLICATE, 400, members=error.members)


def _with_duplicates(error: AwsError, statements: Sequence[Statement]) -> AwsError:
    """An INSERT of an item that is there is called a duplicate, not a failed condition."""
    reasons = error.members.get("CancellationReasons")
    if reasons is None:
        return error
    return cancelled(
        [
            {**reason, "Code": "DuplicateItem", "Message": _DUPLICATE}
            if isinstance(statement, Insert) and reason["Code"] == "ConditionalCheckFailed"
            else reason
            for statement, reason in zip(statements, reasons, strict=True)
        ]
    )
