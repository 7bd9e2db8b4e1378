"""A stored object's bytes as a request body, for copies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping


class StreamedCopy:
    """A `core.streams.Body` over chunks that are known to be `length` bytes."""

    def __init__(self, chunks: AsyncIterator[bytes], length: int) -> None:
        self._chunks = chunks
        self.length: int | None = length
        self.trailers: Mapping[str, str] = {}

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks

    async def read(self, limit: int | None = None) -> bytes:
        return b"".join([chunk async for chunk in self._chunks])
