"""Writing, reading and deleting objects."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.core.streams import StreamingResult
from lambent.services.s3 import checksums, details, lifecycle, mfa, reading, restores
from lambent.services.s3.access import admit, expected_bucket, open_bucket
from lambent.services.s3.base import Base
from lambent.services.s3.bodies import (
    Received,
    asked_checksum,
    body_length,
    expected_md5,
    opened,
    read_parts,
    receive,
)
from lambent.services.s3.conditions import check_write
from lambent.services.s3.errors import (
    invalid_argument,
    invalid_request,
    malformed_xml,
    no_such_key,
)
from lambent.services.s3.locking import check_unlocked
from lambent.services.s3.model import (
    ENABLED,
    SETTINGS,
    Bucket,
    Details,
    Part,
    Version,
    unpack_document,
)
from lambent.services.s3.names import key_bytes
from lambent.services.s3.reading import Selection, quoted
from lambent.store.contract import Transaction

_SMALL: Final = 64 * 1024
_BATCH: Final = 1000
_READ_ATTEMPTS: Final = 8
_ATTRIBUTES: Final = frozenset({"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"})


def written(bucket: Bucket, version: Version) -> dict[str, Any]:
    """What a write answers with."""
    result: dict[str, Any] = {
        "ETag": quoted(version.etag),
        **version.details.encryption,
        **reading.shown_checksum(version),
    }
    if bucket.versioning == ENABLED:
        result["VersionId"] = version.version_id
    return result


def _has_digest(context: RequestContext, params: Params) -> bool:
    return "ContentMD5" in params or asked_checksum(params, context.headers) is not None


class ObjectOperations(Base):
    """PutObject, GetObject, HeadObject, DeleteObject, DeleteObjects, GetObjectAttributes."""

    async def put_object(self, context: RequestContext, params: Params) -> Result:
        return await self.put_as(context, params, "s3:ObjectCreated:Put")

    async def put_as(self, context: RequestContext, params: Params, event: str) -> dict[str, Any]:
        """Store the object and report it as `event`; form uploads come this way too."""
        key_bytes(params["Key"])
        md5 = expected_md5(params.get("ContentMD5"))
        asked = asked_checksum(params, context.headers)
        body = params.get("Body") or b""
        length = body_length(body, context.headers)
        if length > _SMALL:
            # A large body is not taken in for nothing.
            async def precheck(tx: Transaction) -> None:
                await self._admit(tx, context, params)

            await self.store.transact(precheck)
        algorithm, value = asked or (checksums.DEFAULT, None)
        received = await receive(
            self.store.blobs, body, algorithm=algorithm, checksum=value, md5=md5
        )

        async def store(tx: Transaction) -> dict[str, Any]:
            bucket, about = await self._admit(tx, context, params)
            version = await self.link(tx, bucket, params["Key"], received, about)
            await self.emit(tx, context, bucket, event, params["Key"], version)
            result = written(bucket, version)
            if bucket.lifecycle:
                result["Expiration"] = await self.expiration(tx, bucket, params["Key"], version)
            return result

        return await self.store.transact(store)

    async def expiration(
        self, tx: Transaction, bucket: Bucket, key: str, version: Version
    ) -> str | None:
        """When lifecycle rules end the current version, as x-amz-expiration says it."""
        if not bucket.lifecycle:
            return None
        rules = await self.lifecycle_rules(tx, bucket)
        return lifecycle.expiration_header(lifecycle.expiration(rules, key, version))

    async def lifecycle_rules(self, tx: Transaction, bucket: Bucket) -> list[lifecycle.Rule]:
        """The bucket's lifecycle rules that act."""
        record = await tx.get(SETTINGS, bucket.key, b"lifecycle")
        return lifecycle.enabled(None if record is None else unpack_document(record.value))

    async def _admit(
        self, tx: Transaction, context: RequestContext, params: Params
    ) -> tuple[Bucket, Details]:
        # Whether the write may be, as far as can be told without its body.
        bucket = await open_bucket(tx, context, params, "s3:PutObject")
        await self.check_write(tx, bucket, params)
        about = await self.admit_details(tx, context, bucket, params)
        if (about.retention is not None or about.legal_hold) and not _has_digest(context, params):
            raise invalid_request(
                "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests "
                "with Object Lock parameters"
            )
        return bucket, about

    async def check_write(self, tx: Transaction, bucket: Bucket, params: Params) -> None:
        """Hold If-Match and If-None-Match of a write against the current version."""
        if "IfMatch" not in params and "IfNoneMatch" not in params:
            return
        current = await self.versions.current(tx, bucket, key_bytes(params["Key"]))
        etag = None if current is None else current.etag
        if not check_write(params.get("IfMatch"), params.get("IfNoneMatch"), etag):
            raise no_such_key(params["Key"])

    async def link(
        self, tx: Transaction, bucket: Bucket, key: str, received: Received, about: Details
    ) -> Version:
        """Make a received body the newest version of `key`."""
        if received.blob is not None:
            await tx.link_blob(received.blob)
        whole = Part(1, received.size, received.blob_id)
        return await self.versions.put(
            tx,
            bucket,
            key_bytes(key),
            Version(
                seq=0,
                modified=tx.now,
                size=received.size,
                etag=received.etag,
                parts=(whole,) if received.size else (),
                algorithm=received.algorithm,
                checksum=received.checksum,
                checksum_type=checksums.FULL_OBJECT,
                details=about,
            ),
        )

    async def get_object(self, context: RequestContext, params: Params) -> Result:
        for attempt in range(_READ_ATTEMPTS):
            bucket, version, selection = await self._select(context, params, "GET")
            if restores.is_archived(version, context.now):
                raise AwsError(
                    "InvalidObjectState",
                    "The operation is not valid for the object's storage class",
                    403,
                    {"StorageClass": version.details.storage_class},
                )
            result = reading.describe(bucket, version, params, selection, context.now)
            length = result["ContentLength"]
            start = 0 if selection.span is None else selection.span.start
            try:
                chunks = await self.open_version(version, start, length)
            except KeyError:
                # Overwritten between the look-up and the read: look again.
                if attempt == _READ_ATTEMPTS - 1:
                    raise
                continue
            result["Body"] = StreamingResult(chunks, length)
            return result
        raise AssertionError("unreachable")

    async def open_version(self, version: Version, start: int, length: int) -> AsyncIterator[bytes]:
        """The version's bytes; KeyError when they went away meanwhile."""
        return await opened(read_parts(self.store.blobs, version.parts, start, length))

    async def head_object(self, context: RequestContext, params: Params) -> Result:
        bucket, version, selection = await self._select(context, params, "HEAD")
        return reading.describe(bucket, version, params, selection, context.now)

    async def _select(
        self, context: RequestContext, params: Params, method: str
    ) -> tuple[Bucket, Version, Selection]:
        if not context.access_key and details.overrides(params):
            raise invalid_request(
                "Request specific response headers cannot be used for anonymous GET requests."
            )

        async def look(tx: Transaction) -> tuple[Bucket, Version, str | None]:
            bucket = await open_bucket(tx, context, params, "s3:GetObject")
            version = await reading.resolve(
                tx, self.versions, context, bucket, params, method=method
            )
            if not bucket.lifecycle or "VersionId" in params:
                return bucket, version, None
            return bucket, version, await self.expiration(tx, bucket, params["Key"], version)

        bucket, version, expiration = await self.store.transact(look)
        reading.check_conditions(version, params)
        details.check_customer_key(version, details.customer_key(params))
        return bucket, version, reading.select(version, params, expiration)

    async def delete_object(self, context: RequestContext, params: Params) -> Result:
        async def delete(tx: Transaction) -> dict[str, Any]:
            bucket = await open_bucket(tx, context, params, "s3:DeleteObject")
            return await self._delete_one(tx, context, bucket, params)

        return await self.store.transact(delete)

    async def _delete_one(
        self, tx: Transaction, context: RequestContext, bucket: Bucket, params: Params
    ) -> dict[str, Any]:
        key = params["Key"]
        raw = key_bytes(key)
        version_id = params.get("VersionId")
        if version_id is None:
            await self.check_write(tx, bucket, params)
            deleted = await self.versions.delete(tx, bucket, raw)
            if deleted.removed is not None:
                event = "s3:ObjectRemoved:Delete"
                await self.emit(tx, context, bucket, event, key, deleted.removed)
            if deleted.marker is None:
                return {}
            event = "s3:ObjectRemoved:DeleteMarkerCreated"
            await self.emit(tx, context, bucket, event, key, deleted.marker)
            return {"DeleteMarker": True, "VersionId": deleted.marker.shown_id}
        mfa.demand(bucket, params)
        version = await self.versions.find(tx, bucket, raw, version_id)
        if version is None:
            return {"VersionId": version_id} if bucket.versioning else {}
        check_unlocked(version, tx.now, bool(params.get("BypassGovernanceRetention")))
        removed = await self.versions.remove(tx, bucket, raw, version)
        await self.emit(tx, context, bucket, "s3:ObjectRemoved:Delete", key, removed)
        result: dict[str, Any] = {"VersionId": version.shown_id} if bucket.versioning else {}
        if version.marker:
            result["DeleteMarker"] = True
        return result

    async def delete_objects(self, context: RequestContext, params: Params) -> Result:
        wanted = params["Delete"].get("Objects", ())
        if not 1 <= len(wanted) <= _BATCH:
            raise malformed_xml()
        quiet = bool(params["Delete"].get("Quiet"))

        async def delete(tx: Transaction) -> dict[str, Any]:
            bucket = await expected_bucket(tx, params)
            done: list[dict[str, Any]] = []
            failed: list[dict[str, Any]] = []
            for entry in wanted:
                request = {
                    "Key": entry["Key"],
                    "BypassGovernanceRetention": params.get("BypassGovernanceRetention"),
                }
                if "MFA" in params:
                    request["MFA"] = params["MFA"]
                if entry.get("VersionId"):
                    request["VersionId"] = entry["VersionId"]
                if "ETag" in entry:
                    request["IfMatch"] = entry["ETag"]
                named: dict[str, Any] = {
                    name: request[name] for name in ("Key", "VersionId") if name in request
                }
                try:
                    await admit(tx, context, bucket, request, "s3:DeleteObject")
                    result = await self._delete_one(tx, context, bucket, request)
                except AwsError as error:
                    failed.append({**named, "Code": error.code, "Message": error.message})
                    continue
                if result.get("DeleteMarker"):
                    named["DeleteMarker"] = True
                    named["DeleteMarkerVersionId"] = result["VersionId"]
                done.append(named)
            return {"Deleted": [] if quiet else done, "Errors": failed}

        return await self.store.transact(delete)

    async def get_object_attributes(self, context: RequestContext, params: Params) -> Result:
        asked = set(params["ObjectAttributes"])
        if not asked:
            raise invalid_request(
                "The x-amz-object-attributes header specifying the attributes to be retrieved is "
                "either missing or empty"
            )
        if not asked <= _ATTRIBUTES:
            raise invalid_argument("Invalid attribute name specified.", "x-amz-object-attributes")
        bucket, version, _ = await self._select(context, params, "GET")
        result: dict[str, Any] = {"LastModified": int(version.modified)}
        if bucket.versioning:
            result["VersionId"] = version.shown_id
        if "ETag" in asked:
            result["ETag"] = version.etag
        if "Checksum" in asked and version.algorithm:
            result["Checksum"] = reading.shown_checksum(version)
        if "StorageClass" in asked:
            result["StorageClass"] = version.details.storage_class
        if "ObjectSize" in asked:
            result["ObjectSize"] = version.size
        if "ObjectParts" in asked and version.multipart:
            result["ObjectParts"] = _object_parts(version, params)
        return result


def _object_parts(version: Version, params: Params) -> dict[str, Any]:
    marker = int(params.get("PartNumberMarker", 0))
    limit = min(int(params.get("MaxParts", 1000)), 1000)
    numbered = [
        msgspec.structs.replace(part, number=index)
        for index, part in enumerate(version.parts, start=1)
    ]
    later = [part for part in numbered if part.number > marker]
    shown = later[:limit]
    described: dict[str, Any] = {
        "TotalPartsCount": len(version.parts),
        "PartNumberMarker": marker,
        "NextPartNumberMarker": shown[-1].number if shown else marker,
        "MaxParts": limit,
        "IsTruncated": len(later) > limit,
    }
    if any(part.checksum for part in version.parts):
        described["Parts"] = [
            {
                "PartNumber": part.number,
                "Size": part.size,
                checksums.MEMBERS[part.algorithm]: part.checksum,
            }
            for part in shown
        ]
    return described
