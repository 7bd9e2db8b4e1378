"""ListObjects, ListObjectsV2 and ListObjectVersions."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote_plus

from lambent.core.context import Params, RequestContext, Result
from lambent.services.s3 import acl, restores
from lambent.services.s3.access import open_bucket
from lambent.services.s3.base import Base
from lambent.services.s3.errors import invalid_argument
from lambent.services.s3.listing import Page, after_prefix, list_page
from lambent.services.s3.model import OBJECTS, Bucket, Version, unpack
from lambent.services.s3.names import key_text
from lambent.services.s3.reading import quoted
from lambent.services.s3.version_listing import list_versions
from lambent.store.contract import Transaction

PAGE: Final = 1000
_INTEGER_LIMIT: Final = 2**31 - 1


def encode_bytes(text: str) -> bytes:
    """A prefix, marker or delimiter as keys are stored."""
    return text.encode("utf-8", "surrogatepass")


def page_size(params: Params, member: str, argument: str) -> int:
    """How many entries a page may have; InvalidArgument for a number S3 refuses."""
    value = params.get(member, PAGE)
    if not 0 <= value <= _INTEGER_LIMIT:
        raise invalid_argument(
            f"Argument {argument} must be an integer between 0 and {_INTEGER_LIMIT}",
            argument,
            str(value),
        )
    return min(int(value), PAGE)


def encoder(params: Params) -> Callable[[str], str]:
    """How names are written: as they are, or form-encoded with `encoding-type=url`."""
    kind = params.get("EncodingType")
    if kind is None:
        return str
    if kind != "url":
        raise invalid_argument(
            "Invalid Encoding Method specified in Request", "encoding-type", kind
        )
    return _form_encoded


def _form_encoded(text: str) -> str:
    # As S3 does it: a blank is "+", and besides letters and digits only "-._*/" stay.
    return quote_plus(text, safe="/*", errors="surrogatepass").replace("~", "%7E")


def make_token(last: bytes) -> str:
    """A continuation token."""
    return base64.urlsafe_b64encode(b"1" + last).decode()


def read_token(token: str) -> bytes:
    """What `make_token` was given; InvalidArgument for any other string."""
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not raw.startswith(b"1"):
        raise invalid_argument(
            "The continuation token provided is incorrect", "continuation-token", token
        )
    return raw[1:]


def _listed(
    key: str, version: Version, params: Params, now: float, *, owner: bool
) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "Key": key,
        "LastModified": int(version.modified),
        "ETag": quoted(version.etag),
        "Size": version.size,
        "StorageClass": version.details.storage_class,
    }
    if version.algorithm:
        entry["ChecksumAlgorithm"] = [version.algorithm]
        entry["ChecksumType"] = version.checksum_type
    if version.details.restored is not None and "OptionalObjectAttributes" in params:
        entry["RestoreStatus"] = restores.listed(version, now)
    if owner:
        entry["Owner"] = acl.owner(version.details.owner)
    return entry


class ListOperations(Base):
    """Pages of a bucket's keys, in the byte order of UTF-8."""

    async def _page(
        self, context: RequestContext, params: Params, marker: bytes | None, limit: int
    ) -> tuple[Bucket, Page[Version]]:
        prefix = encode_bytes(params.get("Prefix", ""))
        delimiter = encode_bytes(params.get("Delimiter", ""))
        end = after_prefix(prefix) if prefix else None

        async def read(tx: Transaction) -> tuple[Bucket, Page[Version]]:
            bucket = await open_bucket(tx, context, params, "s3:ListBucket")

            async def scan(start: bytes, count: int) -> list[tuple[bytes, Version]]:
                if end is not None and start >= end:
                    return []
                records = await tx.scan(OBJECTS, bucket.key, start=start, end=end, limit=count)
                return [(record.sort, unpack(Version, record.value)) for record in records]

            return bucket, await list_page(scan, prefix, delimiter, marker, limit)

        return await self.store.transact(read)

    async def list_objects(self, context: RequestContext, params: Params) -> Result:
        limit = page_size(params, "MaxKeys", "max-keys")
        write = encoder(params)
        marker = params.get("Marker", "")
        bucket, page = await self._page(context, params, encode_bytes(marker) or None, limit)
        result = _head(params, bucket, page, limit, write, context.now, owner=True)
        result["Marker"] = write(marker)
        if page.last is not None and params.get("Delimiter"):
            result["NextMarker"] = write(key_text(page.last))
        return result

    async def list_objects_v2(self, context: RequestContext, params: Params) -> Result:
        limit = page_size(params, "MaxKeys", "max-keys")
        write = encoder(params)
        token = params.get("ContinuationToken")
        if token is not None:
            if not token:
                raise invalid_argument(
                    "The continuation token provided is incorrect", "continuation-token"
                )
            marker = read_token(token)
        else:
            marker = encode_bytes(params.get("StartAfter", ""))
        bucket, page = await self._page(context, params, marker or None, limit)
        owner = bool(params.get("FetchOwner"))
        result = _head(params, bucket, page, limit, write, context.now, owner=owner)
        result["KeyCount"] = len(page.entries) + len(page.prefixes)
        if token is not None:
            result["ContinuationToken"] = token
        if "StartAfter" in params:
            result["StartAfter"] = write(params["StartAfter"])
        if page.last is not None:
            result["NextContinuationToken"] = make_token(page.last)
        return result

    async def list_object_versions(self, context: RequestContext, params: Params) -> Result:
        limit = page_size(params, "MaxKeys", "max-keys")
        write = encoder(params)
        if params.get("VersionIdMarker") and not params.get("KeyMarker"):
            raise invalid_argument(
                "A version-id marker cannot be specified without a key marker.",
                "version-id-marker",
                params["VersionIdMarker"],
            )

        async def read(tx: Transaction) -> tuple[Bucket, Any]:
            bucket = await open_bucket(tx, context, params, "s3:ListBucketVersions")
            page = await list_versions(
                tx,
                self.versions,
                bucket,
                prefix=encode_bytes(params.get("Prefix", "")),
                delimiter=encode_bytes(params.get("Delimiter", "")),
                key_marker=encode_bytes(params.get("KeyMarker", "")),
                version_marker=params.get("VersionIdMarker") or None,
                limit=limit,
            )
            return bucket, page

        bucket, page = await self.store.transact(read)
        result: dict[str, Any] = _frame(params, bucket, limit, write)
        result["IsTruncated"] = page.next_key is not None
        result["KeyMarker"] = write(params.get("KeyMarker", ""))
        result["VersionIdMarker"] = params.get("VersionIdMarker", "")
        result["Versions"] = []
        result["DeleteMarkers"] = []
        for raw, version, latest in page.entries:
            key = write(key_text(raw))
            if version.marker:
                shown: dict[str, Any] = {
                    "Key": key,
                    "LastModified": int(version.modified),
                    "Owner": acl.owner(version.details.owner or bucket.account),
                }
            else:
                shown = _listed(key, version, params, context.now, owner=True)
            shown["VersionId"] = version.shown_id
            shown["IsLatest"] = latest
            result["DeleteMarkers" if version.marker else "Versions"].append(shown)
        result["CommonPrefixes"] = [{"Prefix": write(key_text(raw))} for raw in page.prefixes]
        if page.next_key is not None:
            result["NextKeyMarker"] = write(key_text(page.next_key))
            if page.next_version:
                result["NextVersionIdMarker"] = page.next_version
        return result


def _frame(
    params: Params, bucket: Bucket, limit: int, write: Callable[[str], str]
) -> dict[str, Any]:
    frame: dict[str, Any] = {
        "Name": bucket.name,
        "Prefix": write(params.get("Prefix", "")),
        "MaxKeys": limit,
    }
    if params.get("Delimiter"):
        frame["Delimiter"] = write(params["Delimiter"])
    if "EncodingType" in params:
        frame["EncodingType"] = params["EncodingType"]
    return frame


def _head(
    params: Mapping[str, Any],
    bucket: Bucket,
    page: Page[Version],
    limit: int,
    write: Callable[[str], str],
    now: float,
    *,
    owner: bool,
) -> dict[str, Any]:
    return {
        **_frame(dict(params), bucket, limit, write),
        "IsTruncated": page.last is not None,
        "Contents": [
            _listed(write(key_text(raw)), version, dict(params), now, owner=owner)
            for raw, version in page.entries
        ],
        "CommonPrefixes": [{"Prefix": write(key_text(raw))} for raw in page.prefixes],
    }
