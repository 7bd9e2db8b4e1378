"""Shard iterators: a place in a stream's shard, good for 15 minutes.

Source: Amazon DynamoDB API Reference, "GetShardIterator".
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple

import msgspec

from lambent.core.errors import AwsError
from lambent.services.dynamodb.errors import invalid

LIFE_SECONDS = 15 * 60.0


class Place(NamedTuple):
    """After the `position` of the stream `arn`; `made` is in seconds since the epoch."""

    arn: str
    position: int
    made: float


def write(place: Place) -> str:
    """The iterator for a place, as AWS's begin: with the stream's ARN."""
    inside = msgspec.msgpack.encode((place.position, place.made))
    return f"{place.arn}|1|{urlsafe_b64encode(inside).decode()}"


def read(iterator: str, now: float) -> Place:
    """The place that an iterator stands for.

    ValidationException when it is none, ExpiredIteratorException when it is too old.
    """
    arn, _, inside = iterator.partition("|1|")
    try:
        position, made = msgspec.msgpack.decode(
            urlsafe_b64decode(inside.encode()), type=tuple[int, float]
        )
    except (ValueError, msgspec.MsgspecError):
        raise invalid("Invalid ShardIterator") from None
    if made < now - LIFE_SECONDS:
        raise AwsError(
            "ExpiredIteratorException",
            "The shard iterator has expired. Shard iterators are valid for 15 minutes",
            400,
        )
    return Place(arn, position, made)
