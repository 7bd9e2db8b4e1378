"""One change of an item: as it lies in a stream's log, and as GetRecords shows it.

Sequence numbers are the log's positions on a base that gives them DynamoDB's 21 digits.

Source: Amazon DynamoDB API Reference, "Record" and "StreamRecord" of DynamoDB Streams.
"""

from __future__ import annotations

from hashlib import md5
from typing import Any

import msgspec

from lambent.services.dynamodb.keys import key_of
from lambent.services.dynamodb.model import Table
from lambent.services.dynamodb.streams.model import Stream
from lambent.services.dynamodb.values import Item, item_size
from lambent.store.contract import LogEntry, Transaction

_BASE = 100_000_000_000_000_000_000
_EXPIRED = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}


class _Change(msgspec.Struct, frozen=True, omit_defaults=True, array_like=True):
    name: str
    keys: dict[str, dict[str, Any]]
    old: dict[str, dict[str, Any]] | None
    new: dict[str, dict[str, Any]] | None
    size: int
    expired: bool


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Change)


async def append_change(
    tx: Transaction, table: Table, old: Item | None, new: Item | None, *, expired: bool
) -> None:
    """Add a change to the table's stream; its view says which images are kept."""
    keys = key_of(table.key, new if new is not None else old or {})
    name = "INSERT" if old is None else "MODIFY" if new is not None else "REMOVE"
    view = table.stream_view
    before = old if view in ("OLD_IMAGE", "NEW_AND_OLD_IMAGES") else None
    after = new if view in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES") else None
    size = sum(item_size(each) for each in (keys, before, after) if each is not None)
    change = _Change(name, keys, before, after, size, expired)
    await tx.append(table.stream_log, [_encoder.encode(change)])


def sequence_number(position: int) -> str:
    """A position in the log as a SequenceNumber."""
    return str(_BASE + position)


def position_of(number: str) -> int | None:
    """The position that a SequenceNumber stands for; None when it stands for none."""
    position = int(number) - _BASE if number.isdigit() and number.isascii() else -1
    return position if position >= 0 else None


def shown(stream: Stream, entry: LogEntry) -> dict[str, Any]:
    """An entry of the stream's log as a Record."""
    change = _decoder.decode(entry.value)
    identity = f"{stream.log}/{entry.position}".encode()
    record: dict[str, Any] = {
        "eventID": md5(identity, usedforsecurity=False).hexdigest(),
        "eventName": change.name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": stream.region,
        "dynamodb": {
            "ApproximateCreationDateTime": int(entry.time),
            "Keys": change.keys,
            "NewImage": change.new,
            "OldImage": change.old,
            "SequenceNumber": sequence_number(entry.position),
            "SizeBytes": change.size,
            "StreamViewType": stream.view,
        },
    }
    if change.expired:
        record["userIdentity"] = _EXPIRED
    return record
