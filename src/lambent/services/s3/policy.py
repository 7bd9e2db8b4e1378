"""Bucket policies: what S3 refuses to store, and whether one lets everyone in. Pure.

Source: "Policies and permissions in Amazon S3".
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from lambent.core.errors import AwsError
from lambent.core.resource_policy import listed

SIZE_LIMIT: Final = 20 * 1024


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
    statements = listed(policy.get("Statement"))
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
        for action in listed(statement.get("Action")):
            if action != "*" and not str(action).lower().startswith("s3:"):
                raise _malformed("Policy has invalid action")
        for resource in listed(statement.get("Resource")):
            if not _concerns(str(resource), bucket):
                raise _malformed("Policy has invalid resource")
    return policy


def _concerns(resource: str, bucket: str) -> bool:
    match = re.fullmatch(r"arn:[\w-]+:s3:::([^/]*)(/.*)?", resource, re.DOTALL)
    return match is not None and fnmatch.fnmatchcase(bucket, match[1].replace("[", "[[]"))


def is_public(policy: Mapping[str, Any]) -> bool:
    """Whether some statement lets everyone in, whatever the circumstances."""
    for statement in listed(policy.get("Statement")):
        if statement.get("Effect") != "Allow" or statement.get("Condition"):
            continue
        principal = statement.get("Principal")
        named = listed(principal.get("AWS")) if isinstance(principal, Mapping) else [principal]
        if "*" in named:
            return True
    return False
