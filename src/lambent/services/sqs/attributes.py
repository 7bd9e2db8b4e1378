"""Queue attributes: what may be set, within which limits, and what it is by default.

Source: SQS API reference, CreateQueue and SetQueueAttributes. MaximumMessageSize is 1 MiB
since 2025, and that is the default too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from lambent.core.errors import AwsError
from lambent.services.sqs import errors, policy
from lambent.services.sqs.model import Queue

_RANGES = {
    "DelaySeconds": (0, 900),
    "MaximumMessageSize": (1024, 1_048_576),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, 43_200),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400),
}
_DEFAULTS = {
    "DelaySeconds": "0",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "VisibilityTimeout": "30",
    "SqsManagedSseEnabled": "true",
}
_FIFO_DEFAULTS = {
    "FifoQueue": "true",
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "FifoThroughputLimit": "perQueue",
}
_FIFO_CHOICES = {
    "ContentBasedDeduplication": ("true", "false"),
    "DeduplicationScope": ("queue", "messageGroup"),
    "FifoThroughputLimit": ("perQueue", "perMessageGroupId"),
}
_NUMBER = re.compile(r"[0-9]{1,19}\Z")
_DOCUMENTS = ("Policy", "RedrivePolicy", "RedriveAllowPolicy")
COMPUTED = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
)
READABLE = frozenset(
    (
        *COMPUTED,
        *_RANGES,
        *_DOCUMENTS,
        *_DEFAULTS,
        *_FIFO_DEFAULTS,
        "KmsMasterKeyId",
    )
)


def validated(given: Mapping[str, str], fifo: bool, creating: bool) -> dict[str, str]:
    """The attributes in SQS's own notation ("030" → "30"); AwsError for a bad one."""
    found = {name: _validated(name, value, fifo, creating) for name, value in given.items()}
    if found.get("KmsMasterKeyId") and found.get("SqsManagedSseEnabled") == "true":
        raise AwsError(
            "InvalidAttributeValue",
            "You can use one type of server-side encryption (SSE) at one time. You can either "
            "enable KMS SSE or SQS SSE.",
        )
    return found


def merged(present: Mapping[str, str], changed: Mapping[str, str]) -> dict[str, str]:
    """The attributes after a change; of the two encryptions, the one that was named last."""
    kept = dict(present)
    if changed.get("KmsMasterKeyId"):
        kept.pop("SqsManagedSseEnabled", None)
    if changed.get("SqsManagedSseEnabled") == "true":
        kept.pop("KmsMasterKeyId", None)
    return {**kept, **changed}


def check_together(merged: Mapping[str, str]) -> None:
    """AwsError when attributes that are right alone do not go together."""
    if (
        merged.get("FifoThroughputLimit") == "perMessageGroupId"
        and merged.get("DeduplicationScope") != "messageGroup"
    ):
        raise errors.invalid_attribute(
            "FifoThroughputLimit",
            "The perMessageGroupId value is allowed only when the value for DeduplicationScope "
            "is messageGroup.",
        )


def _validated(name: str, value: str, fifo: bool, creating: bool) -> str:
    if name in _RANGES:
        low, high = _RANGES[name]
        if not _NUMBER.match(value) or not low <= int(value) <= high:
            raise errors.invalid_attribute(name)
        return str(int(value))
    if name == "SqsManagedSseEnabled":
        return _choice(name, value, ("true", "false"))
    if name == "KmsMasterKeyId":
        return value
    if name in _DOCUMENTS:
        return _document(name, value)
    if name == "FifoQueue" and fifo and creating:
        return _choice(name, value, ("true",))
    if name == "FifoQueue" and fifo:
        return _choice(name, value, ("true",))
    if name in _FIFO_CHOICES and fifo:
        return _choice(name, value, _FIFO_CHOICES[name])
    raise errors.unknown_attribute(name)


def _choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value.lower() in ("true", "false"):
        value = value.lower()
    if value not in choices:
        raise errors.invalid_attribute(name)
    return value


def _document(name: str, value: str) -> str:
    if value == "":
        return value
    try:
        document = json.loads(value)
    except (ValueError, RecursionError):
        document = None
    if name == "Policy":
        fits = len(value.encode()) <= policy.MAX_BYTES
        if not fits or not isinstance(document, dict) or not policy.well_formed(document):
            raise errors.invalid_attribute(name)
        policy.check_limits(document)
        policy.check_actions(document)
    elif not isinstance(document, dict):
        kind = "Redrive policy" if name == "RedrivePolicy" else "Redrive allow policy"
        raise errors.invalid_value(value, name, f"{kind} is not a valid JSON map.")
    return value


def same(name: str, one: str, other: str) -> bool:
    """Whether two values of an attribute mean the same."""
    if one == other or name not in _DOCUMENTS or not one or not other:
        return one == other
    return bool(json.loads(one) == json.loads(other))


def value(queue: Queue, name: str) -> int:
    """A numeric attribute's present value."""
    known = queue.numbers.get(name)
    if known is None:
        known = queue.numbers[name] = int(queue.attributes.get(name) or _DEFAULTS[name])
    return known


def stored(queue: Queue) -> dict[str, str]:
    """All attributes that are set or have a default, without the computed ones."""
    defaults = {**_DEFAULTS, **_FIFO_DEFAULTS} if queue.fifo else _DEFAULTS
    merged = {**defaults, **queue.attributes}
    if merged.get("KmsMasterKeyId"):
        merged["SqsManagedSseEnabled"] = queue.attributes.get("SqsManagedSseEnabled", "false")
        merged.setdefault("KmsDataKeyReusePeriodSeconds", "300")
    return {name: text for name, text in merged.items() if text != ""}
