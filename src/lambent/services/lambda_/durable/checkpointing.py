"""What a running function tells of its operations, and asks of them.

A checkpoint is one transaction: the token, every update, what becomes due of them, and the
history. Its token is good for one checkpoint of one invocation, so that an invocation that was
overtaken (its node was thought lost) changes nothing any more.

Source: Lambda API Reference, CheckpointDurableExecution and GetDurableExecutionState.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from msgspec import structs

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.services.lambda_ import errors, names, records
from lambent.services.lambda_.base import Base
from lambent.services.lambda_.durable import (
    book,
    checks,
    config,
    ending,
    machine,
    naming,
    pausing,
    shown,
    starting,
)
from lambent.services.lambda_.durable.book import Book
from lambent.services.lambda_.durable.machine import Change
from lambent.services.lambda_.durable.model import (
    FAILED,
    PAUSED,
    PAUSING,
    SUCCEEDED,
    Chained,
    Run,
    Told,
)
from lambent.services.lambda_.durable.starting import Wanted
from lambent.services.lambda_.names import Reference
from lambent.store.contract import Transaction

_LISTED = 100
_MOST_LISTED = 1000


class CheckpointOperations(Base):
    """CheckpointDurableExecution and GetDurableExecutionState."""

    async def checkpoint_durable_execution(self, context: RequestContext, params: Params) -> Result:
        """CheckpointDurableExecution."""
        key = naming.parse(context, params["DurableExecutionArn"])
        token, client_token = params["CheckpointToken"], params.get("ClientToken")
        updates: Sequence[Mapping[str, Any]] = params.get("Updates") or ()

        async def body(tx: Transaction) -> dict[str, Any]:
            opened = await Book.open(tx, key)
            if opened is None:
                raise _stale()
            execution = opened.execution
            told = execution.told
            if told and told.token == token and client_token and told.client_token == client_token:
                return await _answer(opened, told.operations)  # the answer was lost
            _check_token(opened, token)
            for update in updates:
                await self._apply(context, opened, update)
                if execution.over:
                    break
            heard = list(dict.fromkeys([*opened.changed, *execution.unseen]))
            execution.unseen = []
            execution.checkpoint += 1
            execution.told = Told(token, client_token, heard)
            if execution.status == PAUSING:
                # Without a token the function ends its invocation, to be invoked again.
                execution.stirred = True
                pausing.begin(opened)
            await opened.close()
            return await _answer(opened, heard)

        return await self._store.transact(body)

    async def get_durable_execution_state(self, context: RequestContext, params: Params) -> Result:
        """GetDurableExecutionState."""
        key = naming.parse(context, params["DurableExecutionArn"])
        marker = params.get("Marker")
        if marker and not marker.isdigit():
            raise errors.invalid("Invalid marker provided.")
        most = min(params.get("MaxItems") or _LISTED, _MOST_LISTED)

        async def body(tx: Transaction) -> dict[str, Any]:
            opened = await Book.open(tx, key)
            if opened is None:
                raise _stale()
            _check_token(opened, params["CheckpointToken"])
            every = shown.visible(await book.operations(tx, key))
            return shown.page(every, int(marker or 0), most)

        return await self._store.transact(body)

    async def _apply(
        self, context: RequestContext, opened: Book, update: Mapping[str, Any]
    ) -> None:
        execution, now = opened.execution, opened.tx.now
        present = await opened.operation(update["Id"])
        checks.update(execution, present, update)
        execution.written += checks.size(update)
        if update["Type"] == "EXECUTION":
            await self._end(opened, update)
        elif execution.written > checks.MOST_WRITTEN or (
            present is None and execution.operations >= checks.MOST_OPERATIONS
        ):
            error = {
                "ErrorType": "DurableExecutionLimitExceeded",
                "ErrorMessage": "The durable execution exceeded the limit of "
                f"{checks.MOST_OPERATIONS} operations or {checks.MOST_WRITTEN} bytes.",
            }
            await ending.end(opened, self._platform.targets, FAILED, error=error)
        elif update["Type"] == "CHAINED_INVOKE":
            reference = names.parse(
                context, update["ChainedInvokeOptions"]["FunctionName"], None, "InvokeFunction"
            )
            if present is None:
                trace = update["ChainedInvokeOptions"].get("XAmznTraceId") or execution.trace
                await self._invoke(opened, machine.apply(None, update, now), reference, trace)
        else:
            change = machine.apply(present, update, now)
            if update["Type"] == "CALLBACK" and present is None:
                change = _with_callback(opened, change)
            await opened.change(change)

    async def _end(self, opened: Book, update: Mapping[str, Any]) -> None:
        if update["Action"] == "SUCCEED":
            result = update.get("Payload")
            await ending.end(opened, self._platform.targets, SUCCEEDED, result=result)
        else:
            await ending.end(
                opened, self._platform.targets, FAILED, error=update.get("Error") or {}
            )

    async def _invoke(
        self, opened: Book, change: Change, reference: Reference, trace: str | None
    ) -> None:
        """Begin a chained invocation: another execution, or a call of an ordinary function."""
        tx, one = opened.tx, change.operation
        one = structs.replace(one, function=reference.qualified)
        event = dict(change.event[1]) if change.event else {}
        try:
            function = await records.get_function(tx, reference)
            version = await records.resolve(tx, reference, function, self._ids.random())
            if config.of(version.settings) is None:
                await opened.enqueue(Run(opened.key.id, one.id))
            else:
                starting.check(reference, version, asynchronous=True)
                wanted = Wanted(
                    one.input or "{}",
                    self._ids.uuid(),
                    asynchronous=True,
                    trace=trace,
                    chained=Chained(opened.key, one.id),
                )
                key, child = await starting.start(tx, self._ids, reference, version, wanted)
                event["DurableExecutionArn"] = naming.arn(key, child)
            event["ExecutedVersion"] = version.number
        except AwsError as refused:
            started = await opened.change(Change(one, ("ChainedInvokeStarted", event)))
            error = {"ErrorType": refused.code, "ErrorMessage": refused.message}
            await opened.change(machine.completed(started, "FAILED", tx.now, error=error))
            return
        await opened.change(Change(one, ("ChainedInvokeStarted", event)))


async def _answer(opened: Book, heard: Sequence[str]) -> dict[str, Any]:
    """A checkpoint's answer; without a token when no other may follow."""
    told = [await opened.operation(id) for id in heard]
    operations = [shown.operation(one) for one in told if one is not None]
    answer: dict[str, Any] = {"NewExecutionState": {"Operations": operations}}
    if not opened.execution.over and opened.execution.status != PAUSED:
        answer["CheckpointToken"] = naming.checkpoint_token(opened.execution)
    return answer


def _with_callback(opened: Book, change: Change) -> Change:
    id = naming.callback_id(opened.key, change.operation.id)
    assert change.event is not None
    type, details = change.event
    one = structs.replace(change.operation, callback=id)
    return replace(change, operation=one, event=(type, {"CallbackId": id, **details}))


def _check_token(opened: Book, token: str) -> None:
    execution = opened.execution
    if execution.over or not execution.active or token != naming.checkpoint_token(execution):
        raise _stale()


def _stale() -> AwsError:
    """The client libraries know this message by heart: another invocation goes on."""
    return errors.invalid("Invalid checkpoint token")
