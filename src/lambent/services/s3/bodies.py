"""Bytes on their way in and out: hashed, counted and staged; read back part by part."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lambent.core import checksums as core_checksums
from lambent.core.context import Params
from lambent.core.digests import content_md5
from lambent.core.errors import AwsError
from lambent.core.streams import Body
from lambent.services.s3 import checksums
from lambent.services.s3.errors import invalid_request, not_implemented
from lambent.services.s3.model import Part
from lambent.store.contract import Blobs, StagedBlob

PUT_LIMIT: Final = 5 * 1024**3
_STRETCH: Final = 256 * 1024
"""How many bytes are hashed at once beside the event loop; less is hashed on it."""
_SHORT: Final = 64 * 1024
"""Up to how many bytes a body is taken in one piece."""


@dataclass(frozen=True, slots=True)
class Received:
    """A body on disk. `etag` in hexadecimal, `checksum` in base64, `size` in bytes."""

    blob: StagedBlob | None
    size: int
    etag: str
    algorithm: str
    checksum: str
    kept: str = ""
    """The checksum by the algorithm to keep, where that is another one."""

    @property
    def blob_id(self) -> str:
        """The blob's id, "" for an empty body."""
        return "" if self.blob is None else self.blob.id


def too_large(size: int, limit: int = PUT_LIMIT) -> AwsError:
    """EntityTooLarge."""
    return AwsError(
        "EntityTooLarge",
        "Your proposed upload exceeds the maximum allowed size",
        400,
        {"ProposedSize": size, "MaxSizeAllowed": limit},
    )


def body_length(body: Body | bytes, headers: Mapping[str, str]) -> int:
    """How long an upload says it is, in bytes.

    NotImplemented for plain chunked transfer, MissingContentLength without any length.
    """
    length = len(body) if isinstance(body, bytes) else body.length
    if length is None and "transfer-encoding" in headers:
        raise not_implemented("Transfer-Encoding")
    if length is None or (headers and not length and "content-length" not in headers):
        raise AwsError(
            "MissingContentLength", "You must provide the Content-Length HTTP header.", 411
        )
    return length


def expected_md5(header: str | None) -> str | None:
    """The Content-MD5 header in hexadecimal; InvalidDigest when it is none."""
    return None if header is None else content_md5(header).hex()


def asked_checksum(params: Params, headers: Mapping[str, str]) -> tuple[str, str | None] | None:
    """Which checksum comes with the body, and its value when that is in a header.

    None without one. InvalidRequest when the headers contradict each other.
    """
    found = checksums.given(params)
    if found is not None:
        if params.get("ChecksumAlgorithm", found[0]).upper() != found[0]:
            raise invalid_request("Value for x-amz-sdk-checksum-algorithm header is invalid.")
        return found
    trailer = headers.get("x-amz-trailer", "").strip().lower()
    for name, header in checksums.HEADERS.items():
        if trailer == header:
            return name, None
    if "ChecksumAlgorithm" in params:
        raise invalid_request(
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* "
            "or x-amz-trailer headers were found."
        )
    return None


def bad_checksum(algorithm: str) -> AwsError:
    """BadDigest for a checksum that does not fit what was received."""
    return AwsError(
        "BadDigest", f"The {algorithm} you specified did not match the calculated checksum.", 400
    )


class _Intake:
    """Passes a body on while it hashes and counts; the checks come before the end."""

    def __init__(
        self,
        body: Body | bytes,
        *,
        limit: int,
        md5: str | None,
        algorithm: str,
        checksum: str | None,
        keep: str | None,
    ) -> None:
        self._body = body
        self._limit = limit
        self._expected_md5 = md5
        self._algorithm = algorithm
        self._expected = checksum
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._hasher = core_checksums.new(algorithm)
        self._kept: core_checksums.Checksum | None = None
        if keep is not None and keep != algorithm:
            self._kept = core_checksums.new(keep)
        self.size = 0
        self.etag = ""
        self.checksum = ""
        self.kept = ""

    def _hash(self, chunks: list[bytes]) -> None:
        for chunk in chunks:
            self._md5.update(chunk)
            self._hasher.update(chunk)
            if self._kept is not None:
                self._kept.update(chunk)

    async def whole(self) -> AsyncIterator[bytes]:
        """A short body: in one piece, hashed on the event loop."""
        body = self._body
        data = body if isinstance(body, bytes) else await body.read(self._limit)
        self.size = len(data)
        self._hash([data])
        self._check()
        if data:
            yield data

    async def chunks(self) -> AsyncIterator[bytes]:
        # Large bodies are hashed in a thread, one stretch behind what is passed on.
        hashing: asyncio.Future[None] | None = None
        loop = asyncio.get_running_loop()
        waiting: list[bytes] = []
        waiting_size = 0
        try:
            async for chunk in _pieces(self._body):
                self.size += len(chunk)
                if self.size > self._limit:
                    raise too_large(self.size, self._limit)
                waiting.append(chunk)
                waiting_size += len(chunk)
                if waiting_size >= _STRETCH:
                    if hashing is not None:
                        await hashing
                    hashing = loop.run_in_executor(None, self._hash, waiting)
                    waiting, waiting_size = [], 0
                yield chunk
        finally:
            if hashing is not None:
                await hashing
        self._hash(waiting)
        self._check()

    def _check(self) -> None:
        if not isinstance(self._body, bytes):
            length = self._body.length
            if length is not None and self.size < length:
                raise AwsError("IncompleteBody", "The request body terminated unexpectedly", 400)
        self.etag = self._md5.hexdigest()
        if self._expected_md5 is not None and self._expected_md5 != self.etag:
            raise AwsError(
                "BadDigest",
                "The Content-MD5 you specified did not match what we received.",
                400,
                {
                    "ExpectedDigest": self._expected_md5,
                    "CalculatedDigest": checksums.encode(self._md5.digest()),
                },
            )
        self.checksum = self.kept = checksums.encode(self._hasher.digest())
        if self._kept is not None:
            self.kept = checksums.encode(self._kept.digest())
        expected = self._expected
        if expected is None and not isinstance(self._body, bytes):
            expected = self._body.trailers.get(checksums.HEADERS[self._algorithm])
        if expected is not None and expected.strip() != self.checksum:
            raise bad_checksum(self._algorithm)


async def _pieces(body: Body | bytes) -> AsyncIterator[bytes]:
    if isinstance(body, bytes):
        if body:
            yield body
        return
    async for chunk in body:
        yield chunk


async def receive(
    blobs: Blobs,
    body: Body | bytes,
    *,
    algorithm: str,
    checksum: str | None = None,
    md5: str | None = None,
    limit: int = PUT_LIMIT,
    keep: str | None = None,
) -> Received:
    """Stage a body on disk, hashed; an error leaves nothing behind.

    `md5` (hexadecimal) and `checksum` (base64; else the body's trailer) are compared with
    what arrived: BadDigest. EntityTooLarge past `limit` bytes. `keep` is the algorithm whose
    checksum is wanted afterwards, when it is not the one that came with the body.
    """
    if not isinstance(body, bytes) and body.length is not None and body.length > limit:
        raise too_large(body.length, limit)
    intake = _Intake(body, limit=limit, md5=md5, algorithm=algorithm, checksum=checksum, keep=keep)
    length = len(body) if isinstance(body, bytes) else body.length
    short = length is not None and length <= min(_SHORT, limit)
    staged = await blobs.stage(intake.whole() if short else intake.chunks())
    return Received(
        staged if intake.size else None,
        intake.size,
        intake.etag,
        algorithm,
        intake.checksum,
        intake.kept,
    )


async def read_parts(
    blobs: Blobs, parts: Sequence[Part], start: int, length: int
) -> AsyncIterator[bytes]:
    """`length` bytes from `start` on, over the parts' blobs in order."""
    for part in parts:
        if length <= 0:
            return
        if start >= part.size:
            start -= part.size
            continue
        take = min(part.size - start, length)
        async for chunk in blobs.read(part.blob, start, take):
            yield chunk
        length -= take
        start = 0


async def opened(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes with the first piece already in hand, so that the blob is open.

    KeyError when the blob went away before.
    """
    first = await anext(chunks, b"")

    async def rest() -> AsyncIterator[bytes]:
        if first:
            yield first
        async for chunk in chunks:
            yield chunk

    return rest()
