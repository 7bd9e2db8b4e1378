"""What items were before each change, so that a table can be had as it was at some time.

While a table is remembered (it has point-in-time recovery, or is being copied) each change
adds to the log `dynamodb.history/TABLE ID` what was there before. A copy of the table, made
while others write to it, becomes the table as it was at a place in that log when all the
changes since are taken back, the newest first: whether a change came before or after its item
was copied, taking it back leaves what was there before it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from lambent.services.dynamodb.keys import StoreKey
from lambent.services.dynamodb.values import Item
from lambent.store.contract import LogEntry, Transaction


class Before(msgspec.Struct, frozen=True, array_like=True):
    """What was under a key: an item and its size, or nothing."""

    partition: bytes
    sort: bytes
    item: dict[str, dict[str, Any]] | None
    size: int

    @property
    def key(self) -> StoreKey:
        """Where it was."""
        return StoreKey(self.partition, self.sort)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Before)


async def remember(tx: Transaction, log: str, key: StoreKey, item: Item | None, size: int) -> None:
    """Add what is under a key that is about to change."""
    before = Before(key.partition, key.sort, item, size)
    await tx.append(log, [_encoder.encode(before)])


def decode_before(entry: LogEntry) -> Before:
    """What an entry of the log says."""
    return _decoder.decode(entry.value)
