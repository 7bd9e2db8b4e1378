"""The condition keys that requests carry: those that all of AWS has. Pure.

A request to a node counts as having come over TLS, as all that AWS answers to clients does: the
node speaks none, and stands behind a proxy that does or on the machine's own loopback.
Source: IAM User Guide, "AWS global condition context keys".
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Final

from lambent.core.context import RequestContext
from lambent.core.policies import role_of


def of_request(
    context: RequestContext,
    needed: Collection[str],
    *,
    owner: str = "",
    tags: Mapping[str, str] | None = None,
) -> dict[str, tuple[str, ...]]:
    """Those of `needed` (names in lower case) that a request has. `owner` is the account and
    `tags` are the tags of the resource."""
    found: dict[str, tuple[str, ...]] = {}
    for key in needed:
        make = _OF_REQUESTS.get(key)
        value = make(context) if make is not None else ""
        if value:
            found[key] = (value,)
    if owner and "aws:resourceaccount" in needed:
        found["aws:resourceaccount"] = (owner,)
    for name, value in (tags or {}).items():
        key = f"aws:resourcetag/{name.lower()}"
        if key in needed:
            found[key] = (value,)
    return found


def of_service(
    principal: str, source_arn: str, source_account: str, region: str
) -> dict[str, tuple[str, ...]]:
    """What a service's own requests carry that it makes for a resource of an account."""
    keys = {
        "aws:sourcearn": source_arn,
        "aws:sourceaccount": source_account,
        "aws:principalisawsservice": "true",
        "aws:principalservicename": principal,
        "aws:principalservicenameslist": principal,
        "aws:principaltype": "Service",
        "aws:requestedregion": region,
        "aws:securetransport": "true",
        "aws:viaawsservice": "false",
    }
    return {key: (value,) for key, value in keys.items() if value}


def of_role(role: str, region: str) -> dict[str, tuple[str, ...]]:
    """What requests carry that a service makes as a role: a function's."""
    keys = {
        "aws:principalarn": role,
        "aws:principalaccount": account_of(role),
        "aws:principaltype": "AssumedRole",
        "aws:principalisawsservice": "false",
        "aws:requestedregion": region,
        "aws:securetransport": "true",
        "aws:viaawsservice": "false",
    }
    return {key: (value,) for key, value in keys.items() if value}


def account_of(arn: str) -> str:
    """The account that an ARN names; "" when it names none."""
    return (arn.split(":", 5) + [""] * 5)[4]


def _type(context: RequestContext) -> str:
    _, _, resource = context.principal.rpartition(":")
    if resource == "root":
        return "Account"
    if resource.startswith("user/"):
        return "User"
    return "AssumedRole" if resource.startswith("assumed-role/") else "Anonymous"


def _user(context: RequestContext) -> str:
    return context.principal.rpartition("/")[2] if _type(context) == "User" else ""


def _user_id(context: RequestContext) -> str:
    return context.user_id or (context.account if _type(context) == "Account" else "")


def _time(context: RequestContext) -> str:
    return f"{datetime.fromtimestamp(context.now, UTC):%Y-%m-%dT%H:%M:%SZ}"


_OF_REQUESTS: Final[Mapping[str, Callable[[RequestContext], str]]] = {
    "aws:currenttime": _time,
    "aws:epochtime": lambda context: str(int(context.now)),
    "aws:principalaccount": lambda context: account_of(context.principal),
    "aws:principalarn": lambda context: role_of(context.principal),
    "aws:principalisawsservice": lambda _: "false",
    "aws:principaltype": _type,
    "aws:referer": lambda context: context.headers.get("referer", ""),
    "aws:requestedregion": lambda context: context.region,
    "aws:securetransport": lambda _: "true",
    "aws:sourceip": lambda context: context.client,
    "aws:useragent": lambda context: context.headers.get("user-agent", ""),
    "aws:userid": _user_id,
    "aws:username": _user,
    # What no client sent, another service of the node asks on someone's behalf.
    "aws:viaawsservice": lambda context: "false" if context.client else "true",
}
