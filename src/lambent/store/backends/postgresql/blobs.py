"""Blobs: small ones in a row, others under their id in a place (`places.py`).

A blob is live exactly when a committed row links it. What was staged and never linked, and
what a node that died could not remove, are orphans: whatever lies in the place for longer than
any upload takes and has no row.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from lambent.core.errors import StoreUnavailable
from lambent.core.ids import Ids
from lambent.store.backends.files import BLOCK_BYTES, INLINE_BYTES, PART, PIECE_BYTES
from lambent.store.backends.places import Place
from lambent.store.contract import StagedBlob

ORPHAN_SECONDS: Final = 24 * 3600.0
"""An upload may take an hour or two; the clocks of nodes and of the place may differ."""

Linked = tuple[int, bytes | None]
"""Size, and the bytes themselves when they are few."""


class Blobs:
    """The staged and linked bytes of one store. `linked` looks a row up; `live` tells which of
    some ids have one."""

    def __init__(
        self,
        place: Place,
        ids: Ids,
        linked: Callable[[str], Awaitable[Linked | None]],
        live: Callable[[list[str]], Awaitable[set[str]]],
    ) -> None:
        self._place = place
        self._ids = ids
        self._linked = linked
        self._live = live
        self._removing: set[asyncio.Task[None]] = set()

    async def stage(self, chunks: AsyncIterator[bytes]) -> StagedBlob:
        id = self._ids.hex(32)
        upload = self._place.upload(id)
        buffer = bytearray()
        size = 0
        try:
            async for chunk in chunks:
                buffer += chunk
                size += len(chunk)
                if len(buffer) >= BLOCK_BYTES:
                    await upload.write(buffer)
                    buffer = bytearray()
            if size <= INLINE_BYTES:
                return StagedBlob(id, size, bytes(buffer))
            if buffer:
                await upload.write(buffer)
            await upload.finish()
        except BaseException:
            # Not awaited by us if we are cancelled again, but done all the same.
            await asyncio.shield(upload.abandon())
            raise
        return StagedBlob(id, size)

    async def read(
        self, id: str, start: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        row = await self._linked(id)
        if row is None:
            raise KeyError(id)
        size, inline = row
        end = size if length is None else min(size, start + length)
        if inline is not None:
            for at in range(start, end, PIECE_BYTES):
                yield inline[at : min(at + PIECE_BYTES, end)]
        elif start < end:
            async for block in self._place.read(id, start, end):
                for piece in range(0, len(block), PIECE_BYTES):
                    yield block[piece : piece + PIECE_BYTES]

    def unlinked(self, ids: list[str]) -> None:
        """These links went in a commit."""
        task = asyncio.get_running_loop().create_task(self._remove(ids))
        self._removing.add(task)
        task.add_done_callback(self._removing.discard)

    async def sweep(self, now: float) -> int:
        """Remove the orphans; how many there were."""
        removed = 0
        async for names in self._place.older(ORPHAN_SECONDS, now):
            live = await self._live([name.removesuffix(PART) for name in names])
            orphans = [name for name in names if name not in live]
            if orphans:
                await self._place.remove(orphans)
                removed += len(orphans)
        return removed

    async def close(self) -> None:
        """Finish what runs."""
        await asyncio.gather(*self._removing, return_exceptions=True)
        await self._place.close()

    async def _remove(self, ids: list[str]) -> None:
        try:
            await self._place.remove(ids)
        except StoreUnavailable:
            return  # orphans now: the next sweep finds them
