"""Event stream framing, read by botocore's own parser."""

from __future__ import annotations

import pytest
from botocore.eventstream import EventStreamBuffer

from lambent.protocol.eventstream import frame


@pytest.mark.parametrize("payload", [b"", b"x", b"\x00\xff" * 5000])
def test_botocore_reads_what_was_framed(payload: bytes) -> None:
    buffer = EventStreamBuffer()
    data = frame({":event-type": "One", ":message-type": "event"}, payload)
    data += frame({":event-type": "Two"}, b"more")
    for at in range(0, len(data), 999):
        buffer.add_data(data[at : at + 999])
    first, second = list(buffer)
    assert first.headers == {":event-type": "One", ":message-type": "event"}
    assert first.payload == payload
    assert (second.headers, second.payload) == ({":event-type": "Two"}, b"more")
