"""The data folder: made, locked to one process, and its database opened.

Layout: `lock` (held with flock while the store is open), `lambent.db` with its write-ahead
log, `blobs/`. The folder is its owner's alone: it holds secrets.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

import apsw

from lambent.core.errors import StartupError
from lambent.store.backends.sqlite.schema import migrate

CACHE_KIB = 32 * 1024
WAL_LIMIT_BYTES = 64 * 1024 * 1024


class FolderLock:
    """A data folder that no other process may open until `release`."""

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        try:
            self._fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unwritable(folder, error) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._fd, 20, 0).decode("ascii", "replace").strip()
            os.close(self._fd)
            raise StartupError(
                f"The data folder {folder} is in use by another Lambent node"
                f"{f' (process {holder})' if holder else ''}."
            ) from error
        with suppress(OSError):  # the number only tells who holds it
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Let others open the folder."""
        os.close(self._fd)


def make_folder(folder: Path) -> Path:
    """The folder, made if need be. StartupError when it cannot be written to."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError as error:
        raise StartupError(f"{folder} is no folder: choose one with --data-dir.") from error
    except OSError as error:
        raise _unwritable(folder, error) from error
    return folder


def _unwritable(folder: Path, error: OSError) -> StartupError:
    return StartupError(f"The data folder {folder} cannot be written to: {error.strerror}.")


def _keep_private(database: Path) -> None:
    """Let only the owner read the file, in whatever folder it lies; SQLite gives the
    write-ahead log the same mode."""
    descriptor = os.open(database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def refuse_blobs_alone(folder: Path) -> None:
    """StartupError when the folder has blobs but its database is gone: without it all of them
    would pass for orphans, and be removed."""
    database = folder / "lambent.db"
    gone = not database.exists() or database.stat().st_size == 0
    if gone and any((folder / "blobs").iterdir()):
        raise StartupError(
            f"The data folder {folder} holds blobs but no database: put lambent.db back, or "
            "take blobs away."
        )


def open_database(folder: Path | None) -> apsw.Connection:
    """Open and migrate the database of a locked folder; None: one in memory.

    StartupError in one sentence when it cannot be used.
    """
    try:
        if folder is not None:
            _keep_private(folder / "lambent.db")
        db = apsw.Connection(
            str(folder / "lambent.db") if folder else ":memory:", statementcachesize=200
        )
    except OSError as error:
        raise StartupError(
            f"The data folder {folder} cannot be opened: {error.strerror}."
        ) from error
    except apsw.Error as error:
        raise StartupError(f"The data folder {folder} cannot be opened: {error}.") from error
    try:
        db.pragma("locking_mode", "EXCLUSIVE")
        db.pragma("journal_mode", "WAL")
        db.pragma("synchronous", "FULL")
        db.pragma("cache_size", -CACHE_KIB)
        db.pragma("temp_store", "MEMORY")
        db.pragma("journal_size_limit", WAL_LIMIT_BYTES)
        migrate(db, folder)
    except apsw.NotADBError as error:
        db.close()
        raise StartupError(f"The data folder {folder} holds a damaged database.") from error
    except apsw.Error as error:
        db.close()
        raise StartupError(f"The data folder {folder} cannot be used: {error}.") from error
    except BaseException:
        db.close()
        raise
    return db
