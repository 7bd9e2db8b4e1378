"""Multipart uploads. A completed object refers to its parts' blobs; nothing is copied."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from lambent.core.context import Params, RequestContext, Result
from lambent.services.s3 import acl, checksums, details, lifecycle, multipart
from lambent.services.s3.access import open_bucket
from lambent.services.s3.bodies import Received, asked_checksum, body_length, expected_md5, receive
from lambent.services.s3.copy_operations import CopyOperations
from lambent.services.s3.copy_source import parse_copy_source
from lambent.services.s3.cursor import Cursor
from lambent.services.s3.errors import invalid_argument, no_such_upload
from lambent.services.s3.list_operations import encode_bytes, encoder, page_size
from lambent.services.s3.listing import after_prefix, common_prefix, first_key
from lambent.services.s3.model import (
    ENABLED,
    PARTS,
    UPLOADS,
    Bucket,
    Part,
    Upload,
    Version,
    escape_start,
    pack,
    unescape_key,
    unpack,
    upload_sort,
)
from lambent.services.s3.names import key_bytes, key_text
from lambent.services.s3.object_operations import written
from lambent.services.s3.reading import quoted
from lambent.services.s3.retirement import PARTS_OF_UPLOAD, unlink
from lambent.store import removal
from lambent.store.contract import Transaction

_SMALL: Final = 64 * 1024


def _part_sort(number: int) -> bytes:
    return number.to_bytes(2, "big")


class MultipartOperations(CopyOperations):
    """Create, upload parts, complete or abort; list both."""

    async def create_multipart_upload(self, context: RequestContext, params: Params) -> Result:
        raw = key_bytes(params["Key"])
        algorithm, kind, asked = multipart.read_checksum_plan(params)
        salt = self.platform.ids.hex(48)

        async def create(tx: Transaction) -> dict[str, Any]:
            bucket = await open_bucket(tx, context, params, "s3:PutObject")
            upload = Upload(
                id=f"{int(tx.now * 1_000_000):016x}{salt}",
                initiated=tx.now,
                initiator=context.account,
                algorithm=algorithm,
                checksum_type=kind,
                asked=asked,
                details=await self.admit_details(tx, context, bucket, params),
            )
            await tx.put(UPLOADS, bucket.key, upload_sort(raw, upload.id), pack(upload))
            result: dict[str, Any] = {
                "Bucket": bucket.name,
                "Key": params["Key"],
                "UploadId": upload.id,
                **upload.details.encryption,
            }
            if asked:
                result["ChecksumAlgorithm"] = algorithm
                result["ChecksumType"] = kind
            await self._show_abortion(tx, bucket, params["Key"], upload, result)
            return result

        return await self.store.transact(create)

    async def _show_abortion(
        self, tx: Transaction, bucket: Bucket, key: str, upload: Upload, result: dict[str, Any]
    ) -> None:
        if not bucket.lifecycle:
            return
        rules = await self.lifecycle_rules(tx, bucket)
        due = lifecycle.abortion(rules, key, upload.initiated)
        if due is not None:
            result["AbortDate"], result["AbortRuleId"] = due.time, due.rule

    async def _upload(self, tx: Transaction, bucket: Bucket, params: Params) -> Upload:
        upload_id = params["UploadId"]
        sort = upload_sort(key_bytes(params["Key"]), upload_id)
        record = await tx.get(UPLOADS, bucket.key, sort)
        if record is None:
            raise no_such_upload(upload_id)
        return unpack(Upload, record.value)

    async def _admit_part(self, tx: Transaction, context: RequestContext, params: Params) -> Upload:
        bucket = await open_bucket(tx, context, params, "s3:PutObject")
        upload = await self._upload(tx, bucket, params)
        given = details.customer_key(params)
        multipart.check_part_key(upload, given)
        return upload

    async def _keep_part(
        self, tx: Transaction, params: Params, received: Received, algorithm: str
    ) -> Part:
        partition, sort = params["UploadId"].encode(), _part_sort(params["PartNumber"])
        earlier = await tx.get(PARTS, partition, sort)
        if earlier is not None:
            await unlink(tx, [unpack(Part, earlier.value)])
        if received.blob is not None:
            await tx.link_blob(received.blob)
        part = Part(
            number=params["PartNumber"],
            size=received.size,
            blob=received.blob_id,
            etag=received.etag,
            modified=tx.now,
            checksum=received.kept,
            algorithm=algorithm,
        )
        await tx.put(PARTS, partition, sort, pack(part))
        return part

    async def upload_part(self, context: RequestContext, params: Params) -> Result:
        multipart.check_part_number(params["PartNumber"])
        md5 = expected_md5(params.get("ContentMD5"))
        asked = asked_checksum(params, context.headers)
        body = params.get("Body") or b""
        body_length(body, context.headers)

        async def precheck(tx: Transaction) -> Upload:
            return await self._admit_part(tx, context, params)

        upload = await self.store.transact(precheck)
        multipart.check_part_checksum(upload, None if asked is None else asked[0])
        algorithm, value = asked or (upload.algorithm, None)
        received = await receive(
            self.store.blobs,
            body,
            algorithm=algorithm,
            checksum=value,
            md5=md5,
            keep=upload.algorithm,
        )

        async def store(tx: Transaction) -> dict[str, Any]:
            upload = await self._admit_part(tx, context, params)
            part = await self._keep_part(tx, params, received, upload.algorithm)
            result = {"ETag": quoted(part.etag), **upload.details.encryption}
            if asked is not None:
                result[checksums.MEMBERS[algorithm]] = received.checksum
            elif upload.asked or upload.algorithm == checksums.DEFAULT:
                result[checksums.MEMBERS[upload.algorithm]] = part.checksum
            return result

        return await self.store.transact(store)

    async def upload_part_copy(self, context: RequestContext, params: Params) -> Result:
        multipart.check_part_number(params["PartNumber"])
        source = parse_copy_source(params["CopySource"])

        async def precheck(tx: Transaction) -> Upload:
            return await self._admit_part(tx, context, params)

        upload = await self.store.transact(precheck)
        origin, original, received = await self.copy_bytes(
            context, params, source, upload.algorithm, precheck
        )

        async def store(tx: Transaction) -> dict[str, Any]:
            upload = await self._admit_part(tx, context, params)
            part = await self._keep_part(tx, params, received, upload.algorithm)
            result: dict[str, Any] = {
                "CopyPartResult": {
                    "ETag": quoted(part.etag),
                    "LastModified": int(part.modified),
                },
                **upload.details.encryption,
            }
            if upload.asked:
                result["CopyPartResult"][checksums.MEMBERS[part.algorithm]] = part.checksum
            if origin.versioning:
                result["CopySourceVersionId"] = original.shown_id
            return result

        return await self.store.transact(store)

    async def complete_multipart_upload(self, context: RequestContext, params: Params) -> Result:
        key, upload_id = params["Key"], params["UploadId"]
        raw = key_bytes(key)
        listed = (params.get("MultipartUpload") or {}).get("Parts", ())

        async def complete(tx: Transaction) -> dict[str, Any]:
            bucket = await open_bucket(tx, context, params, "s3:PutObject")
            record = await tx.get(UPLOADS, bucket.key, upload_sort(raw, upload_id))
            if record is None:
                # Asked again after success: the same answer while the object is there.
                current = await self.versions.current(tx, bucket, raw)
                if current is None or current.upload_id != upload_id:
                    raise no_such_upload(upload_id)
                return _completed(context, bucket, key, current)
            upload = unpack(Upload, record.value)
            records = await tx.scan(PARTS, upload_id.encode())
            uploaded = {
                part.number: part for part in (unpack(Part, record.value) for record in records)
            }
            parts = multipart.choose_parts(upload, uploaded, listed)
            size = sum(part.size for part in parts)
            checksum = multipart.whole_checksum(upload, parts)
            multipart.check_claims(upload, params, size, checksum)
            await self.check_write(tx, bucket, params)
            for part in parts:
                del uploaded[part.number]
            await unlink(tx, list(uploaded.values()))
            await removal.remove(tx, removal.records(PARTS, upload_id.encode()))
            await tx.delete(UPLOADS, bucket.key, upload_sort(raw, upload_id))
            version = await self.versions.put(
                tx,
                bucket,
                raw,
                Version(
                    seq=0,
                    modified=tx.now,
                    size=size,
                    etag=multipart.whole_etag(parts),
                    parts=tuple(parts),
                    multipart=True,
                    upload_id=upload_id,
                    algorithm=upload.algorithm,
                    checksum=checksum,
                    checksum_type=upload.checksum_type,
                    details=upload.details,
                ),
            )
            event = "s3:ObjectCreated:CompleteMultipartUpload"
            await self.emit(tx, context, bucket, event, key, version)
            result = _completed(context, bucket, key, version)
            result["Expiration"] = await self.expiration(tx, bucket, key, version)
            return result

        return await self.store.transact(complete)

    async def abort_multipart_upload(self, context: RequestContext, params: Params) -> Result:
        async def abort(tx: Transaction) -> None:
            bucket = await open_bucket(tx, context, params, "s3:PutObject")
            upload = await self._upload(tx, bucket, params)
            await tx.delete(UPLOADS, bucket.key, upload_sort(key_bytes(params["Key"]), upload.id))
            await removal.remove(tx, removal.Gone(PARTS_OF_UPLOAD, upload.id.encode()))

        await self.store.transact(abort)
        return None

    async def list_parts(self, context: RequestContext, params: Params) -> Result:
        limit = page_size(params, "MaxParts", "max-parts")
        marker = int(params.get("PartNumberMarker", 0))
        if not 0 <= marker < 2**31:
            raise invalid_argument(
                "Argument part-number-marker must be an integer between 0 and 2147483647",
                "part-number-marker",
                str(marker),
            )

        async def read(tx: Transaction) -> dict[str, Any]:
            bucket = await open_bucket(tx, context, params, "s3:ListMultipartUploadParts")
            upload = await self._upload(tx, bucket, params)
            records = await tx.scan(
                PARTS,
                upload.id.encode(),
                start=_part_sort(min(marker + 1, 65535)),
                limit=limit + 1,
            )
            parts = [unpack(Part, record.value) for record in records]
            shown = parts[:limit]
            result: dict[str, Any] = {
                "Bucket": bucket.name,
                "Key": params["Key"],
                "UploadId": upload.id,
                "PartNumberMarker": marker,
                "NextPartNumberMarker": shown[-1].number if shown else 0,
                "MaxParts": limit,
                "IsTruncated": len(parts) > limit and limit > 0,
                "Parts": [_listed_part(upload, part) for part in shown],
                "Initiator": acl.owner(upload.initiator),
                "Owner": acl.owner(upload.details.owner),
                "StorageClass": upload.details.storage_class,
            }
            if upload.asked:
                result["ChecksumAlgorithm"] = upload.algorithm
                result["ChecksumType"] = upload.checksum_type
            await self._show_abortion(tx, bucket, params["Key"], upload, result)
            return result

        return await self.store.transact(read)

    async def list_multipart_uploads(self, context: RequestContext, params: Params) -> Result:
        limit = page_size(params, "MaxUploads", "max-uploads")
        write = encoder(params)
        prefix = encode_bytes(params.get("Prefix", ""))
        delimiter = encode_bytes(params.get("Delimiter", ""))
        key_marker = encode_bytes(params.get("KeyMarker", ""))
        id_marker = params.get("UploadIdMarker", "") if key_marker else ""

        async def read(tx: Transaction) -> dict[str, Any]:
            bucket = await open_bucket(tx, context, params, "s3:ListBucketMultipartUploads")
            cursor = Cursor(tx, UPLOADS, bucket.key, Upload)
            start = first_key(prefix, delimiter, key_marker or None)
            if id_marker and start == key_marker + b"\0":
                cursor.seek(upload_sort(key_marker, id_marker) + b"\0")
            elif start is not None:
                cursor.seek(escape_start(start))
            uploads: list[dict[str, Any]] = []
            prefixes: list[bytes] = []
            last = (b"", "")
            truncated = False
            while start is not None and limit > 0:
                found = await cursor.peek()
                if found is None:
                    break
                key, upload = unescape_key(found[0])[0], found[1]
                if not key.startswith(prefix):
                    break
                if len(uploads) + len(prefixes) == limit:
                    truncated = True
                    break
                rolled = common_prefix(key, prefix, delimiter)
                if rolled is None:
                    uploads.append(_listed_upload(write(key_text(key)), upload))
                    last = (key, upload.id)
                    cursor.step()
                    continue
                prefixes.append(rolled)
                last = (rolled, "")
                behind = after_prefix(rolled)
                if behind is None:
                    break
                cursor.seek(escape_start(behind))
            result: dict[str, Any] = {
                "Bucket": bucket.name,
                "KeyMarker": write(params.get("KeyMarker", "")),
                "UploadIdMarker": params.get("UploadIdMarker", ""),
                "Prefix": write(params.get("Prefix", "")),
                "MaxUploads": limit,
                "IsTruncated": truncated,
                "Uploads": uploads,
                "CommonPrefixes": [{"Prefix": write(key_text(raw))} for raw in prefixes],
            }
            if delimiter:
                result["Delimiter"] = write(params["Delimiter"])
            if "EncodingType" in params:
                result["EncodingType"] = params["EncodingType"]
            if truncated:
                result["NextKeyMarker"] = write(key_text(last[0]))
                result["NextUploadIdMarker"] = last[1]
            return result

        return await self.store.transact(read)


def _completed(
    context: RequestContext, bucket: Bucket, key: str, version: Version
) -> dict[str, Any]:
    result = written(bucket, version)
    return {
        **result,
        "Location": f"{context.endpoint}/{bucket.name}/{quote(key, errors='surrogatepass')}",
        "Bucket": bucket.name,
        "Key": key,
        **({"VersionId": version.version_id} if bucket.versioning == ENABLED else {}),
    }


def _listed_part(upload: Upload, part: Part) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "PartNumber": part.number,
        "LastModified": int(part.modified),
        "ETag": quoted(part.etag),
        "Size": part.size,
    }
    if upload.asked:
        shown[checksums.MEMBERS[part.algorithm]] = part.checksum
    return shown


def _listed_upload(key: str, upload: Upload) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "UploadId": upload.id,
        "Key": key,
        "Initiated": int(upload.initiated),
        "StorageClass": upload.details.storage_class,
        "Owner": acl.owner(upload.details.owner),
        "Initiator": acl.owner(upload.initiator),
    }
    if upload.asked:
        shown["ChecksumAlgorithm"] = upload.algorithm
        shown["ChecksumType"] = upload.checksum_type
    return shown
