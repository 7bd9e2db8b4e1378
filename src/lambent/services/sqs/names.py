"""Queue names, URLs, receipt handles and clients' ids: pure conversions."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from lambent.services.sqs import errors

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}\Z")
_FIFO_NAME = re.compile(r"[A-Za-z0-9_-]{1,75}\.fifo\Z")
_TOKEN = re.compile(r"""[A-Za-z0-9!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}\Z""")


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

    A bare name, and the older form `/queue/name`, stand for the caller's own queue: its
    account is then "".
    """
    try:
        parts = urlsplit(url).path.rstrip("/").split("/")
    except ValueError:
        raise errors.no_such_queue() from None
    if len(parts) >= 3 and parts[-2] and parts[-1]:
        return "" if parts[-2] == "queue" else parts[-2], parts[-1]
    if len(parts) == 1 and parts[0]:
        return "", parts[0]
    raise errors.no_such_queue()


def next_token(name: str) -> str:
    """The NextToken of a page that ends with the queue of that name."""
    return base64.b64encode(name.encode()).decode()


def parse_next_token(text: str) -> str:
    """The name that a NextToken stands for; AwsError when it is none."""
    try:
        name = base64.b64decode(text, validate=True).decode()
    except ValueError:
        name = ""
    if not (_NAME.match(name) or _FIFO_NAME.match(name)):
        raise errors.expired_token()
    return name


def token(params: Mapping[str, Any], name: str) -> str | None:
    """A parameter that is a client's own id; AwsError when its form is wrong."""
    value: str | None = params.get(name)
    if value is not None and not _TOKEN.match(value):
        raise errors.invalid_value(
            value,
            name,
            f"{name} can only include alphanumeric and punctuation characters. 1 to 128 in length.",
        )
    return value


def receipt(uid: str, id: int, token: int, time: float, sent: float) -> str:
    """The receipt handle of one claim of a message; when it was claimed and sent, in seconds
    since the epoch."""
    text = f"{uid}:{id}:{token}:{int(time * 1000)}:{int(sent * 1000)}"
    return base64.b64encode(text.encode()).decode()


def parse_receipt(handle: str, uid: str) -> tuple[int, int, int, int]:
    """(id, token, when it was claimed and sent in milliseconds since the epoch) of a receipt
    handle that the queue `uid` gave."""
    try:
        owner, id, token, time, sent = base64.b64decode(handle, validate=True).decode().split(":")
        numbers = int(id), int(token), int(time), int(sent)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise errors.bad_receipt(handle) from None
    if min(numbers) < 0 or max(numbers) >= 1 << 63:
        raise errors.bad_receipt(handle)
    if owner != uid:
        raise errors.foreign_receipt(handle)
    return numbers
