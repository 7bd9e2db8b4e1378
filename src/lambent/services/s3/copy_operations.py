"""CopyObject, and the source side that UploadPartCopy shares with it."""

from __future__ import annotations

from typing import Any

import msgspec

from lambent.core.context import Params, RequestContext, Result
from lambent.services.s3 import checksums, details, reading, restores
from lambent.services.s3.access import check_object, open_bucket
from lambent.services.s3.bodies import PUT_LIMIT, Received, receive
from lambent.services.s3.copy_source import (
    CopySource,
    check_copy_conditions,
    check_directives,
    parse_copy_source,
)
from lambent.services.s3.errors import (
    invalid_request,
    no_such_key,
    no_such_version,
    not_in_active_tier,
)
from lambent.services.s3.model import ENABLED, Bucket, Details, Version
from lambent.services.s3.names import key_bytes
from lambent.services.s3.object_operations import ObjectOperations
from lambent.services.s3.ranges import parse_copy_range
from lambent.services.s3.reading import quoted
from lambent.services.s3.streams import StreamedCopy
from lambent.store.contract import Transaction

_ATTEMPTS = 8


class CopyOperations(ObjectOperations):
    """Copies are streamed from blob to blob; nothing is shared between objects."""

    async def find_source(
        self, tx: Transaction, context: RequestContext, params: Params, source: CopySource
    ) -> tuple[Bucket, Version]:
        """The source's bucket and version, conditions held."""
        bucket = await open_bucket(
            tx,
            context,
            {**params, "Key": source.key},
            "s3:GetObject",
            name=source.bucket,
            expected="ExpectedSourceBucketOwner",
        )
        raw = key_bytes(source.key)
        if source.version_id is None:
            version = await self.versions.current(tx, bucket, raw)
        else:
            version = await self.versions.find(tx, bucket, raw, source.version_id)
        await check_object(tx, context, bucket, "s3:GetObject", source.key, version, params)
        if version is None:
            if source.version_id is not None:
                raise no_such_version(source.key, source.version_id)
            raise no_such_key(source.key)
        if version.marker:
            raise invalid_request(
                "The source of a copy request may not specifically refer to a delete marker "
                "by version id."
            )
        if restores.is_archived(version, tx.now):
            raise not_in_active_tier()
        details.check_customer_key(version, details.customer_key(params, "CopySource"))
        check_copy_conditions(version, params)
        return bucket, version

    async def copy_bytes(
        self,
        context: RequestContext,
        params: Params,
        source: CopySource,
        algorithm: str | None,
        precheck: Any,
    ) -> tuple[Bucket, Version, Received]:
        """Stage a copy of the source's bytes (of its range, if one is asked).

        `precheck(tx)` looks at the destination before anything is copied.
        """

        async def look(tx: Transaction) -> tuple[Bucket, Version]:
            await precheck(tx)
            return await self.find_source(tx, context, params, source)

        for attempt in range(_ATTEMPTS):
            bucket, version = await self.store.transact(look)
            start, length = 0, version.size
            if "CopySourceRange" in params:
                span = parse_copy_range(params["CopySourceRange"], version.size)
                start, length = span.start, span.length
            if length > PUT_LIMIT:
                raise invalid_request(
                    "The specified copy source is larger than the maximum allowable size for a "
                    f"copy source: {PUT_LIMIT}"
                )
            try:
                chunks = await self.open_version(version, start, length)
            except KeyError:
                # The source was overwritten between the look-up and the read: look again.
                if attempt == _ATTEMPTS - 1:
                    raise
                continue
            received = await receive(
                self.store.blobs,
                StreamedCopy(chunks, length),
                algorithm=algorithm or version.algorithm or checksums.DEFAULT,
            )
            return bucket, version, received
        raise AssertionError("unreachable")

    async def copy_object(self, context: RequestContext, params: Params) -> Result:
        key_bytes(params["Key"])
        source = parse_copy_source(params["CopySource"])
        check_directives(params, source)
        algorithm = params.get("ChecksumAlgorithm")
        if algorithm is not None:
            algorithm = checksums.check_algorithm(algorithm)

        async def precheck(tx: Transaction) -> None:
            bucket = await open_bucket(tx, context, params, "s3:PutObject")
            await self.check_write(tx, bucket, params)
            await self.admit_details(tx, context, bucket, params)

        origin, original, received = await self.copy_bytes(
            context, params, source, algorithm, precheck
        )

        async def store(tx: Transaction) -> dict[str, Any]:
            bucket = await open_bucket(tx, context, params, "s3:PutObject")
            await self.check_write(tx, bucket, params)
            about = _copied_details(
                params, original, await self.admit_details(tx, context, bucket, params)
            )
            version = await self.link(tx, bucket, params["Key"], received, about)
            event = "s3:ObjectCreated:Copy"
            await self.emit(tx, context, bucket, event, params["Key"], version)
            result: dict[str, Any] = {
                "CopyObjectResult": {
                    "ETag": quoted(version.etag),
                    "LastModified": int(version.modified),
                    **reading.shown_checksum(version),
                },
                **version.details.encryption,
            }
            result["Expiration"] = await self.expiration(tx, bucket, params["Key"], version)
            if bucket.versioning == ENABLED:
                result["VersionId"] = version.version_id
            if origin.versioning:
                result["CopySourceVersionId"] = original.shown_id
            return result

        return await self.store.transact(store)


def _copied_details(params: Params, original: Version, asked: Details) -> Details:
    # Storage class, redirect, encryption and grants are the request's; the rest by directive.
    kept = original.details
    changes: dict[str, Any] = {}
    if params.get("MetadataDirective", "COPY") == "COPY":
        headers = {
            name: value for name, value in kept.headers.items() if name in details.CONTENT_HEADERS
        }
        if "WebsiteRedirectLocation" in asked.headers:
            headers["WebsiteRedirectLocation"] = asked.headers["WebsiteRedirectLocation"]
        changes["headers"], changes["metadata"] = headers, kept.metadata
    if params.get("TaggingDirective", "COPY") == "COPY":
        changes["tags"] = kept.tags
    return msgspec.structs.replace(asked, **changes)
