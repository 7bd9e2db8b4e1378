"""Queue names, URLs and receipt handles: pure conversions."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import urlsplit

from lambent.services.sqs import errors

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}\Z")
_FIFO_NAME = re.compile(r"[A-Za-z0-9_-]{1,75}\.fifo\Z")


def check_name(name: str, fifo: bool) -> None:
    """AwsError unless `name` is one for that kind of queue."""
    if fifo and not _FIFO_NAME.match(name):
        raise errors.invalid(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or "
            "underscores, must end with .fifo suffix and be 1 to 80 in length."
        )
    if not fifo and not _NAME.match(name):
        raise errors.invalid(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        )


def queue_url(endpoint: str, account: str, name: str) -> str:
    """The URL that clients address the queue by."""
    return f"{endpoint}/{account}/{name}"


def parse_url(url: str) -> tuple[str, str]:
    """(account, name) of a queue URL; whatever host it names, as nodes are moved.

    A bare name stands for the caller's own queue: its account is then "".
    """
    parts = urlsplit(url).path.rstrip("/").split("/")
    if len(parts) >= 3 and parts[-2] and parts[-1]:
        return parts[-2], parts[-1]
    if len(parts) == 1 and parts[0]:
        return "", parts[0]
    raise errors.no_such_queue()


def receipt(uid: str, id: int, token: int) -> str:
    """The receipt handle of one claim of a message."""
    return base64.b64encode(f"{uid}:{id}:{token}".encode()).decode()


def parse_receipt(handle: str, uid: str) -> tuple[int, int]:
    """(id, token) of a receipt handle that the queue `uid` gave."""
    try:
        owner, id, token = base64.b64decode(handle, validate=True).decode().split(":")
        numbers = int(id), int(token)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise errors.bad_receipt() from None
    if owner != uid or min(numbers) < 0 or max(numbers) >= 1 << 63:
        raise errors.bad_receipt()
    return numbers
