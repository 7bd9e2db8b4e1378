"""The checksums of S3: incremental, by algorithm name, in base64 as the wire has them.

Source: Amazon S3 User Guide, "Checking object integrity". Knows nothing of requests.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable
from functools import cache
from typing import Final, Protocol


class Checksum(Protocol):
    """A checksum in the making."""

    def update(self, data: bytes) -> None:
        """Take more bytes in."""
        ...

    def digest(self) -> bytes:
        """The checksum of all bytes so far, big-endian."""
        ...


class _Crc:
    """A CRC, from a function that carries one on over more bytes."""

    def __init__(self, size: int, step: Callable[[bytes, int], int]) -> None:
        self._size = size
        self._step = step
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = self._step(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


@cache
def _anycrc(model: str) -> Callable[[bytes, int], int]:
    import anycrc  # 10 ms, and few requests need it

    step: Callable[[bytes, int], int] = anycrc.Model(model).calc
    return step


def _xxhash(kind: str) -> Checksum:
    import xxhash  # as above

    checksum: Checksum = getattr(xxhash, kind)()
    return checksum


_MAKERS: Final[dict[str, Callable[[], Checksum]]] = {
    "CRC32": lambda: _Crc(4, zlib.crc32),
    "CRC32C": lambda: _Crc(4, _anycrc("CRC32-ISCSI")),
    "CRC64NVME": lambda: _Crc(8, _anycrc("CRC64-NVME")),
    "SHA1": lambda: hashlib.sha1(usedforsecurity=False),
    "SHA256": hashlib.sha256,
    "SHA512": hashlib.sha512,
    "MD5": lambda: hashlib.md5(usedforsecurity=False),
    "XXHASH64": lambda: _xxhash("xxh64"),
    "XXHASH3": lambda: _xxhash("xxh3_64"),
    "XXHASH128": lambda: _xxhash("xxh3_128"),
}

ALGORITHMS: Final = tuple(_MAKERS)
"""The algorithms' names as the S3 API writes them."""

HEADERS: Final = {f"x-amz-checksum-{name.lower()}": name for name in ALGORITHMS}
"""The header (or trailer) that carries each algorithm's value."""


def new(algorithm: str) -> Checksum:
    """A fresh checksum; KeyError for an algorithm that S3 does not have."""
    return _MAKERS[algorithm]()


def encoded(checksum: Checksum) -> str:
    """The value in base64."""
    return base64.b64encode(checksum.digest()).decode("ascii")


def of(algorithm: str, data: bytes) -> str:
    """The base64 checksum of bytes at hand."""
    checksum = new(algorithm)
    checksum.update(data)
    return encoded(checksum)
