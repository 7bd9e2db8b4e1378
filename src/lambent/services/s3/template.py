"""CloudFormation's property names for a bucket, translated to the API's. Pure.

Source: CloudFormation template reference, AWS::S3::Bucket. Templates carry numbers and
booleans as text at times; both forms are taken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Properties = Mapping[str, Any]


def bucket_name(default: str) -> str:
    """A valid bucket name from CloudFormation's own (stack-logical-SUFFIX): lower case, and
    cut in the middle to 63 characters so that the unique end stays."""
    name = re.sub(r"[^a-z0-9-]+", "-", default.lower()).strip("-")
    if len(name) <= 63:
        return name
    head, _, suffix = name.rpartition("-")
    return f"{head[: 62 - len(suffix)].rstrip('-')}-{suffix}"[:63]


def flag(value: Any) -> bool:
    """A boolean, or its text."""
    return value is True or str(value).lower() == "true"


def _date(value: Any) -> float:
    if isinstance(value, int | float):
        return float(value)
    moment = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _destination(entry: Properties, source: str, member: str) -> dict[str, Any]:
    shown: dict[str, Any] = {member: entry[source], "Events": [entry["Event"]]}
    rules = entry.get("Filter", {}).get("S3Key", {}).get("Rules")
    if rules:
        shown["Filter"] = {
            "Key": {"FilterRules": [{"Name": r["Name"], "Value": r["Value"]} for r in rules]}
        }
    return shown


def notification(document: Properties) -> dict[str, Any]:
    """`NotificationConfiguration`."""
    kinds = (
        ("TopicConfigurations", "Topic", "TopicConfigurations", "TopicArn"),
        ("QueueConfigurations", "Queue", "QueueConfigurations", "QueueArn"),
        (
            "LambdaConfigurations",
            "Function",
            "LambdaFunctionConfigurations",
            "LambdaFunctionArn",
        ),
    )
    result: dict[str, Any] = {
        target: [_destination(entry, member, arn) for entry in document[source]]
        for source, member, target, arn in kinds
        if document.get(source)
    }
    bridge = document.get("EventBridgeConfiguration")
    if bridge is not None and flag(bridge.get("EventBridgeEnabled", True)):
        result["EventBridgeConfiguration"] = {}
    return result


def cors(document: Properties) -> dict[str, Any]:
    """`CorsConfiguration`."""
    names = {
        "AllowedHeaders": "AllowedHeaders",
        "AllowedMethods": "AllowedMethods",
        "AllowedOrigins": "AllowedOrigins",
        "ExposedHeaders": "ExposeHeaders",
        "Id": "ID",
    }
    rules = []
    for entry in document.get("CorsRules", ()):
        rule = {member: entry[name] for name, member in names.items() if name in entry}
        if "MaxAge" in entry:
            rule["MaxAgeSeconds"] = int(entry["MaxAge"])
        rules.append(rule)
    return {"CORSRules": rules}


def _transition(entry: Properties) -> dict[str, Any]:
    shown: dict[str, Any] = {"StorageClass": entry["StorageClass"]}
    if "TransitionInDays" in entry:
        shown["Days"] = int(entry["TransitionInDays"])
    if "TransitionDate" in entry:
        shown["Date"] = _date(entry["TransitionDate"])
    return shown


def _noncurrent_transition(entry: Properties) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "StorageClass": entry["StorageClass"],
        "NoncurrentDays": int(entry["TransitionInDays"]),
    }
    if "NewerNoncurrentVersions" in entry:
        shown["NewerNoncurrentVersions"] = int(entry["NewerNoncurrentVersions"])
    return shown


def _lifecycle_filter(rule: Properties) -> dict[str, Any]:
    conditions: dict[str, Any] = {}
    if "Prefix" in rule:
        conditions["Prefix"] = rule["Prefix"]
    for name in ("ObjectSizeGreaterThan", "ObjectSizeLessThan"):
        if name in rule:
            conditions[name] = int(rule[name])
    tags = [{"Key": tag["Key"], "Value": tag["Value"]} for tag in rule.get("TagFilters", ())]
    if len(conditions) + len(tags) > 1:
        return {"And": {**conditions, **({"Tags": tags} if tags else {})}}
    if tags:
        return {"Tag": tags[0]}
    return conditions or {"Prefix": ""}


def _lifecycle_rule(rule: Properties) -> dict[str, Any]:
    shown: dict[str, Any] = {"Status": rule["Status"], "Filter": _lifecycle_filter(rule)}
    if "Id" in rule:
        shown["ID"] = rule["Id"]
    expiration: dict[str, Any] = {}
    if "ExpirationInDays" in rule:
        expiration["Days"] = int(rule["ExpirationInDays"])
    if "ExpirationDate" in rule:
        expiration["Date"] = _date(rule["ExpirationDate"])
    if "ExpiredObjectDeleteMarker" in rule:
        expiration["ExpiredObjectDeleteMarker"] = flag(rule["ExpiredObjectDeleteMarker"])
    if expiration:
        shown["Expiration"] = expiration
    if "NoncurrentVersionExpiration" in rule:
        shown["NoncurrentVersionExpiration"] = {
            name: int(value) for name, value in rule["NoncurrentVersionExpiration"].items()
        }
    elif "NoncurrentVersionExpirationInDays" in rule:
        days = int(rule["NoncurrentVersionExpirationInDays"])
        shown["NoncurrentVersionExpiration"] = {"NoncurrentDays": days}
    transitions = [*rule.get("Transitions", ())]
    transitions += [rule["Transition"]] if "Transition" in rule else []
    if transitions:
        shown["Transitions"] = [_transition(entry) for entry in transitions]
    noncurrent = [*rule.get("NoncurrentVersionTransitions", ())]
    noncurrent += (
        [rule["NoncurrentVersionTransition"]] if "NoncurrentVersionTransition" in rule else []
    )
    if noncurrent:
        shown["NoncurrentVersionTransitions"] = [_noncurrent_transition(e) for e in noncurrent]
    if "AbortIncompleteMultipartUpload" in rule:
        days = int(rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"])
        shown["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": days}
    return shown


def lifecycle(document: Properties) -> dict[str, Any]:
    """`LifecycleConfiguration`."""
    return {"Rules": [_lifecycle_rule(rule) for rule in document.get("Rules", ())]}


def encryption(document: Properties) -> dict[str, Any]:
    """`BucketEncryption`."""
    rules = []
    for entry in document.get("ServerSideEncryptionConfiguration", ()):
        rule: dict[str, Any] = {}
        if "ServerSideEncryptionByDefault" in entry:
            rule["ApplyServerSideEncryptionByDefault"] = entry["ServerSideEncryptionByDefault"]
        if "BucketKeyEnabled" in entry:
            rule["BucketKeyEnabled"] = flag(entry["BucketKeyEnabled"])
        rules.append(rule)
    return {"Rules": rules}


def public_access(document: Properties) -> dict[str, bool]:
    """`PublicAccessBlockConfiguration`."""
    return {name: flag(value) for name, value in document.items()}


def logging(document: Properties, own_name: str) -> dict[str, Any]:
    """`LoggingConfiguration`; without a destination a bucket logs into itself."""
    return {
        "LoggingEnabled": {
            "TargetBucket": document.get("DestinationBucketName", own_name),
            "TargetPrefix": document.get("LogFilePrefix", ""),
        }
    }


def website(document: Properties) -> dict[str, Any]:
    """`WebsiteConfiguration`."""
    shown: dict[str, Any] = {}
    if "RedirectAllRequestsTo" in document:
        shown["RedirectAllRequestsTo"] = dict(document["RedirectAllRequestsTo"])
    if "IndexDocument" in document:
        shown["IndexDocument"] = {"Suffix": document["IndexDocument"]}
    if "ErrorDocument" in document:
        shown["ErrorDocument"] = {"Key": document["ErrorDocument"]}
    rules = []
    for entry in document.get("RoutingRules", ()):
        rule = {"Redirect": entry["RedirectRule"]}
        if "RoutingRuleCondition" in entry:
            rule["Condition"] = entry["RoutingRuleCondition"]
        rules.append(rule)
    if rules:
        shown["RoutingRules"] = rules
    return shown


def object_lock(document: Properties) -> dict[str, Any]:
    """`ObjectLockConfiguration`."""
    shown: dict[str, Any] = {"ObjectLockEnabled": document.get("ObjectLockEnabled", "Enabled")}
    default = document.get("Rule", {}).get("DefaultRetention")
    if default:
        numbers = {name: int(default[name]) for name in ("Days", "Years") if name in default}
        shown["Rule"] = {"DefaultRetention": {"Mode": default["Mode"], **numbers}}
    return shown


def canned_acl(name: str) -> str:
    """`AccessControl`: "PublicReadWrite" → "public-read-write"."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
