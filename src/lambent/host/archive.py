"""Taking a deployment package (zip) apart, safely: nothing lands outside its folder.

Source of limit and messages: Lambda Developer Guide, "Lambda quotas", and the errors of
CreateFunction.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from lambent.core.errors import AwsError

MAX_UNZIPPED = 262_144_000
"""Bytes that a function's code may have, unpacked."""
MAX_FILES = 200_000
"""Entries that an archive may have. AWS names no limit; empty files cost a disk as well."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_CHUNK = 1 << 20
_CORRUPT = "Could not unzip uploaded file. Please check your file, then try to upload again."
_TOO_LARGE = f"Unzipped size must be smaller than {MAX_UNZIPPED} bytes"
_TOO_MANY = f"The archive must have at most {MAX_FILES} files"
_EMPTY = "Uploaded file must be a non-empty zip"


def extract(code: bytes | Path, folder: Path, limit: int = MAX_UNZIPPED) -> None:
    """Unpack a zip into an empty folder, keeping executable bits.

    AwsError InvalidParameterValueException when it is empty, corrupt, unsafe (absolute
    paths, `..`, links that lead out), or has `limit` bytes or more. OSError when the disk is
    full.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(code) if isinstance(code, bytes) else code) as archive:
            _extract(archive, folder, limit)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            raise
        raise _refused(_CORRUPT) from error
    except (RuntimeError, NotImplementedError) as error:  # encrypted, unknown compression
        raise _refused(_CORRUPT) from error


def _extract(archive: zipfile.ZipFile, folder: Path, limit: int) -> None:
    entries = archive.infolist()
    if not entries:
        raise _refused(_EMPTY)
    if len(entries) > MAX_FILES:
        raise _refused(_TOO_MANY)
    if sum(entry.file_size for entry in entries) >= limit:
        raise _refused(_TOO_LARGE)
    left = limit
    links: list[tuple[Path, str]] = []
    for entry in entries:
        path = folder / _safe(entry.filename)
        mode = entry.external_attr >> 16
        if entry.is_dir():
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if stat.S_ISLNK(mode):
            links.append((path, archive.read(entry).decode()))
            continue
        left -= _write(archive, entry, path, left)
        path.chmod(0o644 | (mode & 0o111))
    # Links come last, so that nothing is ever written through one.
    for path, target in links:
        path.symlink_to(target)
    root = os.path.realpath(folder) + os.sep
    for path, _ in links:
        if not (os.path.realpath(path) + os.sep).startswith(root):
            raise _refused(_CORRUPT)


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, left: int) -> int:
    """Write one file; its real size counts, whatever the archive's directory says."""
    size = 0
    with archive.open(entry) as source, path.open("wb") as target:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size >= left:
                raise _refused(_TOO_LARGE)
            target.write(chunk)
    return size


def _safe(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise _refused(_CORRUPT)
    return path


def _refused(message: str) -> AwsError:
    return AwsError("InvalidParameterValueException", message, 400)
