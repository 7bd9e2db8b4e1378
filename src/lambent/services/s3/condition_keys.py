"""The condition keys of S3 that a request carries, beside those that all of AWS has. Pure.

Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from lambent.core import policy_keys
from lambent.core.context import RequestContext
from lambent.core.policy_patterns import Keys
from lambent.services.s3.model import Bucket, Version

_MEMBERS: Final = {
    "s3:delimiter": "Delimiter",
    "s3:if-match": "IfMatch",
    "s3:if-none-match": "IfNoneMatch",
    "s3:max-keys": "MaxKeys",
    "s3:object-lock-legal-hold": "ObjectLockLegalHoldStatus",
    "s3:object-lock-mode": "ObjectLockMode",
    "s3:prefix": "Prefix",
    "s3:versionid": "VersionId",
}
_HEADER: Final = "s3:x-amz-"
_EXISTING: Final = "s3:existingobjecttag/"
_WANTED: Final = "s3:requestobjecttag/"


def of_request(
    context: RequestContext,
    needed: Collection[str],
    bucket: Bucket,
    params: Mapping[str, Any],
    version: Version | None,
) -> Keys:
    """Those of `needed` (names in lower case) that a request has; `version` is the object as it
    is, where that is known."""
    found = policy_keys.of_request(context, needed, owner=bucket.account)
    for key in needed:
        value = _value(key, context, bucket, params)
        if value is not None:
            found[key] = (value,)
    for name, value in (version.details.tags if version is not None else {}).items():
        found[_EXISTING + name.lower()] = (value,)
    if any(key.startswith("s3:requestobjecttag") for key in needed):
        tags = _tags(params)
        found |= {_WANTED + name.lower(): (value,) for name, value in tags.items()}
        found["s3:requestobjecttagkeys"] = tuple(tags)
    return found


def _value(
    key: str, context: RequestContext, bucket: Bucket, params: Mapping[str, Any]
) -> str | None:
    if key in _MEMBERS:
        value = params.get(_MEMBERS[key])
        return None if value is None else str(value)
    if key.startswith(_HEADER):
        return context.headers.get(key.removeprefix("s3:"))
    if key == "s3:resourceaccount":
        return bucket.account
    if key == "s3:tlsversion":
        return "1.3"  # as `policy_keys` says of aws:SecureTransport
    if key == "s3:signatureversion":
        return "AWS4-HMAC-SHA256"
    if key == "s3:authtype":
        signed = "authorization" in context.headers
        return "REST-HEADER" if signed else "REST-QUERY-STRING"
    return None


def _tags(params: Mapping[str, Any]) -> dict[str, str]:
    """The tags that a request is to give an object, from its header or its document."""
    given = params.get("Tagging")
    if isinstance(given, Mapping):
        return {one["Key"]: one["Value"] for one in given.get("TagSet", ())}
    return dict(parse_qsl(given or "", keep_blank_values=True))
