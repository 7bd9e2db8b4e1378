"""Asynchronous invocations: how they wait, how they are tried, how they end.

Each function has a work queue of its own, so that a slow function holds up no other. An
event is accepted in its producer's transaction, claimed under a short lease that is extended
while the function runs (so that a crash is noticed soon), and ends in one transaction with
what its destinations get.

Source: Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous
invocation".
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from lambent.core.arns import Arn
from lambent.core.errors import AwsError
from lambent.events import failures, retry
from lambent.events.contract import Batch, Event, Outcome
from lambent.events.history import NOTHING, History
from lambent.events.policy import Attempt, Verdict
from lambent.host.contract import Invocation
from lambent.services.lambda_ import destinations, errors, lineage, records
from lambent.services.lambda_.invoking import Runner
from lambent.services.lambda_.model import Function
from lambent.services.lambda_.names import LATEST, Reference, from_arn
from lambent.services.lambda_.one_call import LEASE, LOST, MOST_LOST, OneCall
from lambent.store.contract import NewWork, Store, Transaction

MAXIMUM_RETRIES = 2
MAXIMUM_AGE = 21_600


class Waiting(msgspec.Struct, kw_only=True, frozen=True):
    """An accepted event. `errors`, `throttles` and `lost` count how its tries ended."""

    request_id: str
    payload: bytes
    qualifier: str | None = None
    trace: str | None = None
    client_context: bytes | None = None
    errors: int = 0
    throttles: int = 0
    lost: int = 0
    history: History | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What the function's configuration says about failed events, when it was claimed."""

    retries: int
    age: float
    on_success: Arn | None
    on_failure: Arn | None
    dead_letter: Arn | None
    role: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """A claimed event: what is needed to settle it, and to say how it went."""

    id: int
    token: int
    waiting: Waiting
    created: float
    terms: Terms


def queue_of(reference: Reference) -> str:
    """The function's work queue."""
    return f"lambda.async/{reference.account}/{reference.region}/{reference.name}"


async def enqueue(tx: Transaction, reference: Reference, waiting: Waiting) -> None:
    """Accept an event, in the caller's transaction."""
    await tx.enqueue(queue_of(reference), [NewWork(msgspec.msgpack.encode(waiting))])


class AsyncSource:
    """A function's waiting events as a source of the delivery engine; the ARN is the
    function's own."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def claim(self, tx: Transaction, arn: Arn, limit: int, lease: float | None) -> Batch:
        reference = from_arn(arn)
        if await records.find_function_record(tx, reference) is None:
            return Batch((), (), ())  # what it left is being removed
        claimed = await tx.claim(queue_of(reference), limit, LEASE if lease is None else lease)
        if not claimed:
            return Batch((), (), ())
        tickets: list[Ticket] = []
        terms: dict[str | None, Terms] = {}
        for work in claimed:
            waiting = msgspec.msgpack.decode(work.payload, type=Waiting)
            lost = work.attempts - 1 - waiting.errors - waiting.throttles
            waiting = msgspec.structs.replace(waiting, lost=max(lost, 0))
            if waiting.qualifier not in terms:
                terms[waiting.qualifier] = await terms_of(tx, reference, waiting.qualifier)
            tickets.append(
                Ticket(work.id, work.token, waiting, work.created, terms[waiting.qualifier])
            )
        return Batch(
            [{"ticket": ticket} for ticket in tickets],
            [ticket.waiting.request_id for ticket in tickets],
            tickets,
        )

    async def settle(self, tx: Transaction, arn: Arn, tickets: Sequence[Ticket]) -> None:
        queue = queue_of(from_arn(arn))
        for ticket in tickets:
            await tx.settle(queue, ticket.id, ticket.token)

    async def fail(
        self, tx: Transaction, arn: Arn, tickets: Sequence[Ticket], delay: float | None
    ) -> None:
        queue = queue_of(from_arn(arn))
        for ticket in tickets:
            payload = msgspec.msgpack.encode(ticket.waiting)
            if await tx.rewrite(queue, ticket.id, ticket.token, payload) and delay is not None:
                await tx.release(queue, ticket.id, ticket.token, delay)

    async def extend(
        self, tx: Transaction, arn: Arn, tickets: Sequence[Ticket], lease: float
    ) -> None:
        queue = queue_of(from_arn(arn))
        for ticket in tickets:
            await tx.extend(queue, ticket.id, ticket.token, lease)

    def arrived(self, arn: Arn) -> asyncio.Event:
        return self._store.work_arrived(queue_of(from_arn(arn)))

    async def next_due(self, tx: Transaction, arn: Arn) -> float | None:
        reference = from_arn(arn)
        if await records.find_function_record(tx, reference) is None:
            return None
        return await tx.next_due(queue_of(reference))

    async def describe(self, tx: Transaction, arn: Arn) -> Mapping[str, Any]:
        return {}


async def terms_of(tx: Transaction, reference: Reference, qualifier: str | None) -> Terms:
    """What the function's configuration says now of the events of a qualifier."""
    function = await records.find_function(tx, reference)
    config: Mapping[str, Any] = {}
    settings: Mapping[str, Any] = {}
    if function is not None:
        config = function.retries.get(qualifier or LATEST, {})
        settings = await _settings(tx, reference, function, qualifier)
    wanted = config.get("DestinationConfig", {})
    return Terms(
        config.get("MaximumRetryAttempts", MAXIMUM_RETRIES),
        float(config.get("MaximumEventAgeInSeconds", MAXIMUM_AGE)),
        _arn(wanted.get("OnSuccess", {}).get("Destination")),
        _arn(wanted.get("OnFailure", {}).get("Destination")),
        _arn(settings.get("DeadLetterConfig", {}).get("TargetArn")),
        settings.get("Role", ""),
    )


async def _settings(
    tx: Transaction, reference: Reference, function: Function, qualifier: str | None
) -> Mapping[str, Any]:
    """The settings of the version that is meant (the dead-letter queue and the role are its
    own); $LATEST's when that is gone."""
    meant = dataclasses.replace(reference, qualifier=qualifier)
    try:
        version = await records.resolve(tx, meant, function)
    except AwsError:
        version = function.latest
    return version.settings


def _arn(text: str | None) -> Arn | None:
    return Arn.parse(text) if text else None


class AsyncPolicy(OneCall):
    """One event per call; what its outcome means."""

    def __init__(self, reference: Reference, runner: Runner) -> None:
        self._reference = reference
        self._runner = runner

    def encode(self, record: Mapping[str, Any]) -> bytes:
        """The event's payload."""
        ticket: Ticket = record["ticket"]
        return ticket.waiting.payload

    async def call(self, batch: Batch, parts: Sequence[bytes]) -> Outcome:
        """Run the function, unless it is known that it will not be."""
        ticket: Ticket = batch.tickets[0]
        waiting = ticket.waiting
        if waiting.lost >= MOST_LOST:
            return LOST
        reference = Reference(
            self._reference.account,
            self._reference.region,
            self._reference.name,
            waiting.qualifier,
        )
        try:
            resolved = await self._runner.resolve(reference)
            if resolved.function.reserved == 0:
                return Outcome(
                    b"", "Throttled", retryable=False, message=destinations.NO_CONCURRENCY
                )
            invoked = await self._runner.invoke(
                reference,
                Invocation(
                    waiting.request_id,
                    parts[0],
                    waiting.trace,
                    waiting.client_context,
                    retries=waiting.errors + waiting.throttles + waiting.lost,
                ),
                resolved,
            )
        except AwsError as error:
            if error.code == "TooManyRequestsException":
                return Outcome(b"", "Throttled", message=error.message)
            final = error.code in errors.FINAL
            return Outcome(b"", "Failed", retryable=not final, message=error.message)
        return Outcome(
            invoked.result.payload,
            invoked.result.error,
            version=invoked.version,
            request_id=waiting.request_id,
            log=invoked.log_group,
        )

    def judge(self, attempt: Attempt) -> Verdict:
        """Settle, try again later, or end with what the destinations get."""
        ticket: Ticket = attempt.batch.tickets[0]
        return judge(self._reference.arn, ticket, attempt.outcome, attempt.now, attempt.seconds)


def judge(
    function: str, ticket: Ticket, outcome: Outcome, now: float, seconds: float = 0.0
) -> Verdict:
    """What becomes of an event. `now` in seconds since the epoch; the call took `seconds`.

    Function errors are tried again after one and then two minutes, as often as the function
    allows; throttles and system errors do not count and back off from 1 s to 5 minutes;
    neither goes on past the event's maximum age.
    """
    terms = ticket.terms
    if outcome.error is None:
        return _end(function, ticket, outcome, destinations.SUCCESS, terms.on_success, now)
    failure = failures.failure(outcome, function=function, time=now, seconds=seconds)
    past = ticket.waiting.history or NOTHING
    waiting = msgspec.structs.replace(ticket.waiting, history=past.and_then(failure))
    ends = ticket.created + terms.age
    condition = destinations.EXHAUSTED
    if outcome.error in ("Throttled", "Failed"):
        waiting = msgspec.structs.replace(waiting, throttles=waiting.throttles + 1)
        # One last try when the event comes of age.
        delay = min(retry.after_system_error(waiting.throttles), max(ends - now, 0.0))
        too_old = now >= ends
        give_up = not outcome.retryable
        if give_up and outcome.error == "Throttled":
            condition = destinations.NO_CONCURRENCY
    else:
        waiting = msgspec.structs.replace(waiting, errors=waiting.errors + 1)
        delay = retry.after_function_error(waiting.errors)
        too_old = now + delay > ends
        give_up = waiting.errors > terms.retries
    if not give_up and too_old:
        condition, give_up = destinations.TOO_OLD, True
    if give_up:
        ended = _replace(ticket, waiting)
        return _end(function, ended, outcome, condition, terms.on_failure, now)
    return Verdict(
        again=[(_replace(ticket, waiting), delay)],
        healthy=outcome.error not in ("Throttled", "Failed"),
    )


def _replace(ticket: Ticket, waiting: Waiting) -> Ticket:
    return Ticket(ticket.id, ticket.token, waiting, ticket.created, ticket.terms)


def _end(
    function: str,
    ticket: Ticket,
    outcome: Outcome,
    condition: str,
    destination: Arn | None,
    now: float,
) -> Verdict:
    waiting = ticket.waiting
    history = None
    if outcome.error is not None:
        qualifier = f":{waiting.qualifier}" if waiting.qualifier else ""
        history = msgspec.structs.replace(
            waiting.history or NOTHING, died=now, origin=function + qualifier
        )
    # What is sent on comes after this function's invocation.
    trace = waiting.trace and lineage.follow(waiting.trace, function)[0]
    sends: list[tuple[Arn, Event]] = []
    if destination is not None:
        attempts = waiting.errors + (1 if outcome.error is None else 0)
        sends.append(
            (
                destination,
                destinations.record(
                    f"{function}:{waiting.qualifier or LATEST}",
                    ticket.terms.role,
                    waiting.request_id,
                    waiting.payload,
                    outcome,
                    condition=condition,
                    attempts=attempts,
                    now=now,
                    trace=trace,
                    history=history,
                ),
            )
        )
    if outcome.error is not None and ticket.terms.dead_letter is not None:
        event = destinations.dead_letter(
            function,
            ticket.terms.role,
            waiting.request_id,
            waiting.payload,
            outcome,
            trace,
            history,
        )
        sends.append((ticket.terms.dead_letter, event))
    return Verdict(done=[ticket], sends=sends, healthy=outcome.error != "Throttled")
