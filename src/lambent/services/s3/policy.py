"""Bucket policies: what S3 refuses to store, and whether one lets everyone in. Pure.

Source: "Policies and permissions in Amazon S3".
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from lambent.core import conditions
from lambent.core.conditions import listed
from lambent.core.errors import AwsError

SIZE_LIMIT: Final = 20 * 1024
_PRINCIPALS: Final = ("AWS", "Service", "Federated", "CanonicalUser")
_AWS: Final = re.compile(r"\*|\d{12}|arn:[\w-]+:(iam|sts)::\d{12}:\S+|A[A-Z0-9]{15,}")
_OF_OBJECTS: Final = frozenset(
    {"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:GetObjectVersion", "s3:PutObjectAcl"}
)
_OF_BUCKETS: Final = frozenset(
    {"s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketVersions", "s3:DeleteBucket"}
)


def _malformed(message: str) -> AwsError:
    return AwsError("MalformedPolicy", message, 400)


def check_policy(text: str, bucket: str) -> dict[str, Any]:
    """The policy as a document; MalformedPolicy when S3 would refuse it for this bucket."""
    if len(text.encode()) > SIZE_LIMIT:
        raise _malformed("Policies exceed the maximum allowed document size.")
    try:
        policy = json.loads(text)
    except ValueError:
        raise _malformed("Policies must be valid JSON and the first byte must be '{'") from None
    if not isinstance(policy, dict):
        raise _malformed("Policies must be valid JSON and the first byte must be '{'")
    if policy.get("Version", "2008-10-17") not in ("2012-10-17", "2008-10-17"):
        raise _malformed("The policy must contain a valid version string")
    statements = listed(policy.get("Statement"))
    if not statements:
        raise _malformed("Missing required field Statement")
    for statement in statements:
        if not isinstance(statement, dict):
            raise _malformed("Invalid policy syntax.")
        if "Effect" not in statement:
            raise _malformed("Missing required field Effect")
        if statement["Effect"] not in ("Allow", "Deny"):
            raise _malformed(f"Invalid effect: {statement['Effect']}")
        if "Principal" not in statement and "NotPrincipal" not in statement:
            raise _malformed("Missing required field Principal")
        for name in ("Principal", "NotPrincipal"):
            _check_principal(statement.get(name, "*"))
        if "Action" not in statement and "NotAction" not in statement:
            raise _malformed("Missing required field Action")
        if "Resource" not in statement and "NotResource" not in statement:
            raise _malformed("Missing required field Resource")
        _check_condition(statement.get("Condition", {}))
        for action in listed(statement.get("Action")):
            if action != "*" and not str(action).lower().startswith("s3:"):
                raise _malformed("Policy has invalid action")
        for resource in listed(statement.get("Resource")):
            if not _concerns(str(resource), bucket):
                raise _malformed("Policy has invalid resource")
        _check_action_fits(statement)
    return policy


def _check_principal(principal: Any) -> None:
    if principal == "*":
        return
    if not isinstance(principal, dict) or not principal:
        raise _malformed("Invalid policy syntax.")
    for kind, named in principal.items():
        if kind not in _PRINCIPALS:
            raise _malformed("Invalid policy syntax.")
        if kind == "AWS" and any(_AWS.fullmatch(str(each)) is None for each in listed(named)):
            raise _malformed("Invalid principal in policy")


def _check_action_fits(statement: Mapping[str, Any]) -> None:
    # An action on objects alone with buckets alone, or the other way round, can do nothing.
    actions = [str(action) for action in listed(statement.get("Action"))]
    resources = [str(resource) for resource in listed(statement.get("Resource"))]
    for action in actions:
        if action in _OF_OBJECTS and resources and not any("/" in r or "*" in r for r in resources):
            raise _malformed("Action does not apply to any resource(s) in statement")
        if action in _OF_BUCKETS and resources and all("/" in r for r in resources):
            raise _malformed("Action does not apply to any resource(s) in statement")


def _check_condition(block: object) -> None:
    wrong = conditions.problem(block)
    if wrong is None:
        return
    if wrong.kind == "operator":
        raise _malformed(f"Invalid Condition type : {wrong.text}")
    if wrong.kind == "key":
        raise _malformed("Policy has an invalid condition key")
    raise _malformed("Invalid policy syntax.")


def _concerns(resource: str, bucket: str) -> bool:
    match = re.fullmatch(r"arn:[\w-]+:s3:::([^/]*)(/.*)?", resource, re.DOTALL)
    return match is not None and fnmatch.fnmatchcase(bucket, match[1].replace("[", "[[]"))


_NARROWING: Final = frozenset(
    (
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceip",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
    )
)
_EXACT: Final = ("StringEquals", "StringLike", "ArnEquals", "ArnLike", "IpAddress")


def _narrows(condition: Mapping[str, Any]) -> bool:
    """Whether a condition holds for fixed values of a key that tells requests apart.

    Source: Amazon S3 User Guide, "The meaning of 'public'"."""
    return any(
        operator in _EXACT
        and key.lower() in _NARROWING
        and not any(str(value).startswith("*") or "${" in str(value) for value in listed(wanted))
        for operator, keys in condition.items()
        for key, wanted in keys.items()
    )


def is_public(policy: Mapping[str, Any]) -> bool:
    """Whether some statement lets everyone in, with no condition that narrows whom it means."""
    for statement in listed(policy.get("Statement")):
        if statement.get("Effect") != "Allow" or _narrows(statement.get("Condition") or {}):
            continue
        principal = statement.get("Principal")
        named = listed(principal.get("AWS")) if isinstance(principal, Mapping) else [principal]
        if "*" in named:
            return True
    return False
