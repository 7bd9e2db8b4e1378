"""What `x-amz-copy-source` names, and whether a copy makes sense. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote_plus

from lambent.core.context import Params
from lambent.services.s3 import conditions
from lambent.services.s3.errors import invalid_argument, invalid_request, precondition_failed
from lambent.services.s3.model import Version

_CHANGES = (
    "StorageClass",
    "WebsiteRedirectLocation",
    "ServerSideEncryption",
    "SSECustomerAlgorithm",
    "SSEKMSKeyId",
    "ChecksumAlgorithm",
)


@dataclass(frozen=True, slots=True)
class CopySource:
    """A source object; `version_id` None is the current version."""

    bucket: str
    key: str
    version_id: str | None


def parse_copy_source(header: str) -> CopySource:
    """`/bucket/key?versionId=…`, percent-encoded; the leading slash may be missing."""
    path, mark, query = header.partition("?versionId=")
    version_id = query if mark else None
    bucket, slash, key = unquote_plus(path).removeprefix("/").partition("/")
    if not slash or not bucket or not key:
        raise invalid_argument("Invalid copy source object key", "x-amz-copy-source", header)
    if version_id == "":
        raise invalid_argument("Version id cannot be the empty string", "versionId", "")
    return CopySource(bucket, key, version_id)


def check_copy_conditions(version: Version, params: Params) -> None:
    """PreconditionFailed unless the `x-amz-copy-source-if-*` headers hold."""
    verdict, header = conditions.evaluate(
        version.etag,
        version.modified,
        if_match=params.get("CopySourceIfMatch"),
        if_none_match=params.get("CopySourceIfNoneMatch"),
        if_modified_since=params.get("CopySourceIfModifiedSince"),
        if_unmodified_since=params.get("CopySourceIfUnmodifiedSince"),
    )
    if verdict is not conditions.Verdict.PROCEED:
        raise precondition_failed(f"x-amz-copy-source-{header}")


def check_directives(params: Params, source: CopySource) -> None:
    """Refuse unknown directives, and a copy onto itself that changes nothing."""
    metadata = params.get("MetadataDirective", "COPY")
    tagging = params.get("TaggingDirective", "COPY")
    if metadata not in ("COPY", "REPLACE"):
        raise invalid_argument("Unknown metadata directive.", "x-amz-metadata-directive", metadata)
    if tagging not in ("COPY", "REPLACE"):
        raise invalid_argument("Unknown tagging directive.", "x-amz-tagging-directive", tagging)
    same = source.bucket == params["Bucket"] and source.key == params["Key"]
    unchanged = metadata == "COPY" and not any(name in params for name in _CHANGES)
    if same and source.version_id is None and unchanged:
        raise invalid_request(
            "This copy request is illegal because it is trying to copy an object to itself "
            "without changing the object's metadata, storage class, website redirect location "
            "or encryption attributes."
        )
