"""What all batch operations share: the entries' rules, and one entry's failure."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from lambent.core.errors import AwsError
from lambent.services.sqs import errors

MAX_ENTRIES = 10
_ID = re.compile(r"[A-Za-z0-9_-]{1,80}\Z")
_IDS = re.compile(r"(?:[A-Za-z0-9_-]{1,80} )+\Z")
_SHAPE_CODES = {
    # Entries carry the older query codes, whatever the protocol.
    "QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue",
    "MissingRequiredParameterException": "MissingParameter",
    "MessageNotInflight": "AWS.SimpleQueueService.MessageNotInflight",
}


def check(
    entries: Sequence[dict[str, Any]] | None, shape: str, required: str
) -> Sequence[dict[str, Any]]:
    """The entries, which have an id and a `required` member; AwsError when the batch as a
    whole is wrong."""
    if not entries:
        raise AwsError("EmptyBatchRequest", f"There should be at least one {shape} in the request.")
    if len(entries) > MAX_ENTRIES:
        raise AwsError(
            "TooManyEntriesInBatchRequest",
            f"Maximum number of entries per request are {MAX_ENTRIES}. "
            f"You have sent {len(entries)}.",
        )
    if not _sound(entries, required):
        _refuse(entries, shape, required)
    return entries


def _sound(entries: Sequence[dict[str, Any]], required: str) -> bool:
    """Whether there is nothing to say against any entry, in a fraction of the time that it
    takes to find out what there is."""
    ids = []
    for entry in entries:
        id = entry.get("Id")
        if not id or not entry.get(required):
            return False
        ids.append(id)
    if len(set(ids)) < len(ids):
        return False
    line = " ".join(ids) + " "
    return line.count(" ") == len(ids) and _IDS.match(line) is not None


def _refuse(entries: Sequence[dict[str, Any]], shape: str, required: str) -> None:
    for number, entry in enumerate(entries, 1):
        if not entry.get("Id"):
            raise errors.missing(f"{shape}.{number}.Id")
        if not entry.get(required):
            raise errors.missing(f"{shape}.{number}.{required}")
    seen: set[str] = set()
    for entry in entries:
        id = entry["Id"]
        if not _ID.match(id):
            raise AwsError(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and "
                "underscores. It can be at most 80 letters long.",
            )
        if id in seen:
            raise AwsError("BatchEntryIdsNotDistinct", f"Id {id} repeated.")
        seen.add(id)


def failure(id: str, error: AwsError) -> dict[str, Any]:
    """One entry that failed by its sender's fault."""
    return {
        "Id": id,
        "SenderFault": True,
        "Code": _SHAPE_CODES.get(error.code, error.code),
        "Message": error.message,
    }


def result(
    successful: list[dict[str, Any]], failed: list[dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """A batch operation's answer: lists that are empty are left out."""
    lists = {"Successful": successful, "Failed": failed}
    return {name: entries for name, entries in lists.items() if entries}


async def each(
    entries: Sequence[dict[str, Any]], act: Callable[[dict[str, Any]], Awaitable[None]]
) -> dict[str, list[dict[str, Any]]]:
    """Act on every entry; the batch operation's answer."""
    successful: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for entry in entries:
        try:
            await act(entry)
            successful.append({"Id": entry["Id"]})
        except AwsError as error:
            failed.append(failure(entry["Id"], error))
    return result(successful, failed)
