"""What is stored of streams: which there are, and when each began and ended.

| collection or log | partition, sort | value |
| --- | --- | --- |
| `dynamodb.streams` | account/region, table name/label | the stream |
| `dynamodb.stream/TABLE ID/LABEL` (a log) | | one change of an item (see `records`) |

    (enabled) ─ update or delete the table ─▶ ended ─ 24 hours ─▶ (gone)

A stream has one shard. It outlives its table, so it knows all that is asked of it.
"""

from __future__ import annotations

from typing import Final

import msgspec

from lambent.core.arns import Arn
from lambent.services.dynamodb.model import KeySchema, Table, scope, stream_log
from lambent.store.contract import Transaction

STREAMS: Final = "dynamodb.streams"
KEPT_SECONDS: Final = 24 * 3600.0


class Stream(msgspec.Struct, frozen=True, omit_defaults=True):
    """A stream. Times are in seconds since the epoch; `ended` is 0 while changes are added,
    and `last` is the position of the last one once it has ended."""

    table: str
    table_id: str
    account: str
    region: str
    label: str
    view: str
    key: KeySchema
    created: float
    ended: float = 0.0
    last: int = 0

    @property
    def arn(self) -> str:
        """The stream's ARN."""
        resource = f"table/{self.table}/stream/{self.label}"
        return str(Arn("dynamodb", self.region, self.account, resource))

    @property
    def log(self) -> str:
        """The log of its records."""
        return stream_log(self.table_id, self.label)

    @property
    def shard(self) -> str:
        """The id of its shard."""
        return f"shardId-{int(self.created * 1000):020d}-{self.table_id[:8]}"

    def over(self, now: float) -> bool:
        """Whether nothing of it is left."""
        return bool(self.ended) and self.ended < now - KEPT_SECONDS


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Stream)


def decode_stream(value: bytes) -> Stream:
    """The stream in a record of `STREAMS`."""
    return _decoder.decode(value)


async def save_stream(tx: Transaction, stream: Stream) -> None:
    """Write a stream."""
    where = scope(stream.account, stream.region)
    sort = f"{stream.table}/{stream.label}".encode()
    await tx.put(STREAMS, where, sort, _encoder.encode(stream))


async def follow_table(tx: Transaction, before: Table | None, after: Table | None) -> None:
    """Begin or end streams as a table was made, changed or deleted."""
    was = before.stream_label if before and before.stream_view else ""
    now = after.stream_label if after and after.stream_view else ""
    if before is not None and was and was != now:
        record = await tx.get(
            STREAMS, scope(before.account, before.region), f"{before.name}/{was}".encode()
        )
        if record is not None:
            stream = decode_stream(record.value)
            last = await tx.position_at(stream.log, tx.now + 1)
            await save_stream(tx, msgspec.structs.replace(stream, ended=tx.now, last=last))
    if after is not None and now and now != was:
        stream = Stream(
            table=after.name,
            table_id=after.id,
            account=after.account,
            region=after.region,
            label=now,
            view=after.stream_view,
            key=after.key,
            created=tx.now,
        )
        await save_stream(tx, stream)
