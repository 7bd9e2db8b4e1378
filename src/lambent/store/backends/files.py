"""One blob's file, read or written by worker threads.

A request may be cancelled while a thread still works for it. So each file has a lock:
closing waits for the call that runs, and calls that come after it do nothing, and no file
descriptor is ever used after it was closed.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

PART: Final = ".part"
"""Ends the name of a file that is still being written."""
INLINE_BYTES: Final = 32 * 1024
"""Blobs up to this size lie beside the records."""
PIECE_BYTES: Final = 256 * 1024
BLOCK_BYTES: Final = 1024 * 1024
"""What one visit to a worker thread reads or writes."""


class _File:
    """A file that is opened at its first use and closed once, from any thread."""

    def __init__(self, path: str, flags: int) -> None:
        self._path = path
        self._flags = flags | os.O_CLOEXEC
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._closed = False

    def open(self) -> int:
        """The descriptor. OSError as of `os.open`."""
        if self._closed:
            raise OSError(f"{self._path} was closed")
        if self._descriptor is None:
            self._descriptor = os.open(self._path, self._flags, 0o600)
        return self._descriptor

    def close(self) -> None:
        """Let go of the file, once the call that runs is done."""
        with self._lock:
            self._closed = True
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None


class ReadFile(_File):
    """A linked blob's file."""

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(f"{folder}/{name}", os.O_RDONLY)

    def read(self, at: int, end: int) -> list[bytes]:
        """The next block from offset `at` on, up to `end`, in pieces; empty at the file's end."""
        pieces = []
        end = min(end, at + BLOCK_BYTES)
        with self._lock:
            while at < end:
                piece = os.pread(self.open(), min(PIECE_BYTES, end - at), at)
                if not piece:
                    break
                pieces.append(piece)
                at += len(piece)
        return pieces


class NewFile(_File):
    """A file on its way to disk, under a temporary name until it is whole."""

    def __init__(self, folder: Path, name: str, sync: bool) -> None:
        super().__init__(f"{folder}/{name}{PART}", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        self._folder = folder
        self._final = f"{folder}/{name}"
        self._sync = sync

    def write(self, data: bytearray) -> None:
        """Append to the file."""
        with self._lock:
            self._append(data)

    def finish(self, data: bytearray) -> None:
        """Append the rest, and let the file be there for good."""
        with self._lock:
            self._append(data)
            if self._sync:
                os.fsync(self.open())
            os.rename(self._path, self._final)
            if self._sync:
                sync_folder(self._folder)

    def abandon(self) -> None:
        """Leave nothing behind."""
        self.close()
        for path in (self._path, self._final):
            with suppress(FileNotFoundError):
                os.unlink(path)

    def _append(self, data: bytearray) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self.open(), view) :]


def sync_folder(folder: Path) -> None:
    """Put a folder's entries on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
