"""What a message has behind it, read from its record as functions see it. Plain functions."""

from __future__ import annotations

from collections.abc import Mapping as Document
from typing import Any

from lambent.events.flow.regulator import Past
from lambent.services.lambda_ import lineage


def past(record: Document[str, Any], function: str) -> Past:
    """A message's past; `function` is the unqualified ARN of whose chain is looked at."""
    attributes = record["attributes"]
    return Past(
        int(attributes["ApproximateReceiveCount"]),
        int(attributes["SentTimestamp"]) / 1000,
        depth(record, function),
    )


def of_event(record: Document[str, Any], function: str) -> Past:
    """The past of an asynchronous invocation's event, which its ticket knows."""
    ticket = record["ticket"]
    waiting = ticket.waiting
    tries = 1 + waiting.errors + waiting.throttles + waiting.lost
    return Past(tries, ticket.created, 0)


def depth(record: Document[str, Any], function: str) -> int:
    """How often the message's chain of events has invoked the function."""
    trace = record["attributes"].get("AWSTraceHeader")
    return lineage.follow(trace, function)[1] if trace else 0
