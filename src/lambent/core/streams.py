"""Streaming bodies, both ways, independent of any wire format."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol


class Body(Protocol):
    """A request body that arrives in pieces; read it once.

    Decoded already: `aws-chunked` framing is taken off and its checksums are verified by
    the time the iterator ends (an `AwsError` from the iterator means that they did not
    hold). `trailers` are complete only after the end.
    """

    length: int | None
    trailers: Mapping[str, str]

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def read(self, limit: int | None = None) -> bytes:
        """All that is left, at most `limit` bytes (AwsError EntityTooLarge beyond)."""
        ...


class BrokenOff(Exception):
    """A response's source failed after its beginning was sent; the connection is cut, which
    is all that can tell the client."""


@dataclass(slots=True)
class StreamingResult:
    """A response body that is sent in pieces, for an output's streaming member.

    `length` in bytes goes into Content-Length; None means chunked.
    """

    chunks: AsyncIterator[bytes]
    length: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
