"""What an event source mapping from a queue asks of the delivery engine.

Source: Lambda Developer Guide, "Using Lambda with Amazon SQS", its pages on scaling,
batch item failures and the backoff strategy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping as Document
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from lambent.core.arns import Arn
from lambent.events import failures, retry, scaling
from lambent.events.batch import failed_items
from lambent.events.contract import Batch, Invocable, Outcome
from lambent.events.filter import Matcher, parse
from lambent.events.history import Failure
from lambent.events.policy import Aside, Attempt, Verdict
from lambent.services.lambda_ import errors, lineage, tracing
from lambent.services.lambda_.model import Mapping
from lambent.services.lambda_.names import from_arn
from lambent.services.lambda_.past import depth

PAYLOAD_BYTES = 6 * 1024 * 1024 - 64
"""The most that the records of one call may hold; the rest is for their envelope."""

_LEAST_LEASE = 1.0
"""Seconds; a queue without visibility timeout would give its messages out again at once."""

_MAXIMUM_THROTTLE_PAUSE = 30.0


@dataclass(frozen=True, slots=True)
class QueuePolicy:
    """The settings of one mapping, made ready. `filters` is None when all records count."""

    function: Arn
    invocable: Invocable
    batch_size: int
    window: float
    rule: scaling.Rule
    reports_failures: bool
    filters: tuple[Matcher, ...] | None
    max_bytes: int = PAYLOAD_BYTES

    def lease(self, source: Document[str, Any]) -> float:
        """The queue's own visibility timeout."""
        return max(float(source["visibility_timeout"]), _LEAST_LEASE)

    def wants(self, record: Document[str, Any]) -> bool:
        """Whether any of the mapping's filters matches."""
        if self.filters is None:
            return True
        seen = view(record)
        return any(wanted(seen) for wanted in self.filters)

    def encode(self, record: Document[str, Any]) -> bytes:
        """The record as JSON."""
        return msgspec.json.encode(record)

    async def call(self, batch: Batch, parts: Sequence[bytes]) -> Outcome:
        """Invoke the function with the records."""
        payload = b'{"Records":[' + b",".join(parts) + b"]}"
        return await self.invocable.invoke(
            self.function, payload, trace=tracing.together(_traces(batch))
        )

    def judge(self, attempt: Attempt) -> Verdict:
        """Delete what went well; the rest comes back when its visibility timeout ends.

        A throttled call is made again for as long as the messages are hidden. Partial
        failures do not slow the poller down; function errors and throttles do.
        """
        tickets = attempt.batch.tickets
        outcome = attempt.outcome
        left = attempt.claimed + attempt.lease - attempt.now
        if outcome.error in ("Throttled", "Failed") and outcome.retryable:
            pause = retry.after_system_error(attempt.tries, _MAXIMUM_THROTTLE_PAUSE)
            if pause < left:
                return Verdict(retry_after=pause, healthy=False)
        # A lease that was extended is cut back to the visibility timeout it stands for.
        delay = max(left, 0.0) if attempt.extended else None
        if outcome.code == errors.RECURSIVE:
            return self._stop_loop(attempt)
        if outcome.error is not None:
            again = [(ticket, delay) for ticket in tickets]
            return Verdict(again=again, healthy=False, failure=self._failure(attempt))
        if not self.reports_failures:
            return Verdict(done=tickets)
        identifiers = attempt.batch.identifiers
        failed = failed_items(outcome.payload, identifiers)
        if not failed:
            return Verdict(done=tickets)
        pairs = list(zip(tickets, identifiers, strict=True))
        return Verdict(
            done=[ticket for ticket, identifier in pairs if identifier not in failed],
            again=[(ticket, delay) for ticket, identifier in pairs if identifier in failed],
            failure=self._failure(attempt),
        )

    def _stop_loop(self, attempt: Attempt) -> Verdict:
        """The function would have invoked itself once too often: the events of that chain go
        aside, the others come again at once."""
        batch = attempt.batch
        function = from_arn(self.function).arn
        depths = [depth(record, function) for record in batch.records]
        pairs = list(zip(batch.tickets, depths, strict=True))
        return Verdict(
            aside=[
                Aside(ticket, "loop", attempt.outcome.message)
                for ticket, count in pairs
                if count >= lineage.MOST
            ],
            again=[(ticket, 0.0) for ticket, count in pairs if count < lineage.MOST],
            failure=self._failure(attempt),
        )

    def _failure(self, attempt: Attempt) -> Failure:
        return failures.failure(
            attempt.outcome,
            function=str(self.function),
            time=attempt.now,
            seconds=attempt.seconds,
        )


def policy_of(mapping: Mapping, invocable: Invocable) -> QueuePolicy:
    """The policy that a stored mapping describes."""
    settings = mapping.settings
    most = settings.get("ScalingConfig", {}).get("MaximumConcurrency", scaling.SQS.maximum)
    patterns = [one.get("Pattern") for one in settings.get("FilterCriteria", {}).get("Filters", ())]
    return QueuePolicy(
        function=Arn.parse(mapping.function),
        invocable=invocable,
        batch_size=settings["BatchSize"],
        window=float(settings["MaximumBatchingWindowInSeconds"]),
        rule=scaling.Rule(scaling.SQS.start, scaling.SQS.per_minute, most),
        reports_failures="ReportBatchItemFailures" in settings.get("FunctionResponseTypes", ()),
        filters=tuple(_filter(pattern) for pattern in patterns if pattern) or None,
    )


def _filter(text: str) -> Matcher:
    """A filter's pattern; one that looks into bodies drops what is plain text, whatever it asks.

    Source: Lambda Developer Guide, "Using event filtering with an Amazon SQS event source",
    "Properly filtering Amazon SQS messages".
    """
    matches = parse(text)
    if not isinstance(json.loads(text).get("body"), dict):
        return matches
    return lambda seen: not isinstance(seen.get("body"), str) and matches(seen)


def view(record: Document[str, Any]) -> Document[str, Any]:
    """The record as filters see it: a body that is a JSON object is looked into, any other
    is text."""
    body = record.get("body")
    if isinstance(body, str) and body.lstrip()[:1] == "{":
        try:
            return {**record, "body": json.loads(body)}
        except (ValueError, RecursionError):
            return record
    return record


def _traces(batch: Batch) -> list[str]:
    """The records' trace headers."""
    attributes = (record.get("attributes") for record in batch.records)
    return [
        str(one["AWSTraceHeader"])
        for one in attributes
        if isinstance(one, Document) and "AWSTraceHeader" in one
    ]
