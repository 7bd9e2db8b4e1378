"""Request bodies that come compressed (`Content-Encoding: gzip`), unpacked within bounds.

SDKs compress the requests of operations with the `requestCompression` trait; AWS takes gzip
for the others of its JSON, query and CBOR services too. S3 stores what it gets, so it never
unpacks. The signature covers the packed bytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from lambent.core.errors import AwsError

_GZIP_WINDOW = 31
_ENDED_EARLY = "the body ends early"


def is_packed(headers: Mapping[str, str], service: str) -> bool:
    """Whether the service has to unpack the request's body."""
    encoding = headers.get("content-encoding")
    return encoding is not None and service != "s3" and encoding.strip().lower() == "gzip"


def unpacked(data: bytes, limit: int) -> bytes | None:
    """The bytes in a gzip stream; None when they are more than `limit`, of which no more than
    that many are ever made. AwsError when it is no such stream."""
    pieces: list[bytes] = []
    left = limit
    try:
        while data:
            stream = zlib.decompressobj(_GZIP_WINDOW)
            piece = stream.decompress(data, left + 1)
            if len(piece) > left:
                return None
            if not stream.eof:
                raise zlib.error(_ENDED_EARLY)
            pieces.append(piece)
            left -= len(piece)
            data = stream.unused_data
    except zlib.error:
        raise AwsError(
            "SerializationException", "The request's body is not a valid gzip stream.", 400
        ) from None
    return b"".join(pieces)
