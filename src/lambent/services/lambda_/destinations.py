"""What dead-letter queues and destinations get of an asynchronous invocation.

Plain functions. Source: Lambda Developer Guide, "Capturing records of Lambda asynchronous
invocations" (the record's members) and "Adding a dead-letter queue" (the event itself, with
three message attributes).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from lambent.core.arns import Arn
from lambent.events.contract import Event, Outcome, Sender
from lambent.events.history import History

PRINCIPAL = "lambda.amazonaws.com"
SUCCESS = "Success"
EXHAUSTED = "RetriesExhausted"
TOO_OLD = "EventAgeExceeded"
NO_CONCURRENCY = "ZeroReservedConcurrency"

_MESSAGE_BYTES = 1024


def can_be(destination: str, member: str) -> bool:
    """Whether a resource of that ARN can be the destination `member` (OnSuccess or OnFailure)
    names. FIFO queues and topics cannot, and buckets take failures alone."""
    try:
        arn = Arn.parse(destination)
    except ValueError:
        return False
    if arn.service == "s3":
        return member == "OnFailure"
    if arn.service in ("sqs", "sns"):
        return not arn.resource.endswith(".fifo")
    return arn.service in ("lambda", "events")


def sender(function: str, role: str) -> Sender:
    """Who sends what a function's invocation leaves: Lambda, as the function's role."""
    return Sender(PRINCIPAL, function, Arn.parse(function).account, role)


def dead_letter(
    function: str,
    role: str,
    request_id: str,
    payload: bytes,
    outcome: Outcome,
    trace: str | None,
    history: History | None,
) -> Event:
    """The event alone, as the function got it."""
    attributes = {
        "RequestID": {"DataType": "String", "StringValue": request_id},
        "ErrorCode": {"DataType": "Number", "StringValue": str(_status(outcome))},
    }
    if message := error_message(outcome):
        attributes["ErrorMessage"] = {"DataType": "String", "StringValue": message}
    return Event(payload, sender(function, role), trace, attributes, history)


def record(
    function: str,
    role: str,
    request_id: str,
    payload: bytes,
    outcome: Outcome,
    *,
    condition: str,
    attempts: int,
    now: float,
    trace: str | None,
    history: History | None,
) -> Event:
    """The whole record of the invocation. `now` in seconds since the epoch."""
    moment = datetime.fromtimestamp(now, UTC)
    document: dict[str, Any] = {
        "version": "1.0",
        "timestamp": f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z",
        "requestContext": {
            "requestId": request_id,
            "functionArn": function,
            "condition": condition,
            "approximateInvokeCount": attempts,
        },
        "requestPayload": _json(payload),
    }
    if outcome.error in (None, "Handled", "Unhandled"):
        document["responseContext"] = {
            "statusCode": 200,
            "executedVersion": outcome.version,
        }
        if outcome.error is not None:
            document["responseContext"]["functionError"] = outcome.error
        document["responsePayload"] = _json(outcome.payload)
    body = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    return Event(body, sender(function, role), trace, history=history)


def error_message(outcome: Outcome) -> str:
    """The first KiB of what went wrong."""
    message = outcome.message
    if not message:
        payload = _json(outcome.payload)
        found = payload.get("errorMessage") if isinstance(payload, dict) else None
        message = found if isinstance(found, str) else ""
    return message.encode()[:_MESSAGE_BYTES].decode(errors="ignore")


def _status(outcome: Outcome) -> int:
    if outcome.error == "Throttled":
        return 429
    return 500 if outcome.error == "Failed" else 200


def _json(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return payload.decode(errors="replace") or None
