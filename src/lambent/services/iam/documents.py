"""Policy documents: the grammar that IAM holds them to when they are stored. Pure.

Source: IAM User Guide, "Grammar of the IAM JSON policy language".
"""

from __future__ import annotations

import json
import re
from typing import Any

from lambent.core import conditions
from lambent.services.iam.errors import malformed

_TOP = frozenset({"Id", "Statement", "Version"})
_STATEMENT = frozenset(
    {
        "Action",
        "Condition",
        "Effect",
        "NotAction",
        "NotPrincipal",
        "NotResource",
        "Principal",
        "Resource",
        "Sid",
    }
)
_VERSIONS = ("2008-10-17", "2012-10-17")
_SID = re.compile(r"[0-9A-Za-z]*")


def _statements(text: str) -> list[dict[str, Any]]:
    try:
        document = json.loads(text)
    except ValueError:
        raise malformed("This policy contains invalid Json") from None
    if not isinstance(document, dict) or not document.keys() <= _TOP:
        raise malformed("Syntax errors in policy.")
    if document.get("Version", "2012-10-17") not in _VERSIONS:
        raise malformed("Syntax errors in policy.")
    if "Statement" not in document:
        raise malformed("Syntax errors in policy.")
    found = document["Statement"]
    statements = found if isinstance(found, list) else [found]
    for statement in statements:
        if not isinstance(statement, dict) or not statement.keys() <= _STATEMENT:
            raise malformed("Syntax errors in policy.")
        if statement.get("Effect") not in ("Allow", "Deny"):
            raise malformed("Syntax errors in policy.")
        _check_condition(statement.get("Condition", {}))
    return statements


def _check_condition(block: object) -> None:
    wrong = conditions.problem(block)
    if wrong is None:
        return
    if wrong.kind == "key":
        raise malformed(
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
        )
    raise malformed("Syntax errors in policy.")


def _strings(value: Any) -> list[str]:
    members = value if isinstance(value, list) else [value]
    if not all(isinstance(member, str) for member in members):
        raise malformed("Syntax errors in policy.")
    return members


def _check_actions(statement: dict[str, Any]) -> None:
    if "Action" not in statement and "NotAction" not in statement:
        raise malformed("Policy statement must contain actions.")
    for action in _strings(statement.get("Action", statement.get("NotAction"))):
        if action != "*" and ":" not in action:
            raise malformed(
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
            )


def _check_sids(statements: list[dict[str, Any]]) -> None:
    sids = [statement["Sid"] for statement in statements if "Sid" in statement]
    for sid in sids:
        if not isinstance(sid, str) or not _SID.fullmatch(sid):
            raise malformed("Statement IDs (SID) in a single policy must be alpha numeric.")
    if len(sids) != len(set(sids)):
        raise malformed("Statement IDs (SID) in a single policy must be unique.")


def check_identity_policy(text: str) -> None:
    """AwsError MalformedPolicyDocument unless this can say what an identity may do."""
    statements = _statements(text)
    _check_sids(statements)
    for statement in statements:
        for field in ("Principal", "NotPrincipal"):
            if field in statement:
                raise malformed("Policy document should not specify a principal.")
        _check_actions(statement)
        if "Resource" not in statement and "NotResource" not in statement:
            raise malformed("Policy statement must contain resources.")
        for resource in _strings(statement.get("Resource", statement.get("NotResource"))):
            if resource != "*" and not resource.startswith(("arn:", "*", "${")):
                raise malformed(f'Resource {resource} must be in ARN format or "*".')


def check_trust_policy(text: str) -> None:
    """AwsError MalformedPolicyDocument unless this can say who may assume a role."""
    statements = _statements(text)
    _check_sids(statements)
    for statement in statements:
        for field in ("Resource", "NotResource"):
            if field in statement:
                raise malformed(f"Has prohibited field {field}")
        if "Principal" not in statement and "NotPrincipal" not in statement:
            raise malformed("Missing required field Principal")
        if "Action" not in statement and "NotAction" not in statement:
            raise malformed("Missing required field Action")
        for action in _strings(statement.get("Action", statement.get("NotAction"))):
            if action != "*" and not action.lower().startswith("sts:"):
                raise malformed("AssumeRole policy may only specify STS AssumeRole actions.")


def check_resource_policy(text: str) -> None:
    """AwsError MalformedPolicyDocument unless this can say who may do what to a resource."""
    for statement in _statements(text):
        if "Principal" not in statement and "NotPrincipal" not in statement:
            raise malformed("Missing required field Principal")
        _check_actions(statement)
