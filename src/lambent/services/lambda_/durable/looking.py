"""Showing executions: one, its history, and those of a function.

Source: Lambda API Reference, GetDurableExecution, GetDurableExecutionHistory and
ListDurableExecutionsByFunction.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec

from lambent.core.context import Params, RequestContext, Result
from lambent.services.lambda_ import errors, names, records
from lambent.services.lambda_.base import Base
from lambent.services.lambda_.durable import book, naming, shown
from lambent.services.lambda_.durable.model import EXECUTIONS, Execution, Key
from lambent.services.lambda_.names import Reference
from lambent.store.contract import LogEntry, Record, Transaction

_LISTED = 100
_MOST_LISTED = 1000
_SCANNED = 500


class LookingOperations(Base):
    """What can be seen of executions."""

    async def get_durable_execution(self, context: RequestContext, params: Params) -> Result:
        """GetDurableExecution."""
        data = params.get("IncludeExecutionData") is not False

        async def body(tx: Transaction) -> dict[str, Any]:
            key, execution = await _find(tx, context, params)
            if not data:
                return shown.described(key, execution, None, None, data)
            told = await book.datum(tx, key, "input"), await book.datum(tx, key, "result")
            return shown.described(key, execution, *told, data)

        return await self._store.transact(body)

    async def get_durable_execution_history(
        self, context: RequestContext, params: Params
    ) -> Result:
        """GetDurableExecutionHistory."""
        data = params.get("IncludeExecutionData") is not False
        backwards = bool(params.get("ReverseOrder"))
        most = _most(params)
        marker = params.get("Marker")
        if marker and not marker.isdigit():
            raise errors.invalid("Invalid marker provided.")

        async def body(tx: Transaction) -> dict[str, Any]:
            key, _ = await _find(tx, context, params)
            log = key.history
            if backwards:
                before = int(marker) if marker else None
                found = await tx.tail(log, before=before, limit=most + 1)
            else:
                after = int(marker or 0)
                found = await tx.read(log, after=after, limit=most + 1, max_bytes=shown.PAGE_BYTES)
            answer: dict[str, Any] = {"Events": [_event(each, data) for each in found[:most]]}
            if len(found) > most:
                answer["NextMarker"] = str(found[most - 1].position)
            elif found and not backwards and await tx.read(log, after=found[-1].position, limit=1):
                answer["NextMarker"] = str(found[-1].position)
            return answer

        return await self._store.transact(body)

    async def list_durable_executions_by_function(
        self, context: RequestContext, params: Params
    ) -> Result:
        """ListDurableExecutionsByFunction."""
        reference = names.parse(
            context,
            params["FunctionName"],
            params.get("Qualifier"),
            "ListDurableExecutionsByFunction",
        )
        most = _most(params)
        forwards = bool(params.get("ReverseOrder"))
        after = _after(params.get("Marker"))
        start, end = _bounds(params, after, forwards)

        async def body(tx: Transaction) -> dict[str, Any]:
            await records.get_function(tx, reference)
            first = Key(reference.account, reference.region, reference.name, "")
            found: list[Execution] = []
            low, high = start, end
            while len(found) <= most:
                scanned = await tx.scan(
                    EXECUTIONS,
                    first.owner,
                    start=low,
                    end=high,
                    reverse=not forwards,
                    limit=_SCANNED,
                )
                found += _wanted(scanned, reference, params)
                if len(scanned) < _SCANNED:
                    break
                if forwards:
                    low = scanned[-1].sort + b"\0"
                else:
                    high = scanned[-1].sort
            answer: dict[str, Any] = {
                "DurableExecutions": [
                    shown.listed(msgspec.structs.replace(first, id=one.id), one)
                    for one in found[:most]
                ]
            }
            if len(found) > most:
                last = found[most - 1].id.encode()
                answer["NextMarker"] = base64.urlsafe_b64encode(last).decode()
            return answer

        return await self._store.transact(body)


def _wanted(scanned: list[Record], reference: Reference, params: Params) -> list[Execution]:
    """The executions that the caller's filters let through."""
    statuses, name = params.get("Statuses"), params.get("DurableExecutionName")
    qualifier = reference.qualifier
    found = []
    for record in scanned:
        one = book.decode(record, Execution)
        if statuses and one.status not in statuses:
            continue
        if name is not None and one.name != name:
            continue
        if qualifier is not None and qualifier not in (one.version, one.qualifier):
            continue
        found.append(one)
    return found


def _bounds(params: Params, after: bytes | None, forwards: bool) -> tuple[bytes, bytes | None]:
    """From and until which ids to look."""
    started, before = params.get("StartedAfter"), params.get("StartedBefore")
    start = naming.bound(started + 0.001) if started is not None else b""
    end = naming.bound(before) if before is not None else None
    if after is not None and forwards:
        start = max(start, after + b"\0")
    elif after is not None:
        end = after if end is None else min(end, after)
    return start, end


def _after(marker: str | None) -> bytes | None:
    if not marker:
        return None
    try:
        return base64.urlsafe_b64decode(marker.encode())
    except (ValueError, binascii.Error):
        raise errors.invalid("Invalid marker provided.") from None


def _event(entry: LogEntry, data: bool) -> dict[str, Any]:
    return shown.event(msgspec.msgpack.decode(entry.value), entry.time, data)


def _most(params: Params) -> int:
    return min(params.get("MaxItems") or _LISTED, _MOST_LISTED)


async def _find(tx: Transaction, context: RequestContext, params: Params) -> tuple[Key, Execution]:
    key = naming.parse(context, params["DurableExecutionArn"])
    execution = await book.find(tx, key)
    if execution is None or naming.arn(key, execution) != params["DurableExecutionArn"]:
        raise naming.not_found(params["DurableExecutionArn"])
    return key, execution
