"""Checksums: the algorithms, and how those of parts make one of the whole.

Source: "Checking object integrity for data uploads in Amazon S3". A *composite* checksum is
the checksum of the parts' checksums, with "-N"; a *full object* one is that of all bytes,
which only CRCs allow to be computed from those of the parts.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from lambent.core import checksums as core
from lambent.core.errors import AwsError

DEFAULT: Final = "CRC64NVME"
COMPOSITE: Final = "COMPOSITE"
FULL_OBJECT: Final = "FULL_OBJECT"


_CRC_WIDTHS: Final = {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8}
_MODELS: Final = {"CRC32": "CRC32", "CRC32C": "CRC32-ISCSI", "CRC64NVME": "CRC64-NVME"}
MEMBERS: Final = {name: f"Checksum{name}" for name in core.ALGORITHMS}
_ALL_MEMBERS: Final = frozenset(MEMBERS.values())
HEADERS: Final = {name: header for header, name in core.HEADERS.items()}


def encode(digest: bytes) -> str:
    """A digest as headers carry it."""
    return base64.b64encode(digest).decode()


@cache
def _width(algorithm: str) -> int:
    return len(core.new(algorithm).digest())


def is_wellformed(algorithm: str, value: str) -> bool:
    """Whether the header's value is base64 of a digest of the algorithm's width."""
    try:
        return len(base64.b64decode(value, validate=True)) == _width(algorithm)
    except binascii.Error:
        return False


def given(source: Mapping[str, object]) -> tuple[str, str] | None:
    """The algorithm and value among an operation's `Checksum*` members; None without one.

    InvalidRequest when there are several, or when the value is no digest.
    """
    if _ALL_MEMBERS.isdisjoint(source):
        return None
    found = [(name, str(source[member])) for name, member in MEMBERS.items() if member in source]
    if len(found) > 1:
        raise AwsError(
            "InvalidRequest",
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
            400,
        )
    algorithm, value = found[0]
    if not is_wellformed(algorithm, value):
        raise AwsError("InvalidRequest", f"Value for {HEADERS[algorithm]} header is invalid.", 400)
    return algorithm, value


def check_algorithm(name: str) -> str:
    """The algorithm of an `x-amz-checksum-algorithm` header, in upper case."""
    if name.upper() not in MEMBERS:
        raise AwsError(
            "InvalidRequest",
            "Checksum algorithm provided is unsupported. Please try again with any of the "
            "valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
            400,
        )
    return name.upper()


def default_type(algorithm: str) -> str:
    """How a multipart upload's checksum is made unless the request says."""
    return FULL_OBJECT if algorithm == "CRC64NVME" else COMPOSITE


def allows_type(algorithm: str, kind: str) -> bool:
    """Whether a multipart upload may have this checksum type with the algorithm."""
    if kind == FULL_OBJECT:
        return algorithm in _CRC_WIDTHS
    return algorithm != "CRC64NVME"


def composite(algorithm: str, parts: Sequence[str]) -> str:
    """The checksum of the parts' checksums (base64), with their number."""
    whole = core.new(algorithm)
    for part in parts:
        whole.update(base64.b64decode(part))
    return f"{core.encoded(whole)}-{len(parts)}"


def combine(algorithm: str, parts: Sequence[tuple[str, int]]) -> str:
    """The CRC of all bytes from the parts' CRCs (base64) and lengths."""
    import anycrc  # as in core.checksums: few requests need it

    model = anycrc.Model(_MODELS[algorithm])
    total = model.calc(b"")
    for value, size in parts:
        total = model.combine(total, int.from_bytes(base64.b64decode(value), "big"), size)
    return encode(total.to_bytes(_CRC_WIDTHS[algorithm], "big"))
