"""A response on its way from a streaming function to its caller, with bounded memory.

The writer is the runtime's connection, told to pause when the reader falls behind; the reader
is whoever answers the caller. A reader that goes away does not stop the function: what is
still written is thrown away, as Lambda does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable

MAX_STREAMED = 209_715_200
"""Bytes of a streamed response (Lambda quotas: 200 MB)."""
_ROOM = 256 * 1024


class ResponseStream:
    """One response. `begin`, `write` and `end` are the writer's, the rest the reader's."""

    def __init__(self) -> None:
        self.content_type: str | None = None
        self.began = asyncio.Event()
        self._news = asyncio.Event()
        self._chunks: deque[bytes] = deque()
        self._waiting = 0
        self._ended = False
        self._abandoned = False
        self._resume: Callable[[], None] | None = None

    def begin(self, content_type: str) -> None:
        """The runtime begins to answer."""
        self.content_type = content_type
        self.began.set()

    def write(self, data: bytes, resume: Callable[[], None]) -> bool:
        """Take a piece; False when no more should come until `resume` is called."""
        if self._abandoned:
            return True
        self._chunks.append(data)
        self._waiting += len(data)
        self._news.set()
        if self._waiting <= _ROOM:
            return True
        self._resume = resume
        return False

    def end(self) -> None:
        """No more comes, whether the response is whole or not."""
        self._ended = True
        self._news.set()

    def over(self) -> None:
        """The invocation is over, whether it ever began to answer or not."""
        self.began.set()
        self.end()

    def abandon(self) -> None:
        """Nobody reads any more."""
        self._abandoned = True
        self._chunks.clear()
        self._make_room(self._waiting)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The pieces as they come, until the end."""
        try:
            while True:
                while self._chunks:
                    piece = self._chunks.popleft()
                    self._make_room(len(piece))
                    yield piece
                if self._ended:
                    return
                self._news.clear()
                await self._news.wait()
        finally:
            self.abandon()

    def _make_room(self, size: int) -> None:
        self._waiting -= size
        if self._resume is not None and self._waiting <= _ROOM // 2:
            resume, self._resume = self._resume, None
            resume()
