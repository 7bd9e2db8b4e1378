"""ListStreams, DescribeStream, GetShardIterator and GetRecords, and the end of old records.

Source: Amazon DynamoDB API Reference, "Amazon DynamoDB Streams".
"""

from __future__ import annotations

from functools import partial
from typing import Any

from lambent.core.arns import Arn
from lambent.core.clock import Clock
from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.services.dynamodb.describe import key_elements
from lambent.services.dynamodb.errors import invalid
from lambent.services.dynamodb.model import TABLES, decode_table, scope
from lambent.services.dynamodb.streams import iterators, records
from lambent.services.dynamodb.streams.iterators import Place
from lambent.services.dynamodb.streams.model import (
    KEPT_SECONDS,
    STREAMS,
    Stream,
    decode_stream,
    follow_table,
)
from lambent.store import removal
from lambent.store.contract import Record, Store, Transaction

_MAX_LISTED = 100
_MAX_RECORDS = 1000
_MAX_BYTES = 1024 * 1024
_TRIMMED_AT_ONCE = 200


class Streams:
    """The operations of `dynamodbstreams`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def list_streams(self, context: RequestContext, params: Params) -> Result:
        """ListStreams: those of one table, or all, ended ones too while they can be read."""
        limit = _limit(params, _MAX_LISTED)
        name, after = params.get("TableName"), params.get("ExclusiveStartStreamArn")
        start = (f"{name}/" if name else "").encode()
        end = (f"{name}/" + "\x7f").encode() if name else None
        if after is not None:
            table, _, label = _resource(context, after).partition("/stream/")
            start = max(start, f"{table}/{label}".encode() + b"\x00")

        async def body(tx: Transaction) -> list[Stream]:
            where = scope(context.account, context.region)
            found = await tx.scan(STREAMS, where, start=start, end=end)
            streams = [decode_stream(record.value) for record in found]
            return [stream for stream in streams if not stream.over(tx.now)]

        streams = await self._store.transact(body)
        result: dict[str, Any] = {
            "Streams": [
                {"StreamArn": each.arn, "TableName": each.table, "StreamLabel": each.label}
                for each in streams[:limit]
            ]
        }
        if len(streams) > limit:
            result["LastEvaluatedStreamArn"] = streams[limit - 1].arn
        return result

    async def describe_stream(self, context: RequestContext, params: Params) -> Result:
        """DescribeStream."""
        _limit(params, _MAX_LISTED)
        arn = params["StreamArn"]

        async def body(tx: Transaction) -> Stream:
            return await _find(tx, context, arn)

        stream = await self._store.transact(body)
        numbers = {"StartingSequenceNumber": records.sequence_number(0)}
        if stream.ended:
            numbers["EndingSequenceNumber"] = records.sequence_number(stream.last)
        shard = {"ShardId": stream.shard, "SequenceNumberRange": numbers}
        # The only shard has no children, and nothing comes after it.
        passed = params.get("ExclusiveStartShardId", "") >= stream.shard
        filtered = params.get("ShardFilter") is not None
        return {
            "StreamDescription": {
                "StreamArn": stream.arn,
                "StreamLabel": stream.label,
                "StreamStatus": "DISABLED" if stream.ended else "ENABLED",
                "StreamViewType": stream.view,
                "CreationRequestDateTime": stream.created,
                "TableName": stream.table,
                "KeySchema": key_elements(stream.key),
                "Shards": [] if passed or filtered else [shard],
            }
        }

    async def get_shard_iterator(self, context: RequestContext, params: Params) -> Result:
        """GetShardIterator."""
        kind, number = params["ShardIteratorType"], params.get("SequenceNumber")
        by_number = kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER")
        if by_number and number is None:
            raise invalid(f"SequenceNumber must be provided when ShardIteratorType is {kind}")
        if not by_number and number is not None:
            raise invalid(f"SequenceNumber must not be provided when ShardIteratorType is {kind}")
        if kind == "AT_TIMESTAMP" and params.get("Timestamp") is None:
            raise invalid("Timestamp must be provided when ShardIteratorType is AT_TIMESTAMP")

        async def body(tx: Transaction) -> Place:
            stream = await _find(tx, context, params["StreamArn"])
            if params["ShardId"] != stream.shard:
                raise _not_found(f"Shard: {params['ShardId']} in Stream: {stream.arn}")
            oldest = await tx.position_at(stream.log, tx.now - KEPT_SECONDS)
            if kind == "TRIM_HORIZON":
                position = oldest
            elif kind == "LATEST":
                position = await tx.position_at(stream.log, tx.now + 1)
            elif kind == "AT_TIMESTAMP":
                position = max(oldest, await tx.position_at(stream.log, params["Timestamp"]))
            else:
                position = await _numbered(tx, stream, kind, number or "", oldest)
            return Place(stream.arn, position, tx.now)

        return {"ShardIterator": iterators.write(await self._store.transact(body))}

    async def get_records(self, context: RequestContext, params: Params) -> Result:
        """GetRecords: at most 1,000 records or 1 MB."""
        limit = _limit(params, _MAX_RECORDS)

        async def body(tx: Transaction) -> tuple[list[dict[str, Any]], Place | None]:
            place = iterators.read(params["ShardIterator"], tx.now)
            stream = await _find(tx, context, place.arn)
            oldest = await tx.position_at(stream.log, tx.now - KEPT_SECONDS)
            entries = await tx.read(
                stream.log, after=max(place.position, oldest), limit=limit, max_bytes=_MAX_BYTES
            )
            position = entries[-1].position if entries else place.position
            ended = stream.ended and position >= stream.last
            following = None if ended else Place(stream.arn, position, tx.now)
            return [records.shown(stream, entry) for entry in entries], following

        found, following = await self._store.transact(body)
        result: dict[str, Any] = {"Records": found}
        if following is not None:
            result["NextShardIterator"] = iterators.write(following)
        return result

    async def trim(self) -> None:
        """Let go of records of more than 24 hours ago, and of streams that ended then."""
        await self._store.transact(_adopt)
        for record in await self._store.transact(lambda tx: tx.scan_all(STREAMS)):
            while await self._store.transact(partial(_trim, known=record)) == _TRIMMED_AT_ONCE:
                await self._clock.sleep(0)


async def _adopt(tx: Transaction) -> None:
    """Tables whose stream was switched on before streams were kept have one from now on."""
    for record in await tx.scan_all(TABLES):
        table = decode_table(record)
        sort = f"{table.name}/{table.stream_label}".encode()
        if table.stream_view and await tx.get(STREAMS, record.partition, sort) is None:
            await follow_table(tx, None, table)


async def _trim(tx: Transaction, known: Record) -> int:
    """Let go of some of a stream's old records, or of what is left of it; how many."""
    record = await tx.get(STREAMS, known.partition, known.sort)
    if record is None:
        return 0
    stream = decode_stream(record.value)
    if not stream.over(tx.now):
        before = tx.now - KEPT_SECONDS
        return await tx.trim(stream.log, before=before, limit=_TRIMMED_AT_ONCE)
    await tx.delete(STREAMS, record.partition, record.sort)
    await removal.remove(tx, removal.log(stream.log))
    return 0


async def _numbered(tx: Transaction, stream: Stream, kind: str, number: str, oldest: int) -> int:
    """The position to read after, for an iterator at or after a sequence number."""
    position = records.position_of(number)
    newest = await tx.position_at(stream.log, tx.now + 1)
    if position is None or position > newest:
        raise invalid(f"Invalid SequenceNumber: {number} is not in shard {stream.shard}")
    whole = stream.created > tx.now - KEPT_SECONDS
    if position == 0 and whole:  # the shard's own StartingSequenceNumber
        return 0
    if position <= oldest:
        raise AwsError(
            "TrimmedDataAccessException",
            "The operation attempted to read past the oldest stream record in a shard",
            400,
        )
    return position if kind == "AFTER_SEQUENCE_NUMBER" else position - 1


async def _find(tx: Transaction, context: RequestContext, arn: str) -> Stream:
    table, _, label = _resource(context, arn).partition("/stream/")
    where = scope(context.account, context.region)
    record = await tx.get(STREAMS, where, f"{table}/{label}".encode())
    stream = decode_stream(record.value) if record is not None else None
    if stream is None or stream.over(tx.now):
        raise _not_found(f"Stream: {arn}")
    return stream


def _resource(context: RequestContext, given: str) -> str:
    """What a stream's ARN says after "table/"."""
    try:
        arn = Arn.parse(given)
    except ValueError:
        raise invalid(f"Invalid StreamArn: {given}") from None
    name = arn.resource.removeprefix("table/")
    if arn.service != "dynamodb" or name == arn.resource or "/stream/" not in name:
        raise invalid(f"Invalid StreamArn: {given}")
    if (arn.account, arn.region) != (context.account, context.region):
        raise _not_found(f"Stream: {given}")
    return name


def _not_found(what: str) -> AwsError:
    message = f"Requested resource not found: {what} not found"
    return AwsError("ResourceNotFoundException", message, 400)


def _limit(params: Params, most: int) -> int:
    limit: int = params.get("Limit") or most
    if limit > most:
        raise invalid(
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy "
            f"constraint: Member must have value less than or equal to {most}"
        )
    return limit
