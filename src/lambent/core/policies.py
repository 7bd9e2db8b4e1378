"""What policies say to a request: those of a resource, and those of who asks. Pure.

The one place where statements are evaluated; what they are evaluated against is told by an
`Ask`, whose condition keys `policy_keys` makes.
Source: IAM User Guide, "Policy evaluation logic", "Cross-account policy evaluation logic" and
"IAM JSON policy elements".
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from lambent.core import conditions
from lambent.core.conditions import listed
from lambent.core.policy_patterns import Keys, matches, variables

Document = Mapping[str, Any]

_SESSION: Final = re.compile(r"arn:([\w-]+):sts::(\d{12}):assumed-role/([^/]+)/")
_WITH_VARIABLES: Final = "2012-10-17"
VOLATILE: Final = frozenset(("aws:currenttime", "aws:epochtime"))
"""Keys whose value no two requests share, so that no decision about them is kept."""


class Ask(msgspec.Struct, frozen=True):
    """Who wants to do what to which resource.

    `action` is "sqs:SendMessage"; `resource` is "" where policies name none (a role's trust).
    It asks a caller of `account` (`caller` is the ARN, "" when it is not known; `canonical` S3's
    id of the account), a `service` ("s3.amazonaws.com"), or nobody in particular: all "".
    `keys` are the condition keys.
    """

    action: str
    resource: str
    account: str = ""
    caller: str = ""
    service: str = ""
    canonical: str = ""
    keys: Keys = {}

    def __hash__(self) -> int:
        # Without the keys, which are a mapping: by them asks are told apart, not found.
        return hash((self.action, self.resource, self.account, self.caller, self.service))


def decide(policy: Document, ask: Ask) -> bool | None:
    """What a resource's policy says; None when it does not say. A denial outweighs all
    permission."""
    return _outcome(
        str(statement.get("Effect"))
        for statement in statements_of(policy)
        if applies(policy, statement, ask)
    )


def permits(policies: Iterable[Document], ask: Ask) -> bool | None:
    """What the policies of who asks say; None when they do not say."""
    return _outcome(
        str(statement.get("Effect"))
        for policy in policies
        for statement in statements_of(policy)
        if applies(policy, statement, ask, named=True)
    )


def invites(policy: Document, ask: Ask) -> bool:
    """Whether a resource's policy allows this in some circumstances, if not in these."""
    return any(
        statement.get("Effect") == "Allow" and is_about(policy, statement, ask)
        for statement in statements_of(policy)
    )


@lru_cache(maxsize=2048)
def parsed(text: str) -> Document:
    """A stored policy's document. Not to be changed."""
    document: Document = json.loads(text)
    return document


@lru_cache(maxsize=2048)
def needed(text: str) -> frozenset[str]:
    """The condition keys that a stored policy asks for, in lower case."""
    return keys_of(parsed(text))


def keys_of(policy: Document) -> frozenset[str]:
    """The condition keys that a policy asks for, in lower case."""
    return frozenset(key.lower() for key in written_keys(policy))


def written_keys(policy: Document) -> set[str]:
    """The condition keys that a policy asks for, as they are written there."""
    found: set[str] = set()
    for statement in statements_of(policy):
        found.update(conditions.keys_of(statement.get("Condition") or {}))
        for member in ("Resource", "NotResource"):
            for pattern in listed(statement.get(member)):
                found.update(variables(str(pattern)))
    return found


def decide_stored(text: str, ask: Ask) -> bool | None:
    """`decide` of a stored policy; kept where it can be asked again."""
    if needed(text) & VOLATILE:
        return decide(parsed(text), ask)
    return _decided(text, ask)


@lru_cache(maxsize=4096)
def _decided(text: str, ask: Ask) -> bool | None:
    return decide(parsed(text), ask)


def statements_of(policy: Document) -> Iterator[Document]:
    """A policy's statements."""
    for statement in listed(policy.get("Statement")):
        if isinstance(statement, Mapping):
            yield statement


def applies(policy: Document, statement: Document, ask: Ask, *, named: bool = False) -> bool:
    """Whether a statement is about this and its conditions hold. `named`: it is a policy of who
    asks, and so names nobody."""
    return is_about(policy, statement, ask, named=named) and conditions.holds(
        statement.get("Condition") or {}, ask.keys, with_variables=_has_variables(policy)
    )


def is_about(policy: Document, statement: Document, ask: Ask, *, named: bool = False) -> bool:
    """Whether a statement is about who asks, the action and the resource."""
    if not named and not _names_caller(statement, ask):
        return False
    action = ask.action.lower()
    if "NotAction" in statement:
        meant = not matches(_lower(statement["NotAction"]), action)
    else:
        meant = matches(_lower(statement.get("Action")), action)
    if not meant:
        return False
    if not ask.resource:
        return True
    keys = ask.keys if _has_variables(policy) else None
    if "NotResource" in statement:
        return not matches(listed(statement["NotResource"]), ask.resource, keys)
    return matches(listed(statement.get("Resource")), ask.resource, keys)


def names(principal: Any, ask: Ask) -> bool:
    """Whether a statement's principal names who asks."""
    if principal == "*":
        return True
    if not isinstance(principal, Mapping):
        return False
    if ask.service and _meets({ask.service, "*"}, principal.get("Service")):
        return True
    if ask.canonical and _meets({ask.canonical}, principal.get("CanonicalUser")):
        return True
    known = {"*"}
    if ask.account:
        known |= {ask.account, f"arn:aws:iam::{ask.account}:root"}
    if ask.caller:
        known |= {ask.caller, role_of(ask.caller)}
    return _meets(known, principal.get("AWS"))


def role_of(caller: str) -> str:
    """The role that a session's ARN is of; of any other ARN, itself."""
    session = _SESSION.match(caller)
    return f"arn:{session[1]}:iam::{session[2]}:role/{session[3]}" if session else caller


def _outcome(effects: Iterable[str]) -> bool | None:
    allowed: bool | None = None
    for effect in effects:
        if effect == "Deny":
            return False
        allowed = allowed or effect == "Allow" or None
    return allowed


def _names_caller(statement: Document, ask: Ask) -> bool:
    if "Principal" in statement:
        return names(statement["Principal"], ask)
    others = statement.get("NotPrincipal")
    return others is not None and not names(others, ask)


def _has_variables(policy: Document) -> bool:
    return policy.get("Version") == _WITH_VARIABLES


def _lower(values: Any) -> Iterator[str]:
    return (str(value).lower() for value in listed(values))


def _meets(known: Collection[str], named: Any) -> bool:
    return any(one in known for one in listed(named) if isinstance(one, str))
