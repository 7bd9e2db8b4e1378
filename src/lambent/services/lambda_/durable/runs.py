"""Invokes functions for their executions: a source and a policy of the delivery engine.

A run begins in the transaction that claims it, which makes the invocation's payload and its
first checkpoint token, and ends in the one that settles it. In between nothing is held: what
the invocation achieves, it checkpoints. A run whose node died is claimed again when its lease
ends, as the next invocation; the old one's token is good for nothing then.

Source: Lambda Developer Guide, "Lambda durable functions" (replay); the payload and what
comes back are as AWS's client library (aws-durable-execution-sdk-python) reads and gives them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from lambent.core.arns import Arn
from lambent.core.errors import AwsError
from lambent.core.ids import Ids
from lambent.events import retry
from lambent.events.contract import Batch, Outcome, Targets
from lambent.events.policy import Attempt, Verdict
from lambent.host.contract import Invocation
from lambent.services.lambda_ import errors
from lambent.services.lambda_.durable import book, ending, machine, naming, output, pausing, shown
from lambent.services.lambda_.durable.book import Book, queue_of
from lambent.services.lambda_.durable.model import (
    FAILED,
    SUCCEEDED,
    Error,
    Key,
    Run,
)
from lambent.services.lambda_.invoking import Runner
from lambent.services.lambda_.names import Reference, from_arn
from lambent.services.lambda_.one_call import LEASE, LOST, MOST_LOST, OneCall
from lambent.services.lambda_.records import find_function_record
from lambent.store.contract import Store, Transaction, Work

MOST_ERRORS = 9
"""How often an execution's invocation may fail, one after the other, before the execution does."""

_FIRST_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Ticket:
    """A claimed run: which invocation of which execution, or which chained invocation."""

    id: int
    token: int
    key: Key
    run: Run
    number: int
    invocation: Invocation
    target: Reference
    lost: int
    outcome: Outcome | None = None


class RunSource:
    """What a function is to be invoked for, as a source; the ARN is the function's own."""

    def __init__(self, store: Store, ids: Ids, targets: Targets) -> None:
        self._store = store
        self._ids = ids
        self._targets = targets

    async def claim(self, tx: Transaction, arn: Arn, limit: int, lease: float | None) -> Batch:
        queue = _queue(arn)
        tickets: list[Ticket] = []
        if await find_function_record(tx, from_arn(arn)) is None:
            return Batch((), (), ())  # what it left is being removed
        for work in await tx.claim(queue, limit, LEASE if lease is None else lease):
            ticket = await self._begin(tx, from_arn(arn), work)
            if ticket is None:
                await tx.settle(queue, work.id, work.token)
            else:
                tickets.append(ticket)
        return Batch(
            [{"ticket": ticket} for ticket in tickets],
            [ticket.invocation.request_id for ticket in tickets],
            tickets,
        )

    async def settle(self, tx: Transaction, arn: Arn, tickets: Sequence[Ticket]) -> None:
        for ticket in tickets:
            # What a newer claim has overtaken is that one's business.
            if await tx.settle(_queue(arn), ticket.id, ticket.token):
                await self._conclude(tx, ticket)

    async def fail(
        self, tx: Transaction, arn: Arn, tickets: Sequence[Ticket], delay: float | None
    ) -> None:
        queue = _queue(arn)
        for ticket in tickets:
            payload = msgspec.msgpack.encode(ticket.run)
            if not await tx.rewrite(queue, ticket.id, ticket.token, payload):
                continue
            if delay is not None:
                await tx.release(queue, ticket.id, ticket.token, delay)
            opened = await Book.open(tx, ticket.key)
            if opened is not None and self._current(opened, ticket):
                _tell_invoked(opened, ticket)
                await opened.close()

    async def extend(
        self, tx: Transaction, arn: Arn, tickets: Sequence[Ticket], lease: float
    ) -> None:
        for ticket in tickets:
            await tx.extend(_queue(arn), ticket.id, ticket.token, lease)

    def arrived(self, arn: Arn) -> asyncio.Event:
        return self._store.work_arrived(_queue(arn))

    async def next_due(self, tx: Transaction, arn: Arn) -> float | None:
        if await find_function_record(tx, from_arn(arn)) is None:
            return None
        return await tx.next_due(_queue(arn))

    async def describe(self, tx: Transaction, arn: Arn) -> Mapping[str, Any]:
        return {}

    async def _begin(self, tx: Transaction, function: Reference, work: Work) -> Ticket | None:
        """What is to be called for a claimed item; None when there is nothing to do any more."""
        run = msgspec.msgpack.decode(work.payload, type=Run)
        key = Key(function.account, function.region, function.name, run.id)
        opened = await Book.open(tx, key)
        if opened is None or opened.execution.over:
            return None
        execution = opened.execution
        lost = max(work.attempts - 1 - run.errors - run.throttles, 0)
        if run.operation is not None:
            one = await opened.operation(run.operation)
            if one is None or one.status != "STARTED" or one.function is None:
                return None
            target = from_arn(Arn.parse(one.function))
            payload = (one.input or "{}").encode()
        else:
            if pausing.asked_for(opened):
                pausing.begin(opened)
                execution.active, execution.stirred = False, True
                await opened.close()
                return None
            execution.run += 1
            execution.checkpoint, execution.told = 0, None
            execution.stirred, execution.invoked = False, tx.now
            target = replace(function, qualifier=execution.version)
            payload = await _payload(opened)
            await opened.close()
        invocation = Invocation(
            self._ids.uuid(), payload, execution.trace, retries=run.errors + run.throttles + lost
        )
        return Ticket(work.id, work.token, key, run, execution.run, invocation, target, lost)

    @staticmethod
    def _current(opened: Book, ticket: Ticket) -> bool:
        """Whether the ticket's invocation is the execution's own, and its latest."""
        execution = opened.execution
        return (
            ticket.run.operation is None and not execution.over and execution.run == ticket.number
        )

    async def _conclude(self, tx: Transaction, ticket: Ticket) -> None:
        opened = await Book.open(tx, ticket.key)
        if opened is None or opened.execution.over:
            return
        outcome = ticket.outcome
        assert outcome is not None, "the policy gives each ticket that is done its outcome"
        if ticket.run.operation is not None:
            await self._answer(opened, ticket.run.operation, outcome)
        elif self._current(opened, ticket):
            _tell_invoked(opened, ticket)
            await self._go_on(opened, outcome)
        await opened.close()

    async def _answer(self, opened: Book, operation: str, outcome: Outcome) -> None:
        """A chained invocation of an ordinary function is over."""
        one = await opened.operation(operation)
        if one is None or one.status != "STARTED":
            return
        now = opened.tx.now
        if outcome.error is None:
            result = outcome.payload.decode(errors="replace")
            change = machine.completed(one, SUCCEEDED, now, result=result)
        else:
            change = machine.completed(one, FAILED, now, error=output.fault(outcome))
        await opened.complete(change)

    async def _go_on(self, opened: Book, outcome: Outcome) -> None:
        """What follows from an invocation that is over."""
        execution = opened.execution
        said = output.read(outcome)
        if said.status != output.PENDING:
            result, error = said.result, said.error
            await ending.end(opened, self._targets, said.status, result=result, error=error)
        elif pausing.asked_for(opened):
            pausing.begin(opened)
            execution.active = False
        elif execution.stirred:
            await opened.run()
        elif execution.waiting:
            execution.active = False
        else:
            error = output.invalid("Cannot return PENDING status with no pending operations.")
            await ending.end(opened, self._targets, FAILED, error=error)


class RunPolicy(OneCall):
    """One invocation per call; what its outcome means for the run."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def encode(self, record: Mapping[str, Any]) -> bytes:
        """The invocation's payload."""
        ticket: Ticket = record["ticket"]
        return ticket.invocation.payload

    async def call(self, batch: Batch, parts: Sequence[bytes]) -> Outcome:
        """Invoke the function."""
        ticket: Ticket = batch.tickets[0]
        if ticket.lost >= MOST_LOST:
            return LOST
        try:
            invoked = await self._runner.invoke(ticket.target, ticket.invocation)
        except AwsError as error:
            kind = "Throttled" if error.code == "TooManyRequestsException" else "Failed"
            final = error.code in errors.FINAL
            return Outcome(b"", kind, retryable=not final, message=error.message, code=error.code)
        result = invoked.result
        return Outcome(result.payload, result.error, version=invoked.version)

    def judge(self, attempt: Attempt) -> Verdict:
        """Settle, or try again later."""
        return judge(attempt.batch.tickets[0], attempt.outcome)


def judge(ticket: Ticket, outcome: Outcome) -> Verdict:
    """What becomes of a run. Invocations that fail are made again from the last checkpoint,
    after 1, 2, 4 … seconds, `MOST_ERRORS` times at most; what had no place, until it has one.
    An ordinary function that is invoked in a chain is invoked once."""
    run = ticket.run
    done = Verdict(done=[replace(ticket, outcome=outcome)], healthy=outcome.error != "Throttled")
    if outcome.error is None or not outcome.retryable:
        return done
    if outcome.error in ("Throttled", "Failed"):
        run = msgspec.structs.replace(run, throttles=run.throttles + 1)
        delay = retry.after_system_error(run.throttles)
    else:
        run = msgspec.structs.replace(run, errors=run.errors + 1)
        delay = retry.after_system_error(run.errors)
        if run.operation is not None or run.errors >= MOST_ERRORS:
            return done
    again = replace(ticket, run=run, outcome=outcome)
    return Verdict(again=[(again, delay)], healthy=outcome.error not in ("Throttled", "Failed"))


async def _payload(opened: Book) -> bytes:
    """What the function is invoked with: the state as it is, as far as it fits."""
    key, execution = opened.key, opened.execution
    every = shown.visible(await book.operations(opened.tx, key))
    first = shown.page(every, 0, _FIRST_PAGE)
    state = {"Operations": shown.for_function(first["Operations"])}
    if "NextMarker" in first:
        state["NextMarker"] = first["NextMarker"]
    unseen, execution.unseen = list(dict.fromkeys(execution.unseen)), []
    return msgspec.json.encode(
        {
            "DurableExecutionArn": naming.arn(key, execution),
            "CheckpointToken": naming.checkpoint_token(execution),
            "InitialExecutionState": state,
            "UpdatedOperationIds": unseen,
        }
    )


def _tell_invoked(opened: Book, ticket: Ticket) -> None:
    outcome = ticket.outcome
    details: dict[str, Any] = {
        "StartTimestamp": opened.execution.invoked,
        "EndTimestamp": opened.tx.now,
        "RequestId": ticket.invocation.request_id,
    }
    error: Error | None = None
    if outcome is not None and outcome.error is not None:
        error = output.fault(outcome)
        details["Error"] = machine.shown_error(error)
    opened.tell("InvocationCompleted", details)


def _queue(arn: Arn) -> str:
    reference = from_arn(arn)
    return queue_of(reference.account, reference.region, reference.name)
