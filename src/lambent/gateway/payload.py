"""A request's body, decoded: `aws-chunked` framing off, payload hash verified.

Complete bodies are decoded at once; streaming ones as they are read.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from typing import Final

from lambent.core.errors import AwsError
from lambent.core.streams import Body
from lambent.gateway.aws_chunked import ChunkedDecoder, Verifier
from lambent.gateway.body import BytesBody, too_large
from lambent.gateway.sigv4 import UNSIGNED

_STREAMING: Final = "STREAMING-"


def is_chunked(headers: Mapping[str, str]) -> bool:
    """Whether the body comes in `aws-chunked` framing.

    A body whose own hash was signed is not: its framing would be part of what was hashed.
    """
    payload = headers.get("x-amz-content-sha256")
    if payload is not None and payload.startswith(_STREAMING):
        return True
    encoding = headers.get("content-encoding")
    return (
        encoding is not None
        and "aws-chunked" in encoding
        and (payload is None or payload == UNSIGNED)
    )


def plain_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers as if the body had come without the framing."""
    plain = dict(headers)
    encodings = [name.strip() for name in plain.pop("content-encoding", "").split(",")]
    kept = ",".join(name for name in encodings if name and name != "aws-chunked")
    if kept:
        plain["content-encoding"] = kept
    plain.pop("content-length", None)
    decoded = plain.get("x-amz-decoded-content-length")
    if decoded is not None:
        plain["content-length"] = decoded
    return plain


def unchunked(
    headers: Mapping[str, str], body: bytes | Body, verifier: Verifier | None
) -> BytesBody | DecodedBody:
    """The body without its framing; AwsError when it is complete already and wrong."""
    decoded = headers.get("x-amz-decoded-content-length")
    if decoded is not None and not (decoded.isdecimal() and len(decoded) < 20):
        raise AwsError(
            "InvalidArgument", "Invalid value for the x-amz-decoded-content-length header.", 400
        )
    length = int(decoded) if decoded is not None else None
    announced = frozenset(
        name.strip().lower() for name in headers.get("x-amz-trailer", "").split(",") if name.strip()
    )
    decoder = ChunkedDecoder(length, announced, verifier)
    if isinstance(body, bytes):
        pieces = decoder.feed(body)
        decoder.finish()
        return BytesBody(b"".join(pieces), decoder.trailers)
    return DecodedBody(body, decoder, length)


class DecodedBody:
    """A streaming body without its framing (a `core.streams.Body`)."""

    def __init__(self, source: Body, decoder: ChunkedDecoder, length: int | None) -> None:
        self.length = length
        self.trailers: Mapping[str, str] = decoder.trailers
        self._source = source
        self._decoder = decoder

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces()

    async def _pieces(self) -> AsyncIterator[bytes]:
        async for data in self._source:
            for piece in self._decoder.feed(data):
                yield piece
        self._decoder.finish()

    async def read(self, limit: int | None = None) -> bytes:
        return await _collect(self, limit)


class HashedBody:
    """A streaming body whose SHA-256 must be the given one (a `core.streams.Body`)."""

    def __init__(self, source: Body, expected: str) -> None:
        self.length = source.length
        self.trailers = source.trailers
        self._source = source
        self._expected = expected

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces()

    async def _pieces(self) -> AsyncIterator[bytes]:
        digest = hashlib.sha256()
        async for data in self._source:
            digest.update(data)
            yield data
        check_hash(self._expected, digest.hexdigest())

    async def read(self, limit: int | None = None) -> bytes:
        return await _collect(self, limit)


def check_hash(expected: str, actual: str) -> None:
    """AwsError when a payload's hash is not the one that was signed."""
    if expected != actual:
        raise AwsError(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
            400,
            {"ClientComputedContentSHA256": expected, "S3ComputedContentSHA256": actual},
        )


async def _collect(body: Body, limit: int | None) -> bytes:
    if limit is not None and body.length is not None and body.length > limit:
        raise too_large()
    pieces: list[bytes] = []
    size = 0
    async for piece in body:
        size += len(piece)
        if limit is not None and size > limit:
            raise too_large()
        pieces.append(piece)
    return b"".join(pieces)
