"""Which version a read means, whether it goes through, and what the answer shows of it."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from lambent.core.context import Params, RequestContext
from lambent.core.errors import AwsError
from lambent.services.s3 import checksums, conditions, restores
from lambent.services.s3.access import check_object
from lambent.services.s3.details import overrides
from lambent.services.s3.errors import (
    invalid_argument,
    invalid_request,
    method_not_allowed,
    no_such_key,
    no_such_version,
    precondition_failed,
)
from lambent.services.s3.model import Bucket, Version
from lambent.services.s3.names import key_bytes
from lambent.services.s3.ranges import Span, parse_range
from lambent.services.s3.versions import Versions
from lambent.store.contract import Transaction


def quoted(etag: str) -> str:
    """An entity tag as S3 shows it."""
    return f'"{etag}"'


@dataclass(frozen=True, slots=True)
class Selection:
    """What a read gives: a span (None: everything), and the part it is, if asked by number."""

    span: Span | None
    part: int | None = None
    expiration: str | None = None
    """When lifecycle rules end the object, as x-amz-expiration says it."""


async def resolve(
    tx: Transaction,
    versions: Versions,
    context: RequestContext,
    bucket: Bucket,
    params: Params,
    *,
    action: str = "s3:GetObject",
    method: str = "GET",
) -> Version:
    """The version that `Key` and `VersionId` name and that is no delete marker.

    NoSuchKey, NoSuchVersion, or MethodNotAllowed for a delete marker named by its id.
    """
    key = params["Key"]
    raw = key_bytes(key)
    version_id = params.get("VersionId")
    if version_id is None:
        version = await versions.newest(tx, bucket, raw)
        await check_object(tx, context, bucket, action, key, version, params)
        if version is None:
            raise no_such_key(key)
        if version.marker:
            raise no_such_key(
                key, {"x-amz-delete-marker": "true", "x-amz-version-id": version.shown_id}
            )
        return version
    if not version_id:
        raise invalid_argument("Version id cannot be the empty string", "versionId", "")
    version = await versions.find(tx, bucket, raw, version_id)
    await check_object(tx, context, bucket, action, key, version, params)
    if version is None:
        raise no_such_version(key, version_id)
    if version.marker:
        raise method_not_allowed(
            method,
            "DeleteMarker",
            {
                "x-amz-delete-marker": "true",
                "x-amz-version-id": version.shown_id,
                "Allow": "DELETE",
                "Last-Modified": formatdate(int(version.modified), usegmt=True),
            },
        )
    return version


def check_conditions(version: Version, params: Params) -> None:
    """PreconditionFailed (412) or NotModified (304) where the request's conditions say so."""
    verdict, header = conditions.evaluate(
        version.etag,
        version.modified,
        if_match=params.get("IfMatch"),
        if_none_match=params.get("IfNoneMatch"),
        if_modified_since=params.get("IfModifiedSince"),
        if_unmodified_since=params.get("IfUnmodifiedSince"),
    )
    if verdict is conditions.Verdict.FAILED:
        raise precondition_failed(header)
    if verdict is conditions.Verdict.NOT_MODIFIED:
        raise AwsError(
            "NotModified",
            "Not Modified",
            304,
            headers={
                "ETag": quoted(version.etag),
                "Last-Modified": formatdate(int(version.modified), usegmt=True),
            },
        )


def select(version: Version, params: Params, expiration: str | None = None) -> Selection:
    """The span that Range or partNumber asks for."""
    number = params.get("PartNumber")
    if number is None:
        header = params.get("Range")
        span = parse_range(header, version.size) if header else None
        return Selection(span, None, expiration)
    if "Range" in params:
        raise invalid_request("Cannot specify both Range header and partNumber query parameter")
    if not 1 <= number <= 10_000:
        raise invalid_argument(
            "Part number must be an integer between 1 and 10000, inclusive",
            "partNumber",
            str(number),
        )
    count = len(version.parts) if version.multipart else 1
    if number > count:
        raise AwsError(
            "InvalidPartNumber",
            "The requested partnumber is not satisfiable",
            416,
            {"ActualPartCount": count, "PartNumberRequested": number},
        )
    if version.size == 0:
        return Selection(None, number, expiration)
    if not version.multipart:
        return Selection(Span(0, version.size, version.size), number, expiration)
    start = sum(part.size for part in version.parts[: number - 1])
    span = Span(start, version.parts[number - 1].size, version.size)
    return Selection(span, number, expiration)


def shown_checksum(version: Version) -> dict[str, Any]:
    """The whole object's checksum as members."""
    if not version.algorithm:
        return {}
    return {
        checksums.MEMBERS[version.algorithm]: version.checksum,
        "ChecksumType": version.checksum_type,
    }


def _checksum_of(version: Version, selection: Selection) -> dict[str, Any]:
    if selection.part is not None and version.multipart:
        part = version.parts[selection.part - 1]
        if not part.checksum:
            return {}
        return {
            checksums.MEMBERS[part.algorithm]: part.checksum,
            "ChecksumType": version.checksum_type,
        }
    whole = selection.span is None or selection.span.length == version.size
    return shown_checksum(version) if whole else {}


def describe(
    bucket: Bucket, version: Version, params: Params, selection: Selection, now: float
) -> dict[str, Any]:
    """The members that GetObject and HeadObject answer with, but for the body."""
    details = version.details
    span = selection.span
    result: dict[str, Any] = {
        "AcceptRanges": "bytes",
        "LastModified": int(version.modified),
        "ContentLength": version.size if span is None else span.length,
        "ETag": quoted(version.etag),
        "Metadata": details.metadata,
        **details.headers,
        **overrides(params),
        **details.encryption,
    }
    if span is not None:
        result["ContentRange"] = span.content_range
    if selection.part is not None and version.multipart:
        result["PartsCount"] = len(version.parts)
    if bucket.versioning:
        result["VersionId"] = version.shown_id
    if selection.expiration is not None:
        result["Expiration"] = selection.expiration
    if details.restored is not None:
        result["Restore"] = restores.header(version, now)
    if details.tags:
        result["TagCount"] = len(details.tags)
    if details.storage_class != "STANDARD":
        result["StorageClass"] = details.storage_class
    if details.retention is not None:
        result["ObjectLockMode"], result["ObjectLockRetainUntilDate"] = details.retention
    if details.legal_hold:
        result["ObjectLockLegalHoldStatus"] = details.legal_hold
    if str(params.get("ChecksumMode", "")).upper() == "ENABLED":
        result.update(_checksum_of(version, selection))
    return result
