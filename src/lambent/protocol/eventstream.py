"""`application/vnd.amazon.eventstream`: a response as a stream of framed events.

    total length · headers length · CRC of these two     (4 bytes each, big-endian)
    headers: name length (1), name, type 7 (1), value length (2), value …
    payload
    CRC of all before

Source: Smithy, "Amazon Event Stream Specification".
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from typing import Any, Final

from lambent.core.streams import StreamingResult
from lambent.protocol.shapes import Shape

CONTENT_TYPE: Final = "application/vnd.amazon.eventstream"
_STRING: Final = 7
_FRAME: Final = 16
"""Bytes of a message beside its headers and payload."""


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message. Header values are text of at most 64 KiB."""
    encoded = b"".join(_header(name, value) for name, value in headers.items())
    prelude = struct.pack(">II", _FRAME + len(encoded) + len(payload), len(encoded))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + encoded + payload
    return message + struct.pack(">I", zlib.crc32(message))


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return bytes((len(key),)) + key + struct.pack(">BH", _STRING, len(text)) + text


def writer(
    shape: Shape, document: Callable[[Shape], Callable[[Any], bytes]]
) -> Callable[[AsyncIterable[Mapping[str, Any]]], StreamingResult]:
    """Writes an event stream's events, each `{event name: its members}`.

    `document` makes the writer of an event's body for events whose payload is no blob.
    """
    events = {name: _event(member, document) for name, member in shape.members.items()}

    async def chunks(source: AsyncIterable[Mapping[str, Any]]) -> AsyncIterator[bytes]:
        async for event in source:
            for name, members in event.items():
                kind, payload = events[name](members)
                headers = {":event-type": name, ":content-type": kind, ":message-type": "event"}
                yield frame(headers, payload)

    return lambda source: StreamingResult(chunks(source))


def _event(
    shape: Shape, document: Callable[[Shape], Callable[[Any], bytes]]
) -> Callable[[Mapping[str, Any]], tuple[str, bytes]]:
    blob = next(
        (name for name, one in shape.members.items() if one.event_payload and one.type == "blob"),
        None,
    )
    if blob is not None:
        return lambda members: ("application/octet-stream", members.get(blob) or b"")
    write = document(shape)
    return lambda members: ("application/json", write(members))
