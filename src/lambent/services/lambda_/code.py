"""Function code: where it comes from, whether it can be used, and where it is unpacked.

An archive is staged as a blob and unpacked into the node's cache when it is uploaded, which
also shows whether it can be used. The cache goes by digest, so equal code is unpacked once;
what is missing there is unpacked again from the blob when it is run.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambent.core.context import RequestContext
from lambent.core.errors import AwsError
from lambent.core.registry import Registry
from lambent.core.streams import StreamingResult
from lambent.host import build
from lambent.services.lambda_ import errors
from lambent.store.contract import Blobs, StagedBlob

MAXIMUM_ZIPPED = 52_428_800


@dataclass(frozen=True, slots=True)
class Archive:
    """Checked code that is on disk but not yet linked. `sha256` is hexadecimal."""

    sha256: str
    size: int
    blob: StagedBlob


class CodeStore:
    """Takes code in and lays it out for the host."""

    def __init__(self, registry: Registry, blobs: Blobs, cache: Path) -> None:
        self._registry = registry
        self._blobs = blobs
        self._cache = cache / "code"
        self._unpacking: dict[str, asyncio.Task[Path]] = {}

    async def take(self, context: RequestContext, code: Mapping[str, Any]) -> Archive:
        """Fetch, check and stage what `code` (ZipFile, or S3Bucket and S3Key) names."""
        data = await self._fetch(context, code)
        await asyncio.to_thread(build.unpack, data, self._cache)
        staged = await self._blobs.stage(_once(data))
        return Archive(hashlib.sha256(data).hexdigest(), len(data), staged)

    async def _fetch(self, context: RequestContext, code: Mapping[str, Any]) -> bytes:
        zipped = code.get("ZipFile")
        if zipped is not None:
            if "S3Bucket" in code or "S3Key" in code:
                raise errors.invalid(
                    "Please do not provide other FunctionCode parameters when providing a ZipFile."
                )
            if len(zipped) > MAXIMUM_ZIPPED:
                raise AwsError(
                    "RequestEntityTooLargeException",
                    "Request must be smaller than 70167211 bytes for the CreateFunction operation",
                    413,
                )
            return bytes(zipped)
        if not code.get("S3Bucket") or not code.get("S3Key"):
            raise errors.invalid("Please provide a source for function code.")
        request = {"Bucket": code["S3Bucket"], "Key": code["S3Key"]}
        if code.get("S3ObjectVersion"):
            request["VersionId"] = code["S3ObjectVersion"]
        try:
            result = await self._registry.call(context, "s3", "GetObject", request)
        except AwsError as error:
            raise errors.invalid(
                f"Error occurred while GetObject. S3 Error Code: {error.code}. "
                f"S3 Error Message: {error.message}"
            ) from error
        body = result["Body"]
        if isinstance(body, StreamingResult):
            return b"".join([chunk async for chunk in body.chunks])
        assert isinstance(body, bytes)
        return body

    async def folder(self, sha256: str, blob: str) -> Path:
        """Where the archive lies unpacked; unpacks it the first time."""
        path = self._cache.absolute() / sha256
        if path.is_dir():
            return path
        pending = self._unpacking.get(sha256)
        if pending is None:
            pending = asyncio.create_task(self._unpack(blob))
            self._unpacking[sha256] = pending
            pending.add_done_callback(lambda _: self._unpacking.pop(sha256, None))
        return await asyncio.shield(pending)

    async def _unpack(self, blob: str) -> Path:
        return await asyncio.to_thread(build.unpack, await self.read(blob), self._cache)

    async def read(self, blob: str) -> bytes:
        """The archive as it was uploaded."""
        return b"".join([chunk async for chunk in self._blobs.read(blob)])


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
