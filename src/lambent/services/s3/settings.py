"""What a bucket's stored settings must look like. Pure.

Each function gives the document as it is to be stored, or raises what S3 answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambent.core.errors import AwsError
from lambent.services.s3.errors import invalid_argument, invalid_request, malformed_xml
from lambent.services.s3.model import ENABLED, Bucket
from lambent.services.s3.tagging import BUCKET_TAGS, as_tag_set, tag_set

Document = Mapping[str, Any]
_TIERS = {"ARCHIVE_ACCESS": 90, "DEEP_ARCHIVE_ACCESS": 180}
_MOST_TIER_DAYS = 730
_METHODS = ("GET", "PUT", "HEAD", "POST", "DELETE")


def check_tagging(document: Document) -> dict[str, Any]:
    """A bucket's tags."""
    return {"TagSet": as_tag_set(tag_set(document, BUCKET_TAGS))}


def check_cors(document: Document) -> dict[str, Any]:
    """CORS rules: 1 to 100, known methods, at most one wildcard in an origin or header."""
    rules = document.get("CORSRules", ())
    if not rules:
        raise malformed_xml()
    if len(rules) > 100:
        raise invalid_request(
            "The number of CORS rules should not exceed allowed limit of 100 rules."
        )
    for rule in rules:
        if not rule.get("AllowedMethods") or not rule.get("AllowedOrigins"):
            raise malformed_xml()
        for method in rule["AllowedMethods"]:
            if method not in _METHODS:
                raise invalid_request(
                    f"Found unsupported HTTP method in CORS config. Unsupported method is {method}"
                )
        for origin in rule["AllowedOrigins"]:
            if origin.count("*") > 1:
                raise invalid_request(
                    f'AllowedOrigin "{origin}" can not have more than one wildcard.'
                )
        for header in rule.get("AllowedHeaders", ()):
            if header.count("*") > 1:
                raise invalid_request(
                    f'AllowedHeader "{header}" can not have more than one wildcard.'
                )
        for header in rule.get("ExposeHeaders", ()):
            if "*" in header:
                raise invalid_request(
                    f'ExposeHeader "{header}" contains wildcard. We currently do not support '
                    "wildcard for ExposeHeader."
                )
    return dict(document)


def check_website(document: Document) -> dict[str, Any]:
    """A website: redirect everything, or an index document with rules."""
    if "RedirectAllRequestsTo" in document:
        others = ("IndexDocument", "ErrorDocument", "RoutingRules")
        if any(name in document for name in others):
            raise malformed_xml()
        if not document["RedirectAllRequestsTo"].get("HostName"):
            raise malformed_xml()
        _check_protocol(document["RedirectAllRequestsTo"])
        return dict(document)
    suffix = document.get("IndexDocument", {}).get("Suffix")
    if suffix is None:
        raise invalid_argument(
            "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty",
            "IndexDocument",
            "null",
        )
    if not suffix or "/" in suffix:
        raise invalid_argument(
            "The IndexDocument Suffix is not well formed", "IndexDocument", suffix
        )
    if "ErrorDocument" in document and not document["ErrorDocument"].get("Key"):
        raise malformed_xml()
    for rule in document.get("RoutingRules", ()):
        _check_routing(rule)
    return dict(document)


def _check_routing(rule: Document) -> None:
    redirect, condition = rule.get("Redirect"), rule.get("Condition")
    if not redirect or condition == {}:
        raise malformed_xml()
    _check_protocol(redirect)
    if "ReplaceKeyWith" in redirect and "ReplaceKeyPrefixWith" in redirect:
        raise invalid_request("You can only define ReplaceKeyPrefix or ReplaceKey but not both.")
    code = str(redirect.get("HttpRedirectCode", "301"))
    if not (code.isdecimal() and 301 <= int(code) <= 399):
        raise invalid_request(
            f"The provided HTTP redirect code ({code}) is not valid. Valid codes are 3XX except "
            "300."
        )
    error = str((condition or {}).get("HttpErrorCodeReturnedEquals", "404"))
    if not (error.isdecimal() and 400 <= int(error) <= 599):
        raise invalid_request(
            f"The provided HTTP error code ({error}) is not valid. Valid codes are 4XX or 5XX."
        )


def _check_protocol(redirect: Document) -> None:
    if redirect.get("Protocol", "http") not in ("http", "https"):
        raise invalid_request(
            "Invalid protocol, protocol can be http or https. If not defined the protocol will "
            "be selected automatically."
        )


def check_accelerate(document: Document, bucket: Bucket) -> dict[str, Any]:
    """Transfer acceleration's status."""
    if document.get("Status") not in ("Enabled", "Suspended"):
        raise malformed_xml()
    if "." in bucket.name:
        raise invalid_request(
            "S3 Transfer Acceleration is not supported for buckets with periods (.) in their names"
        )
    return dict(document)


def check_request_payment(document: Document) -> dict[str, Any]:
    """Who pays."""
    if document.get("Payer") not in ("BucketOwner", "Requester"):
        raise malformed_xml()
    return dict(document)


def check_replication(document: Document, bucket: Bucket) -> dict[str, Any]:
    """Replication needs versions."""
    if bucket.versioning != ENABLED:
        raise invalid_request(
            "Versioning must be 'Enabled' on the bucket to apply a replication configuration"
        )
    if not document.get("Rules") or not document.get("Role"):
        raise malformed_xml()
    for rule in document["Rules"]:
        if rule.get("Status") not in ("Enabled", "Disabled"):
            raise malformed_xml()
        if not rule.get("Destination", {}).get("Bucket"):
            raise malformed_xml()
        if "Filter" in rule and "Prefix" in rule:
            raise malformed_xml()
        for member in ("Priority", "DeleteMarkerReplication"):
            if "Filter" in rule and member not in rule:
                raise invalid_request(
                    f"{member} must be specified for this version of Cross Region Replication "
                    "configuration schema. Please refer to S3 Developer Guide for more information."
                )
    named = [rule["ID"] for rule in document["Rules"] if rule.get("ID")]
    if len(set(named)) != len(named):
        raise invalid_argument("Rule ID must be unique. Found same ID for more than one rule", "ID")
    return dict(document)


def replicas(document: Document) -> list[str]:
    """The names of the buckets that a replication configuration copies to."""
    return [rule["Destination"]["Bucket"].rpartition(":")[2] for rule in document["Rules"]]


def check_encryption(document: Document) -> tuple[str, str, bool, bool]:
    """Default encryption: method, KMS key, whether bucket keys are used, and whether keys of
    customers are refused."""
    rules = document.get("Rules", ())
    if len(rules) != 1:
        raise malformed_xml()
    default = rules[0].get("ApplyServerSideEncryptionByDefault") or {}
    method = default.get("SSEAlgorithm", "AES256")
    if method not in ("AES256", "aws:kms", "aws:kms:dsse"):
        raise malformed_xml()
    key = default.get("KMSMasterKeyID", "")
    if key and method == "AES256":
        raise invalid_argument(
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or "
            "aws:kms:dsse",
            "ApplyServerSideEncryptionByDefault",
        )
    blocked = rules[0].get("BlockedEncryptionTypes", {}).get("EncryptionType", ())
    if any(kind not in ("NONE", "SSE-C") for kind in blocked) or len(blocked) > 1:
        raise malformed_xml()
    return method, key, bool(rules[0].get("BucketKeyEnabled", False)), "SSE-C" in blocked


def check_tiering(document: Document) -> None:
    """An S3 Intelligent-Tiering configuration: 1 or 2 archive tiers, each from its least days."""
    tiers = document.get("Tierings", ())
    if document.get("Status") not in ("Enabled", "Disabled") or not tiers:
        raise malformed_xml()
    for tier in tiers:
        least = _TIERS.get(str(tier.get("AccessTier")))
        if least is None or "Days" not in tier:
            raise malformed_xml()
        if not least <= tier["Days"] <= _MOST_TIER_DAYS:
            raise invalid_argument(
                f"'Days' for AccessTier '{tier['AccessTier']}' must be between {least} and "
                f"{_MOST_TIER_DAYS}",
                "Days",
                str(tier["Days"]),
            )
    if len({tier["AccessTier"] for tier in tiers}) != len(tiers):
        raise malformed_xml()


def check_ownership(document: Document) -> str:
    """The one ownership rule's setting."""
    rules = document.get("Rules", ())
    if len(rules) != 1:
        raise malformed_xml()
    setting = str(rules[0].get("ObjectOwnership", ""))
    if setting not in ("BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced"):
        raise malformed_xml()
    return setting


def check_public_access(document: Document) -> dict[str, bool]:
    """The four switches; what is left out is off."""
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    if not any(name in document for name in names):
        raise invalid_request("Must specify at least one configuration.")
    return {name: bool(document.get(name, False)) for name in names}


def check_object_lock(document: Document) -> tuple[str, int, str] | None:
    """Object lock's default retention: mode, number and unit; None without one."""
    if document.get("ObjectLockEnabled") != "Enabled":
        raise malformed_xml()
    if "Rule" not in document:
        return None
    default = document["Rule"].get("DefaultRetention") or {}
    mode = default.get("Mode")
    if mode not in ("GOVERNANCE", "COMPLIANCE"):
        raise malformed_xml()
    if ("Days" in default) == ("Years" in default):
        raise malformed_xml()
    unit = "Days" if "Days" in default else "Years"
    count = int(default[unit])
    if count <= 0:
        raise invalid_argument(
            "Default retention period must be a positive integer value.", unit, str(count)
        )
    if count > (36500 if unit == "Days" else 100):
        raise invalid_argument(
            "Default retention period too large. Maximum is 36500 days or 100 years.",
            unit,
            str(count),
        )
    return str(mode), count, unit


def missing(code: str, message: str, bucket: Bucket) -> AwsError:
    """404 for a setting that the bucket does not have."""
    return AwsError(code, message, 404, {"BucketName": bucket.name})
