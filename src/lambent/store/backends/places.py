"""Where the bytes of large blobs lie, outside of the database: a folder, or an object store.

A place knows names and bytes alone; which of them are live is written in the database. It may
be shared by many nodes. What it holds under a name never changes and appears whole.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Protocol, TypeVar

from lambent.core.errors import StartupError, StoreUnavailable
from lambent.store.backends.files import NewFile, ReadFile

T = TypeVar("T")

LISTED_AT_ONCE: Final = 500
THREADS: Final = 4


class Upload(Protocol):
    """Bytes on their way; not there before `finish` returns."""

    async def write(self, data: bytearray) -> None:
        """Append. StoreUnavailable when the place does not take them."""
        ...

    async def finish(self) -> None:
        """Let the bytes be there, durably, and whole."""
        ...

    async def abandon(self) -> None:
        """Leave nothing behind."""
        ...


class Place(Protocol):
    """A folder or an object store. Errors of the place are StoreUnavailable."""

    def upload(self, name: str) -> Upload:
        """Begin to write under a name that was never used."""
        ...

    def read(self, name: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Bytes from `start` to before `end`, in pieces; KeyError when there are none. What was
        opened can be read to its end even if it is removed meanwhile."""
        ...

    async def remove(self, names: list[str]) -> None:
        """Remove what there is under these names."""
        ...

    def older(self, seconds: float, now: float) -> AsyncIterator[list[str]]:
        """The names, in some order and some at a time, of what was written that long before
        `now`, finished or not."""
        ...

    async def close(self) -> None:
        """Finish what runs."""
        ...


class Folder:
    """A folder of this machine, or one that all nodes share. `sync`: survive a power loss."""

    def __init__(self, folder: Path, sync: bool = True) -> None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StartupError(
                f"The blobs' folder {folder} cannot be written to: {error.strerror}."
            ) from error
        self.folder = folder
        self.sync = sync
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="lambent-blobs")

    def upload(self, name: str) -> Upload:
        return _FileUpload(self, NewFile(self.folder, name, self.sync))

    async def read(self, name: str, start: int, end: int) -> AsyncIterator[bytes]:
        file = ReadFile(self.folder, name)
        try:
            at = start
            while at < end:
                block = await self.thread(file.read, at, end)
                if not block:
                    raise StoreUnavailable(f"The blob {name} is shorter than it was.")
                at += sum(map(len, block))
                for piece in block:
                    yield piece
        except FileNotFoundError:
            raise KeyError(name) from None
        except OSError as error:
            raise StoreUnavailable(f"The blob cannot be read: {error.strerror}.") from error
        finally:
            self.later(file.close)

    async def remove(self, names: list[str]) -> None:
        await self.thread(_remove, self.folder, names)

    async def older(self, seconds: float, now: float) -> AsyncIterator[list[str]]:
        names = await self.thread(os.listdir, self.folder)
        for first in range(0, len(names), LISTED_AT_ONCE):
            some = names[first : first + LISTED_AT_ONCE]
            old = await self.thread(_written_before, self.folder, some, now - seconds)
            if old:
                yield old

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)

    def thread(self, work: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
        """Do it in a worker thread."""
        return asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    def later(self, work: Callable[..., None], *arguments: object) -> None:
        """Do it without waiting."""
        try:
            self._threads.submit(work, *arguments)
        except RuntimeError:
            # It was closed while someone still read; there is no thread to wait for.
            work(*arguments)


class _FileUpload:
    def __init__(self, place: Folder, file: NewFile) -> None:
        self._place = place
        self._file = file

    async def write(self, data: bytearray) -> None:
        await self._do(self._file.write, data)

    async def finish(self) -> None:
        await self._do(self._file.finish, bytearray())
        self._place.later(self._file.close)

    async def abandon(self) -> None:
        await self._place.thread(self._file.abandon)

    async def _do(self, work: Callable[[bytearray], None], data: bytearray) -> None:
        try:
            await self._place.thread(work, data)
        except OSError as error:
            raise StoreUnavailable(f"The blob cannot be stored: {error.strerror}.") from error


def _remove(folder: Path, names: list[str]) -> None:
    for name in names:
        (folder / name).unlink(missing_ok=True)


def _written_before(folder: Path, names: list[str], time: float) -> list[str]:
    old = []
    for name in names:
        try:
            if (folder / name).stat().st_mtime < time:
                old.append(name)
        except FileNotFoundError:
            continue
    return old
