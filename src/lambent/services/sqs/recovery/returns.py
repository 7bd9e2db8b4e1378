"""Where a dead letter goes back to: a plain rule.

A message that a queue gave up goes back to that queue; an event that a function was invoked
with goes back to the function, as the event itself, also out of an on-failure destination's
record (Lambda Developer Guide, "Capturing records of Lambda asynchronous invocations").
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from lambent.services.sqs.model import Message


def origin(message: Message) -> str | None:
    """The ARN of the queue or function that the message came from; None: it is not known."""
    if message.source is not None:
        return message.source
    return message.history.origin if message.history else None


def event(body: str) -> bytes:
    """The event of an asynchronous invocation, out of a dead letter's body."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return body.encode()
    if not isinstance(document, Mapping):
        return body.encode()
    context = document.get("requestContext")
    if (
        isinstance(context, Mapping)
        and {"functionArn", "condition", "approximateInvokeCount"} <= context.keys()
        and "requestPayload" in document
    ):
        return json.dumps(document["requestPayload"], separators=(",", ":")).encode()
    return body.encode()
