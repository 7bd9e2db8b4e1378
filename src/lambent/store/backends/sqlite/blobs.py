"""Blobs: small ones in a table, others one file each in `blobs/`, both linked by a row.

A file is written under a temporary name, synced, renamed, and its folder synced, all in a
worker thread. It is live exactly when a committed row links it. Files without a row are
orphans: those of an earlier run are removed after the store is opened, and those that were
staged and never linked an hour later.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from lambent.core.clock import Clock
from lambent.core.errors import StoreUnavailable
from lambent.core.ids import Ids
from lambent.store.backends.files import (
    BLOCK_BYTES,
    INLINE_BYTES,
    PART,
    PIECE_BYTES,
    NewFile,
    ReadFile,
)
from lambent.store.backends.sqlite.commit import GroupCommit
from lambent.store.backends.sqlite.engine import Effect, Engine
from lambent.store.backends.sqlite.part import Part
from lambent.store.contract import StagedBlob

T = TypeVar("T")

ORPHAN_SECONDS: Final = 3600.0
SWEEP_AT_ONCE: Final = 500
THREADS: Final = 4


class BlobLinks(Part):
    """The blobs of a transaction."""

    __slots__ = ()

    async def link_blob(self, blob: StagedBlob) -> None:
        engine = self._engine
        engine.writing()
        engine.execute(
            "INSERT INTO blob (id, size, bytes) VALUES (?, ?, ?)",
            (blob.id, blob.size, blob.inline),
        )
        engine.effects.append((Effect.LINKED, blob.id))

    async def unlink_blob(self, id: str) -> None:
        engine = self._engine
        engine.writing()
        rows = engine.execute(
            "DELETE FROM blob WHERE id = ? RETURNING bytes IS NULL", (id,)
        ).fetchall()
        if rows == [(0,)]:
            return  # its bytes went with the row: there is no file to collect
        engine.effects.append((Effect.UNLINKED, id))


class BlobFiles:
    """The staged and linked bytes of one store, in `folder`."""

    def __init__(
        self,
        folder: Path,
        engine: Engine,
        clock: Clock,
        ids: Ids,
        commits: GroupCommit,
        sync: bool,
    ) -> None:
        self._folder = folder
        self._engine = engine
        self._clock = clock
        self._ids = ids
        self._commits = commits
        self._sync = sync
        self._writing: set[str] = set()
        self._staged: dict[str, float] = {}
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="lambent-blobs")

    async def stage(self, chunks: AsyncIterator[bytes]) -> StagedBlob:
        await self._forget_stale()
        id = self._ids.hex(32)
        file: NewFile | None = None
        buffer = bytearray()
        size = 0
        self._writing.add(id)
        try:
            async for chunk in chunks:
                buffer += chunk
                size += len(chunk)
                if len(buffer) >= BLOCK_BYTES:
                    file = file or NewFile(self._folder, id, self._sync)
                    await self._thread(file.write, buffer)
                    buffer = bytearray()
            if size <= INLINE_BYTES:
                return StagedBlob(id, size, bytes(buffer))
            file = file or NewFile(self._folder, id, self._sync)
            await self._thread(file.finish, buffer)
        except BaseException as error:
            # Not awaited by us if we are cancelled again, but done all the same.
            if file is not None:
                await asyncio.shield(self._thread(file.abandon))
            if isinstance(error, OSError):
                raise StoreUnavailable(f"The blob cannot be stored: {error.strerror}.") from error
            raise
        finally:
            self._writing.discard(id)
        self._later(file.close)
        self._staged[id] = self._clock.monotonic()
        return StagedBlob(id, size)

    async def read(
        self, id: str, start: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        await self._commits.connection()
        rows = self._engine.execute("SELECT size, bytes FROM blob WHERE id = ?", (id,)).fetchall()
        if self._engine.open:
            await self._commits.durable()
        if not rows:
            raise KeyError(id)
        size, inline = rows[0]
        end = size if length is None else min(size, start + length)
        if inline is not None:
            for at in range(start, end, PIECE_BYTES):
                yield inline[at : min(at + PIECE_BYTES, end)]
            return
        file = ReadFile(self._folder, id)
        ahead: asyncio.Future[list[bytes]] | None = None
        try:
            at = start
            while at < end:
                block = await (ahead or self._thread(file.read, at, end))
                if not block:
                    raise StoreUnavailable(f"The blob {id} is shorter than it was.")
                at += sum(map(len, block))
                # The next block is read while this one is sent.
                ahead = self._thread(file.read, at, end) if at < end else None
                for piece in block:
                    yield piece
        except FileNotFoundError:
            raise KeyError(id) from None
        except OSError as error:
            raise StoreUnavailable(f"The blob cannot be read: {error.strerror}.") from error
        finally:
            if ahead is not None:
                ahead.cancel()
            self._later(file.close)

    def committed(self, links: dict[str, bool]) -> None:
        """Links came (True) and went (False) in a commit."""
        gone = []
        for id, linked in links.items():
            self._staged.pop(id, None)
            if not linked:
                gone.append(id)
        if gone:
            self._later(_remove, self._folder, gone)

    async def sweep(self) -> None:
        """Remove the orphans of earlier runs."""
        names = await self._thread(os.listdir, self._folder)
        for first in range(0, len(names), SWEEP_AT_ONCE):
            await self._commits.connection()
            orphans = [name for name in names[first : first + SWEEP_AT_ONCE] if self._orphan(name)]
            if orphans:
                await self._thread(_remove, self._folder, orphans)

    def close(self) -> None:
        """Finish what the threads do."""
        self._threads.shutdown()

    async def _forget_stale(self) -> None:
        """Remove what was staged an hour ago and never linked."""
        limit = self._clock.monotonic() - ORPHAN_SECONDS
        stale = []
        for id, staged in self._staged.items():
            if staged > limit:
                break
            stale.append(id)
        if stale:
            for id in stale:
                del self._staged[id]
            await self._thread(_remove, self._folder, stale)

    def _orphan(self, name: str) -> bool:
        id = name.removesuffix(PART)
        if id in self._writing or id in self._staged:
            return False
        return not self._engine.execute("SELECT 1 FROM blob WHERE id = ?", (name,)).fetchall()

    def _later(self, work: Callable[..., None], *arguments: object) -> None:
        try:
            self._threads.submit(work, *arguments)
        except RuntimeError:
            # The store was closed while someone still read; there is no thread to wait for.
            work(*arguments)

    def _thread(self, work: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._threads, work, *arguments)


def _remove(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        (folder / name).unlink(missing_ok=True)
