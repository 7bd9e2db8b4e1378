"""Reading events: one stream by position, or a whole group by time and pattern."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lambent.core.errors import AwsError
from lambent.services.logs.model import MAX_AHEAD, LogEvent, Stream, decode_event
from lambent.services.logs.pattern import Test
from lambent.store.contract import LogEntry, Transaction

_CHUNK = 2000
_TOKEN = re.compile(r"([fb])/(\d{56})\Z")


@dataclass(frozen=True, slots=True)
class Found:
    """An event with where it was found. `ingested` in milliseconds since the epoch."""

    stream: str
    position: int
    ingested: int
    event: LogEvent

    @property
    def id(self) -> str:
        """AWS's 56-digit event id: grows with time, unique in its group's stream."""
        return f"{self.event.timestamp:026d}{self.position:030d}"


def _found(stream: Stream, entry: LogEntry) -> Found:
    return Found(stream.name, entry.position, int(entry.time * 1000), decode_event(entry.value))


def token(direction: str, position: int) -> str:
    """A GetLogEvents token: "f" goes on after the position, "b" before it."""
    return f"{direction}/{position:056d}"


def parse_token(text: str) -> tuple[str, int]:
    """(direction, position) of a token that `token` made."""
    match = _TOKEN.match(text)
    if match is None:
        raise AwsError("InvalidParameterException", "The specified nextToken is invalid.")
    return match[1], int(match[2])


@dataclass(frozen=True, slots=True)
class Range:
    """Event times in milliseconds since the epoch; `end` is exclusive."""

    start: int | None
    end: int | None

    def holds(self, timestamp: int) -> bool:
        return (self.start is None or timestamp >= self.start) and (
            self.end is None or timestamp < self.end
        )

    def may_hold(self, stream: Stream) -> bool:
        """Whether any of the stream's events can lie in the range."""
        if stream.first_event is None or stream.last_event is None:
            return False
        return (self.start is None or stream.last_event >= self.start) and (
            self.end is None or stream.first_event < self.end
        )


async def page(
    tx: Transaction,
    stream: Stream,
    within: Range,
    limit: int,
    *,
    after: int | None = None,
    before: int | None = None,
) -> list[Found]:
    """Up to `limit` events of a stream in the order they came: forwards strictly after a
    position, or the last ones strictly before one (or before the end)."""
    found: list[Found] = []
    forwards = after is not None
    cursor = after if forwards else before
    while len(found) < limit:
        if forwards:
            entries = await tx.read(stream.log, after=cursor or 0, limit=_CHUNK)
        else:
            entries = await tx.tail(stream.log, before=cursor, limit=_CHUNK)
        if not entries:
            break
        cursor = entries[-1].position
        found.extend(
            item
            for item in (_found(stream, entry) for entry in entries)
            if within.holds(item.event.timestamp)
        )
    found = found[:limit]
    return found if forwards else found[::-1]


async def search(tx: Transaction, streams: list[Stream], within: Range, test: Test) -> list[Found]:
    """All matching events of several streams, by time."""
    found: list[Found] = []
    for stream in streams:
        if not within.may_hold(stream):
            continue
        after = 0
        if within.start is not None:
            # An event may be stamped ahead of its arrival by so much, and no more.
            after = await tx.position_at(stream.log, within.start / 1000 - MAX_AHEAD)
        while entries := await tx.read(stream.log, after=after, limit=_CHUNK):
            after = entries[-1].position
            for entry in entries:
                item = _found(stream, entry)
                if within.holds(item.event.timestamp) and test(item.event.message):
                    found.append(item)
    found.sort(key=lambda item: (item.event.timestamp, item.ingested, item.stream, item.position))
    return found
