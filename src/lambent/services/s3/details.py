"""What a request says of an object beside its bytes, checked against S3's rules. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import uuid
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any, Final

from lambent.core.context import Params, RequestContext
from lambent.core.errors import AwsError
from lambent.services.s3 import acl, mail_words
from lambent.services.s3.errors import (
    access_denied,
    invalid_argument,
    invalid_request,
)
from lambent.services.s3.model import Bucket, Details, Version
from lambent.services.s3.tagging import tag_header

CONTENT_HEADERS: Final = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
)
_CUSTOMER_MEMBERS: Final = {
    prefix: frozenset(
        f"{prefix}{name}"
        for name in ("SSECustomerAlgorithm", "SSECustomerKey", "SSECustomerKeyMD5")
    )
    for prefix in ("", "CopySource")
}
DEFAULT_TYPE: Final = "binary/octet-stream"
METADATA_LIMIT: Final = 2048
STORAGE_CLASSES: Final = frozenset(
    {
        "STANDARD",
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER",
        "DEEP_ARCHIVE",
        "GLACIER_IR",
    }
)


def content_headers(params: Params) -> dict[str, Any]:
    """The content headers to keep; `aws-chunked` is of the transfer, not of the content."""
    headers: dict[str, Any] = {name: params[name] for name in CONTENT_HEADERS if params.get(name)}
    if "ContentEncoding" in headers:
        kept = [
            part.strip()
            for part in str(headers["ContentEncoding"]).split(",")
            if part.strip() not in ("", "aws-chunked")
        ]
        if kept:
            headers["ContentEncoding"] = ",".join(kept)
        else:
            del headers["ContentEncoding"]
    headers.setdefault("ContentType", DEFAULT_TYPE)
    if "WebsiteRedirectLocation" in params:
        location = str(params["WebsiteRedirectLocation"])
        if not location.startswith(("/", "http://", "https://")):
            raise AwsError(
                "InvalidRedirectLocation",
                "The website redirect location must have a prefix of 'http://' or 'https://' "
                "or '/'.",
                400,
            )
        headers["WebsiteRedirectLocation"] = location
    return headers


def user_metadata(params: Params) -> dict[str, str]:
    """The user metadata as it is shown, names in lower case; MetadataTooLarge past 2 KB."""
    if "Metadata" not in params:
        return {}
    metadata = {
        name.lower(): mail_words.decoded(value) for name, value in params["Metadata"].items()
    }
    size = sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items())
    if size > METADATA_LIMIT:
        raise AwsError(
            "MetadataTooLarge",
            "Your metadata headers exceed the maximum allowed metadata size",
            400,
            {"Size": size, "MaxSizeAllowed": METADATA_LIMIT},
        )
    return {name: mail_words.encoded(value) for name, value in metadata.items()}


def storage_class(params: Params) -> str:
    """The storage class; InvalidStorageClass for one that S3 lacks."""
    name = str(params.get("StorageClass", "STANDARD"))
    if name not in STORAGE_CLASSES:
        raise AwsError(
            "InvalidStorageClass",
            "The storage class you specified is not valid",
            400,
            {"StorageClassRequested": name},
        )
    return name


def kms_arn(bucket: Bucket, key: str) -> str:
    """The key's ARN as S3 reports it; the account's own S3 key when none was named."""
    if key.startswith("arn:"):
        return key
    if not key:
        seed = hashlib.sha256(f"aws/s3/{bucket.account}/{bucket.region}".encode()).digest()
        key = str(uuid.UUID(bytes=seed[:16], version=4))
    return f"arn:aws:kms:{bucket.region}:{bucket.account}:key/{key}"


def encryption(params: Params, bucket: Bucket) -> dict[str, Any]:
    """The server-side encryption members of the object: the request's, or the bucket's."""
    if customer_key(params):
        if bucket.customer_keys_blocked:
            raise access_denied()
        if "ServerSideEncryption" in params:
            raise invalid_argument(
                "Server Side Encryption with Customer provided key is incompatible with the "
                "encryption method specified",
                "x-amz-server-side-encryption",
                params["ServerSideEncryption"],
            )
        return {
            "SSECustomerAlgorithm": params["SSECustomerAlgorithm"],
            "SSECustomerKeyMD5": params["SSECustomerKeyMD5"],
        }
    method = params.get("ServerSideEncryption")
    key = str(params.get("SSEKMSKeyId", ""))
    if method is None:
        if key:
            raise invalid_argument(
                "Server Side Encryption with AWS KMS managed key requires HTTP header "
                "x-amz-server-side-encryption : aws:kms",
                "x-amz-server-side-encryption",
            )
        method, key = bucket.encryption, bucket.kms_key
    if method not in ("AES256", "aws:kms", "aws:kms:dsse"):
        raise invalid_argument(
            "The encryption method specified is not supported",
            "x-amz-server-side-encryption",
            str(method),
        )
    if method == "AES256":
        if "SSEKMSKeyId" in params:
            raise invalid_argument(
                "Server Side Encryption with AWS KMS managed key requires HTTP header "
                "x-amz-server-side-encryption : aws:kms",
                "x-amz-server-side-encryption",
                "AES256",
            )
        return {"ServerSideEncryption": "AES256"}
    members: dict[str, Any] = {
        "ServerSideEncryption": method,
        "SSEKMSKeyId": kms_arn(bucket, key),
    }
    if params.get("BucketKeyEnabled", bucket.bucket_key):
        members["BucketKeyEnabled"] = True
    return members


def customer_key(params: Params, prefix: str = "") -> str:
    """The MD5 of the customer's key in base64, "" without one; checked for sense."""
    named = _CUSTOMER_MEMBERS[prefix]
    if named.isdisjoint(params):
        return ""
    algorithm = params.get(f"{prefix}SSECustomerAlgorithm")
    key = params.get(f"{prefix}SSECustomerKey")
    digest = params.get(f"{prefix}SSECustomerKeyMD5")
    if algorithm is None:
        raise invalid_argument(
            "Requests specifying Server Side Encryption with Customer provided keys must "
            "provide a valid encryption algorithm.",
            "x-amz-server-side-encryption",
        )
    if algorithm != "AES256":
        raise AwsError(
            "InvalidEncryptionAlgorithmError",
            "The encryption request you specified is not valid. The valid value is AES256.",
            400,
        )
    if key is None:
        raise invalid_argument(
            "Requests specifying Server Side Encryption with Customer provided keys must "
            "provide an appropriate secret key.",
            "x-amz-server-side-encryption",
        )
    if digest is None:
        raise invalid_argument(
            "Requests specifying Server Side Encryption with Customer provided keys must "
            "provide the client calculated MD5 of the secret key.",
            "x-amz-server-side-encryption",
        )
    try:
        raw = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32:
        raise invalid_argument(
            "The secret key was invalid for the specified algorithm.",
            "x-amz-server-side-encryption",
        )
    true = base64.b64encode(hashlib.md5(raw, usedforsecurity=False).digest()).decode()
    if digest != true:
        raise invalid_argument(
            "The calculated MD5 hash of the key did not match the hash that was provided.",
            "x-amz-server-side-encryption",
        )
    return true


def check_customer_key(version: Version, given: str) -> None:
    """Refuse a read without the key that the object was written with, or with a needless one."""
    stored = version.details.customer_key
    if stored and not given:
        raise invalid_request(
            "The object was stored using a form of Server Side Encryption. The correct "
            "parameters must be provided to retrieve the object."
        )
    if given and not stored:
        raise invalid_request("The encryption parameters are not applicable to this object.")
    if stored != given:
        raise access_denied()


def grants(params: Params, context: RequestContext, bucket: Bucket) -> tuple[tuple[str, str], ...]:
    """The new object's grants."""
    asked = acl.from_headers(params, context.account, bucket.account)
    if bucket.ownership == "BucketOwnerEnforced":
        if asked is not None and params.get("ACL") not in (
            "bucket-owner-full-control",
            "private",
        ):
            raise acl_not_supported()
        return tuple(acl.private(bucket.account))
    return tuple(asked if asked is not None else acl.private(context.account))


def acl_not_supported() -> AwsError:
    """The bucket's owner switched access control lists off."""
    return AwsError("AccessControlListNotSupported", "The bucket does not allow ACLs", 400)


def retention(params: Params, bucket: Bucket, now: float) -> tuple[tuple[str, float] | None, str]:
    """Object lock of a new version: mode and date, and the legal hold."""
    mode, until = params.get("ObjectLockMode"), params.get("ObjectLockRetainUntilDate")
    hold = str(params.get("ObjectLockLegalHoldStatus", ""))
    if (mode is not None or until is not None or hold) and not bucket.object_lock:
        raise invalid_request("Bucket is missing Object Lock Configuration")
    if (mode is None) != (until is None):
        raise invalid_argument(
            "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
            "x-amz-object-lock-mode" if mode is None else "x-amz-object-lock-retain-until-date",
        )
    if hold and hold not in ("ON", "OFF"):
        raise invalid_argument(
            "Legal Hold must be either of 'ON' or 'OFF'", "x-amz-object-lock-legal-hold", hold
        )
    if mode is not None and until is not None:
        check_retention(str(mode), float(until), now)
        return (str(mode), float(until)), hold
    if bucket.default_retention is not None:
        default_mode, count, unit = bucket.default_retention
        days = count if unit == "Days" else count * 365
        return (default_mode, now + days * 86400), hold
    return None, hold


def check_retention(mode: str, until: float, now: float) -> None:
    """InvalidArgument for an unknown mode or a date that has passed."""
    if mode not in ("GOVERNANCE", "COMPLIANCE"):
        raise invalid_argument("Unknown wormMode directive.", "x-amz-object-lock-mode", mode)
    if until <= now:
        raise invalid_argument(
            "The retain until date must be in the future!",
            "x-amz-object-lock-retain-until-date",
        )


def read_details(params: Params, context: RequestContext, bucket: Bucket, now: float) -> Details:
    """All of it, for a new object or a multipart upload."""
    locked, hold = retention(params, bucket, now)
    return Details(
        headers=content_headers(params),
        metadata=user_metadata(params),
        tags=tag_header(params["Tagging"]) if params.get("Tagging") else {},
        storage_class=storage_class(params),
        encryption=encryption(params, bucket),
        customer_key=customer_key(params),
        grants=grants(params, context, bucket),
        owner=bucket.account if bucket.ownership == "BucketOwnerEnforced" else context.account,
        retention=locked,
        legal_hold=hold,
    )


def overrides(params: Params) -> Mapping[str, Any]:
    """The content headers that a GET asks to see instead of the stored ones."""
    shown = {
        name: params[f"Response{name}"] for name in CONTENT_HEADERS if f"Response{name}" in params
    }
    if "Expires" in shown:
        shown["Expires"] = formatdate(int(shown["Expires"]), usegmt=True)
    return shown
