"""Request bodies: in pieces from a connection, or complete.

Back-pressure is the connection's affair; the body tells it when it is read.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

from lambent.core.errors import AwsError

HIGH_WATER: Final = 512 * 1024
"""Bytes that may lie unread in a body before its connection stops reading."""


def too_large() -> AwsError:
    """The body is longer than the reader takes."""
    return AwsError("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size", 400)


def incomplete() -> AwsError:
    """The client went away, or said a length that did not hold."""
    return AwsError(
        "IncompleteBody",
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
        400,
    )


class IncomingBody:
    """A request body that still arrives (a `core.streams.Body`).

    `length` is Content-Length, None when chunked. `on_demand` is called each time the reader
    finds nothing left and waits; `on_relief` when unread bytes fell below the high-water mark.
    """

    __slots__ = (
        "_chunks",
        "_error",
        "_on_demand",
        "_on_relief",
        "_waiter",
        "buffered",
        "ended",
        "length",
        "trailers",
    )

    def __init__(
        self,
        length: int | None,
        on_demand: Callable[[], None],
        on_relief: Callable[[], None],
    ) -> None:
        self.length = length
        self.trailers: Mapping[str, str] = {}
        self.buffered = 0
        self.ended = False
        self._chunks: deque[bytes] = deque()
        self._error: AwsError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._on_demand = on_demand
        self._on_relief = on_relief

    # The connection's side --------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Bytes arrived."""
        self._chunks.append(data)
        self.buffered += len(data)
        self._wake()

    def end(self, trailers: Mapping[str, str]) -> None:
        """The body is complete."""
        self.trailers = trailers
        self.ended = True
        self._wake()

    def fail(self, error: AwsError) -> None:
        """No more will come; the reader gets `error`."""
        if not self.ended and self._error is None:
            self._error = error
            self._wake()

    @property
    def waited_for(self) -> bool:
        """Whether a reader waits for bytes at this moment."""
        return self._waiter is not None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # The reader's side ------------------------------------------------------------------

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces()

    async def _pieces(self) -> AsyncIterator[bytes]:
        while True:
            while self._chunks:
                chunk = self._chunks.popleft()
                self.buffered -= len(chunk)
                if self.buffered < HIGH_WATER:
                    self._on_relief()
                yield chunk
            if self.ended:
                return
            if self._error is not None:
                raise self._error
            self._waiter = asyncio.get_running_loop().create_future()
            self._on_demand()
            try:
                await self._waiter
            finally:
                self._waiter = None

    async def read(self, limit: int | None = None) -> bytes:
        if limit is not None and self.length is not None and self.length > limit:
            raise too_large()
        pieces: list[bytes] = []
        size = 0
        async for piece in self._pieces():
            size += len(piece)
            if limit is not None and size > limit:
                raise too_large()
            pieces.append(piece)
        return b"".join(pieces)


class BytesBody:
    """A body that is complete already (a `core.streams.Body`)."""

    __slots__ = ("_data", "length", "trailers")

    def __init__(self, data: bytes, trailers: Mapping[str, str] | None = None) -> None:
        self._data = data
        self.length: int | None = len(data)
        self.trailers: Mapping[str, str] = trailers or {}

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces()

    async def _pieces(self) -> AsyncIterator[bytes]:
        data, self._data = self._data, b""
        if data:
            yield data

    async def read(self, limit: int | None = None) -> bytes:
        data, self._data = self._data, b""
        if limit is not None and len(data) > limit:
            raise too_large()
        return data
