"""What a function's resource policy allows. Plain functions.

A denial outweighs all permission. Source: IAM User Guide, "Policy evaluation logic" and "IAM JSON
policy elements: Condition operators"; Lambda Developer Guide, "Working with resource-based
policies in Lambda".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lambent.core.arns import Arn
from lambent.core.resource_policy import listed, matches, names
from lambent.services.lambda_.policy import INVOKE, INVOKE_URL

Statements = Iterable[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Call:
    """Who wants to do what: a `service`, or someone of an `account` (`caller` is the ARN, where it
    is known), or anyone ("" all). `carried` are the values of condition keys, by the key in lower
    case."""

    action: str
    resource: str
    service: str = ""
    account: str = ""
    caller: str = ""
    carried: Mapping[str, str] = field(default_factory=dict)


def allows(statements: Statements, principal: str, source: str, resource: str) -> bool:
    """Whether a service `principal` may invoke the function `resource` for the resource `source`.

    An ARN that names no account (a bucket's) meets any SourceAccount: who owns the bucket is
    for the caller to know.
    """
    carried = {"aws:sourcearn": source}
    try:
        account = Arn.parse(source).account
    except ValueError:
        account = ""
    carried["aws:sourceaccount"] = account or "*"
    return _permitted(statements, Call(INVOKE, resource, service=principal, carried=carried))


def allows_url(statements: Statements, account: str | None, auth_type: str, resource: str) -> bool:
    """Whether the URL of the function `resource` may be called by `account`; None is anyone,
    unsigned.

    It takes both: to invoke the URL, and to invoke the function (Lambda Developer Guide,
    "Control access to Lambda function URLs": for all URLs made since October 2025).
    """
    carried = {"lambda:functionurlauthtype": auth_type, "lambda:invokedviafunctionurl": "true"}
    call = Call(INVOKE_URL, resource, account=account or "", carried=carried)
    statements = list(statements)
    return all(
        _permitted(statements, replace(call, action=action)) for action in (INVOKE_URL, INVOKE)
    )


def allows_caller(statements: Statements, account: str, caller: str, resource: str) -> bool:
    """Whether a caller of another account may invoke the function `resource`."""
    return _permitted(statements, Call(INVOKE, resource, account=account, caller=caller))


def _permitted(statements: Statements, call: Call) -> bool:
    effects = {one["Effect"] for one in statements if _is_about(one, call)}
    return effects == {"Allow"}


def _is_about(one: Mapping[str, Any], call: Call) -> bool:
    return (
        _names(one["Principal"], call)
        and matches((str(each).lower() for each in listed(one["Action"])), call.action.lower())
        and matches(listed(one["Resource"]), call.resource)
        and all(
            _holds(operator, [str(each) for each in listed(value)], call.carried.get(key.lower()))
            for operator, wanted in (one.get("Condition") or {}).items()
            for key, value in wanted.items()
        )
    )


def _names(principal: Any, call: Call) -> bool:
    if not isinstance(principal, Mapping):
        return bool(principal == "*")
    if call.service and call.service in listed(principal.get("Service")):
        return True
    if call.caller:
        return names(principal, call.account, call.caller)
    named = listed(principal.get("AWS"))
    accounts = {part for each in named for part in (str(each), *str(each).split(":")[4:5])}
    return "*" in named or (call.account != "" and call.account in accounts)


def _holds(operator: str, wanted: list[str], value: str | None) -> bool:
    """Whether a condition holds. A value of "*" is anything that is wanted; what an operator
    of another kind compares, no call here carries."""
    if operator.endswith("IfExists"):
        if value is None:
            return True
        operator = operator.removesuffix("IfExists")
    if operator == "Null":
        return wanted == ["true" if value is None else "false"]
    if operator not in _OPERATORS:
        return False
    negative, alike = "Not" in operator, operator.startswith("Arn") or operator.endswith("Like")
    if value is None:
        return negative
    met = value == "*" or (matches(wanted, value) if alike else value in wanted)
    return met is not negative


_OPERATORS = frozenset(
    (
        *("StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "Bool"),
        *("ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike"),
    )
)
