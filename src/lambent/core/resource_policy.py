"""What a resource's own policy says to a caller. Pure.

Source: IAM User Guide, "Cross-account policy evaluation logic" and "IAM JSON policy elements".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_SESSION = re.compile(r"arn:([\w-]+):sts::(\d{12}):assumed-role/([^/]+)/")


def listed(value: Any) -> list[Any]:
    """What may stand alone or in a list, as a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def decide(
    policy: Mapping[str, Any], account: str, caller: str, action: str, arn: str
) -> bool | None:
    """Whether a caller of `account` may do `action` ("s3:GetObject") to `arn`; None when the
    policy does not say.

    A denial outweighs all permission. Statements with conditions are passed over, since
    nothing vouches for conditions here.
    """
    allowed: bool | None = None
    for statement in listed(policy.get("Statement")):
        if statement.get("Condition") or not _means(statement, account, caller, action, arn):
            continue
        if statement.get("Effect") == "Deny":
            return False
        allowed = allowed or statement.get("Effect") == "Allow" or None
    return allowed


def _means(statement: Mapping[str, Any], account: str, caller: str, action: str, arn: str) -> bool:
    """Whether a statement is about this caller, action and resource."""
    if "Principal" in statement:
        named = names(statement["Principal"], account, caller)
    else:
        others = statement.get("NotPrincipal")
        named = others is not None and not names(others, account, caller)
    if not named:
        return False
    action = action.lower()
    if "NotAction" in statement:
        meant = not matches(map(str.lower, map(str, listed(statement["NotAction"]))), action)
    else:
        meant = matches(map(str.lower, map(str, listed(statement.get("Action")))), action)
    if not meant:
        return False
    if "NotResource" in statement:
        return not matches(listed(statement["NotResource"]), arn)
    return matches(listed(statement.get("Resource")), arn)


def matches(patterns: Iterable[Any], value: str) -> bool:
    """Whether one of the patterns, with `*` and `?`, is the whole value."""
    return any(_is_like(value, str(pattern)) for pattern in patterns)


def _is_like(value: str, pattern: str) -> bool:
    """Whether a pattern is the whole value, in time that grows with the product of their
    lengths at most: a stored pattern may be a hostile one."""
    at = place = 0
    star, tried = -1, 0  # the last `*`, and how far it reaches so far
    while at < len(value):
        found = pattern[place] if place < len(pattern) else ""
        if found == "*":
            star, tried = place, at
            place += 1
        elif found == "?" or found == value[at]:
            at += 1
            place += 1
        elif star >= 0:
            tried += 1
            at, place = tried, star + 1
        else:
            return False
    return not pattern[place:].strip("*")


def names(principal: Any, account: str, caller: str) -> bool:
    """Whether a statement's principal names a caller ("": someone) of the account."""
    if principal == "*":
        return True
    if not isinstance(principal, Mapping):
        return False
    root = f"arn:aws:iam::{account}:root"
    known = {"*", account, root}
    if caller:
        known |= {caller, _role(caller)}
    return any(named in known for named in listed(principal.get("AWS")))


def _role(caller: str) -> str:
    """The role that a session's ARN is of; of any other ARN, itself."""
    session = _SESSION.match(caller)
    return f"arn:{session[1]}:iam::{session[2]}:role/{session[3]}" if session else caller
