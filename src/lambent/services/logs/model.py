"""What CloudWatch Logs stores: groups, streams and events."""

from __future__ import annotations

from typing import Any

import msgspec

# Two hours ahead is as far as an event's own time may lie beyond its ingestion.
MAX_AHEAD = 2 * 3600.0
MAX_AGE = 14 * 86_400.0


class MetricFilter(msgspec.Struct, frozen=True, array_like=True):
    """A metric filter; its transformations as PutMetricFilter's."""

    name: str
    pattern: str
    created: float
    transformations: list[dict[str, Any]]


class Group(msgspec.Struct, frozen=True, array_like=True):
    """A log group. `uid` is unique per incarnation; retention in days, None for ever."""

    name: str
    uid: str
    created: float
    retention: int | None = None
    tags: dict[str, str] = {}
    klass: str = "STANDARD"
    kms_key: str | None = None
    filters: list[MetricFilter] = []


class Stream(msgspec.Struct, frozen=True, array_like=True):
    """A log stream. Event times in milliseconds since the epoch, others in seconds;
    `stored` counts the bytes that came in."""

    name: str
    uid: str
    created: float
    first_event: int | None = None
    last_event: int | None = None
    last_ingestion: float | None = None
    stored: int = 0

    @property
    def log(self) -> str:
        """The store's log that holds the events."""
        return f"logs/{self.uid}"


class LogEvent(msgspec.Struct, frozen=True, array_like=True):
    """An event as it is stored: its own time in milliseconds since the epoch, and its text."""

    timestamp: int
    message: str


_encoder = msgspec.msgpack.Encoder()
_groups = msgspec.msgpack.Decoder(Group)
_streams = msgspec.msgpack.Decoder(Stream)
_events = msgspec.msgpack.Decoder(LogEvent)

encode = _encoder.encode
decode_group = _groups.decode
decode_stream = _streams.decode
decode_event = _events.decode
