"""Log groups and streams in the store."""

from __future__ import annotations

from typing import Final

from lambent.core.context import RequestContext
from lambent.core.errors import AwsError
from lambent.services.logs.model import Group, Stream, decode_group, decode_stream, encode
from lambent.store import removal
from lambent.store.contract import Record, Transaction

GROUPS = "logs.groups"
STREAMS = "logs.streams"


def no_group() -> AwsError:
    """The group is not there."""
    return AwsError("ResourceNotFoundException", "The specified log group does not exist.")


def no_stream() -> AwsError:
    """The stream is not there."""
    return AwsError("ResourceNotFoundException", "The specified log stream does not exist.")


def partition(context: RequestContext) -> bytes:
    """Where an account's groups lie."""
    return f"{context.account}/{context.region}".encode()


def group_name(identifier: str) -> str:
    """A group's name from its name or ARN."""
    if identifier.startswith("arn:"):
        return identifier.split(":", 6)[-1].removesuffix(":*")
    return identifier


async def find_group(tx: Transaction, context: RequestContext, name: str) -> Group | None:
    """The group of that name, or None."""
    record = await tx.get(GROUPS, partition(context), name.encode())
    return decode_group(record.value) if record else None


async def get_group(tx: Transaction, context: RequestContext, name: str) -> Group:
    """The group of that name; AwsError ResourceNotFoundException."""
    group = await find_group(tx, context, name)
    if group is None:
        raise no_group()
    return group


async def save_group(tx: Transaction, context: RequestContext, group: Group) -> None:
    """Write a group's definition."""
    await tx.put(GROUPS, partition(context), group.name.encode(), encode(group))


async def list_groups(
    tx: Transaction,
    context: RequestContext,
    *,
    prefix: str = "",
    after: str = "",
    limit: int | None = None,
) -> list[Group]:
    """Groups by name: those with the prefix, strictly after `after`."""
    start = max(prefix.encode(), after.encode() + b"\x00" if after else b"")
    end = prefix.encode() + b"\xff" if prefix else None
    records = await tx.scan(GROUPS, partition(context), start=start, end=end, limit=limit)
    return [decode_group(record.value) for record in records]


async def find_stream(tx: Transaction, group: Group, name: str) -> Stream | None:
    """The group's stream of that name, or None."""
    record = await tx.get(STREAMS, group.uid.encode(), name.encode())
    return decode_stream(record.value) if record else None


async def get_stream(tx: Transaction, group: Group, name: str) -> Stream:
    """The group's stream of that name; AwsError ResourceNotFoundException."""
    stream = await find_stream(tx, group, name)
    if stream is None:
        raise no_stream()
    return stream


async def save_stream(tx: Transaction, group: Group, stream: Stream) -> None:
    """Write a stream's definition."""
    await tx.put(STREAMS, group.uid.encode(), stream.name.encode(), encode(stream))


async def list_streams(
    tx: Transaction, group: Group, *, prefix: str = "", after: str = "", limit: int | None = None
) -> list[Stream]:
    """A group's streams by name."""
    start = max(prefix.encode(), after.encode() + b"\x00" if after else b"")
    end = prefix.encode() + b"\xff" if prefix else None
    records = await tx.scan(STREAMS, group.uid.encode(), start=start, end=end, limit=limit)
    return [decode_stream(record.value) for record in records]


async def delete_stream(tx: Transaction, group: Group, stream: Stream) -> None:
    """Remove a stream with its events."""
    await tx.delete(STREAMS, group.uid.encode(), stream.name.encode())
    await removal.remove(tx, removal.log(stream.log))


async def delete_group(tx: Transaction, context: RequestContext, group: Group) -> None:
    """Remove a group with its streams and their events."""
    await tx.delete(GROUPS, partition(context), group.name.encode())
    await removal.remove(tx, removal.Gone(STREAMS_OF_GROUP, group.uid.encode()))


async def _remove_streams(tx: Transaction, uid: bytes, limit: int) -> int:
    """Some of the streams and events of a group that is gone."""

    async def events(stream: Record, limit: int) -> int:
        return await tx.trim(decode_stream(stream.value).log, limit=limit)

    return await removal.remove_holders(tx, STREAMS, uid, limit, events)


STREAMS_OF_GROUP: Final = removal.Kind("logs.streams", _remove_streams)
"""By the group's uid."""
