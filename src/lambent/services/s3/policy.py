"""Bucket policies: what is stored is checked, and what they grant to other accounts.

Source: "Policies and permissions in Amazon S3". The bucket's own account is never asked
here: what its identities may do is IAM's affair.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from lambent.core.errors import AwsError

SIZE_LIMIT: Final = 20 * 1024


def _malformed(message: str) -> AwsError:
    return AwsError("MalformedPolicy", message, 400)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


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
    statements = _listed(policy.get("Statement"))
    if not statements:
        raise _malformed("Missing required field Statement")
    for statement in statements:
        if not isinstance(statement, dict):
            raise _malformed("Invalid policy syntax.")
        if statement.get("Effect") not in ("Allow", "Deny"):
            raise _malformed("Missing required field Effect")
        if "Principal" not in statement and "NotPrincipal" not in statement:
            raise _malformed("Missing required field Principal")
        if "Action" not in statement and "NotAction" not in statement:
            raise _malformed("Missing required field Action")
        if "Resource" not in statement and "NotResource" not in statement:
            raise _malformed("Missing required field Resource")
        for action in _listed(statement.get("Action")):
            if action != "*" and not str(action).lower().startswith("s3:"):
                raise _malformed("Policy has invalid action")
        for resource in _listed(statement.get("Resource")):
            if not _concerns(str(resource), bucket):
                raise _malformed("Policy has invalid resource")
    return policy


def _concerns(resource: str, bucket: str) -> bool:
    match = re.fullmatch(r"arn:[\w-]+:s3:::([^/]*)(/.*)?", resource, re.DOTALL)
    return match is not None and fnmatch.fnmatchcase(bucket, match[1].replace("[", "[[]"))


def _matches(patterns: Iterable[Any], value: str) -> bool:
    for pattern in patterns:
        expression = re.escape(str(pattern)).replace(r"\*", ".*").replace(r"\?", ".")
        if re.fullmatch(expression, value, re.DOTALL):
            return True
    return False


def _names(principal: Any, account: str, caller: str) -> bool:
    if principal == "*":
        return True
    if not isinstance(principal, Mapping):
        return False
    root = f"arn:aws:iam::{account}:root"
    return any(
        named in ("*", account, root) or (caller and named == caller)
        for named in _listed(principal.get("AWS"))
    )


def decide(
    policy: Mapping[str, Any], account: str, caller: str, action: str, arn: str
) -> bool | None:
    """Whether another account's caller may do `action` ("s3:GetObject") to `arn`; None when
    the policy does not say.

    A denial outweighs all permission. Statements with conditions are passed over, since
    nothing vouches for conditions here.
    """
    allowed: bool | None = None
    for statement in _listed(policy.get("Statement")):
        if "Principal" not in statement or not _names(statement["Principal"], account, caller):
            continue
        if not _matches((str(a).lower() for a in _listed(statement.get("Action"))), action.lower()):
            continue
        if not _matches(_listed(statement.get("Resource")), arn):
            continue
        if statement.get("Condition"):
            continue
        if statement["Effect"] == "Deny":
            return False
        allowed = True
    return allowed


def is_public(policy: Mapping[str, Any]) -> bool:
    """Whether some statement lets everyone in, whatever the circumstances."""
    for statement in _listed(policy.get("Statement")):
        if statement.get("Effect") != "Allow" or statement.get("Condition"):
            continue
        principal = statement.get("Principal")
        named = _listed(principal.get("AWS")) if isinstance(principal, Mapping) else [principal]
        if "*" in named:
            return True
    return False
