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


def depth(record: Document[str, Any], function: str) -> int:
    """How often the message's chain of events has invoked the function."""
    trace = record["attributes"].get("AWSTraceHeader")
    return lineage.follow(trace, function)[1] if trace else 0
