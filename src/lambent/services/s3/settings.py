"""What a bucket's stored settings must look like. Pure.

Each function gives the document as it is to be stored, or raises what S3 answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lambent.core.errors import AwsError
from lambent.services.s3.errors import invalid_argument, invalid_request, malformed_xml
from lambent.services.s3.model import ENABLED, Bucket
from lambent.services.s3.tagging import BUCKET_TAGS, as_tag_set, tag_set

Document = Mapping[str, Any]
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


def check_lifecycle(document: Document, make_id: Callable[[], str]) -> dict[str, Any]:
    """Lifecycle rules; a rule without an id gets one."""
    rules = [dict(rule) for rule in document.get("Rules", ())]
    if not rules:
        raise malformed_xml()
    if len(rules) > 1000:
        raise malformed_xml()
    for rule in rules:
        if rule.get("Status") not in ("Enabled", "Disabled"):
            raise malformed_xml()
        if "Filter" in rule and "Prefix" in rule:
            raise malformed_xml()
        if "Filter" not in rule and "Prefix" not in rule:
            raise malformed_xml()
        if len(rule.get("ID", "")) > 255:
            raise invalid_argument("ID length should not exceed allowed limit of 255", "ID")
        _check_lifecycle_actions(rule)
        rule["ID"] = rule.get("ID") or make_id()
    if len({rule["ID"] for rule in rules}) != len(rules):
        raise invalid_argument("Rule ID must be unique. Found same ID for more than one rule", "ID")
    return {"Rules": rules}


def _check_lifecycle_actions(rule: Document) -> None:
    actions = (
        "Expiration",
        "Transitions",
        "NoncurrentVersionExpiration",
        "NoncurrentVersionTransitions",
        "AbortIncompleteMultipartUpload",
    )
    if not any(rule.get(action) for action in actions):
        raise invalid_request("At least one action needs to be specified in a rule")
    expiration = rule.get("Expiration", {})
    if "Days" in expiration and expiration["Days"] <= 0:
        raise invalid_argument("'Days' for Expiration action must be a positive integer", "Days")
    dated = [expiration, *rule.get("Transitions", ())]
    if any("Date" in entry and float(entry["Date"]) % 86400 for entry in dated):
        raise invalid_argument("'Date' must be at midnight GMT", "Date")
    if any("Date" in entry and "Days" in entry for entry in dated):
        raise malformed_xml()
    for transition in rule.get("Transitions", ()):
        if transition.get("Days", 0) < 0:
            raise invalid_argument(
                "'Days' in Transition action must be greater than or equal to 0", "Days"
            )
    noncurrent = rule.get("NoncurrentVersionExpiration", {})
    if "NoncurrentDays" in noncurrent and noncurrent["NoncurrentDays"] <= 0:
        raise invalid_argument(
            "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer",
            "NoncurrentDays",
        )


def check_website(document: Document) -> dict[str, Any]:
    """A website: redirect everything, or an index document with rules."""
    if "RedirectAllRequestsTo" in document:
        others = ("IndexDocument", "ErrorDocument", "RoutingRules")
        if any(name in document for name in others):
            raise malformed_xml()
        if not document["RedirectAllRequestsTo"].get("HostName"):
            raise malformed_xml()
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
    return dict(document)


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
    return dict(document)


def check_encryption(document: Document) -> tuple[str, str, bool]:
    """Default encryption: method, KMS key, and whether bucket keys are used."""
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
    return method, key, bool(rules[0].get("BucketKeyEnabled", False))


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
