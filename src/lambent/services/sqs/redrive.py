"""Dead-letter rules: who may be whose dead-letter queue, and when a message goes there.

A message goes to the dead-letter queue when its receive count *exceeds* maxReceiveCount.
Source: SQS developer guide, "Using dead-letter queues"; SetQueueAttributes.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass

from lambent.core.arns import Arn
from lambent.services.sqs import errors
from lambent.services.sqs.model import Queue

MAX_RECEIVE_COUNT = 1000


@dataclass(frozen=True, slots=True)
class RedrivePolicy:
    """Where messages go once they were received more than `max_receive_count` times."""

    target: Arn
    max_receive_count: int


@functools.lru_cache(maxsize=1024)
def parse_policy(text: str) -> RedrivePolicy:
    """A RedrivePolicy attribute; AwsError with SQS's reason when it is wrong."""
    document = json.loads(text)
    for key in ("deadLetterTargetArn", "maxReceiveCount"):
        if key not in document:
            raise errors.invalid_value(
                text,
                "RedrivePolicy",
                f"Redrive policy does not contain mandatory attribute: {key}.",
            )
    count = _whole(document["maxReceiveCount"])
    if not 1 <= count <= MAX_RECEIVE_COUNT:
        raise errors.invalid_value(
            text,
            "RedrivePolicy",
            f"Invalid value for maxReceiveCount: {document['maxReceiveCount']}, "
            "valid values are from 1 to 1000 both inclusive.",
        )
    try:
        target = Arn.parse(str(document["deadLetterTargetArn"]))
    except ValueError:
        target = None
    if target is None or target.service != "sqs":
        raise errors.invalid_value(text, "RedrivePolicy", "Invalid value for deadLetterTargetArn.")
    return RedrivePolicy(target, count)


def _whole(value: object) -> int:
    """A count, which may be written as text; 0 when it is none."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else 0
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def policy_of(queue: Queue) -> RedrivePolicy | None:
    """The queue's redrive policy, if it has one."""
    text = queue.attributes.get("RedrivePolicy")
    return parse_policy(text) if text else None


def check_allow_policy(text: str) -> None:
    """AwsError unless `text` is a RedriveAllowPolicy."""
    document = json.loads(text)
    permission = document.get("redrivePermission")
    sources = document.get("sourceQueueArns")
    if permission not in ("allowAll", "denyAll", "byQueue"):
        reason = "Invalid value for redrivePermission."
    elif permission != "byQueue" and sources is not None:
        reason = "Can't specify sourceQueueArns unless redrivePermission is byQueue."
    elif permission == "byQueue" and not (isinstance(sources, list) and 1 <= len(sources) <= 10):
        reason = "sourceQueueArns must have between 1 and 10 source queue ARNs."
    else:
        return
    raise errors.invalid_value(text, "RedriveAllowPolicy", reason)


def refusal(source: Queue, target: Queue | None) -> str | None:
    """Why `target` cannot be the dead-letter queue of `source`; None when it can."""
    if target is None or source.region != target.region:
        return "Dead letter target does not exist."
    if source.account != target.account:
        return "Dead letter target owner should be same as the source."
    if source.fifo != target.fifo:
        return "Dead-letter queue must be same type of queue as the source."
    allow = json.loads(target.attributes.get("RedriveAllowPolicy") or "{}")
    permission = allow.get("redrivePermission", "allowAll")
    if permission == "denyAll" or (
        permission == "byQueue" and source.arn not in allow.get("sourceQueueArns", ())
    ):
        return (
            f"Source queue {source.arn} is not allowed by the redrive allow policy of the "
            "dead letter target."
        )
    return None
