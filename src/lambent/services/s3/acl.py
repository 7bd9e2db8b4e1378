"""Access control lists: canned ones, grant headers, and the documents S3 shows.

Source: "Access control list (ACL) overview". A grant is stored as (grantee, permission),
where the grantee is `id:CANONICAL`, `uri:GROUP` or `email:ADDRESS`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from lambent.core.errors import AwsError
from lambent.services.s3.errors import invalid_argument, invalid_request

Grant = tuple[str, str]

ALL_USERS: Final = "uri:http://acs.amazonaws.com/groups/global/AllUsers"
AUTHENTICATED: Final = "uri:http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
LOG_DELIVERY: Final = "uri:http://acs.amazonaws.com/groups/s3/LogDelivery"
_GROUPS: Final = (ALL_USERS, AUTHENTICATED, LOG_DELIVERY)
_PERMISSIONS: Final = ("FULL_CONTROL", "WRITE", "WRITE_ACP", "READ", "READ_ACP")
_HEADERS: Final = {
    "GrantFullControl": "FULL_CONTROL",
    "GrantRead": "READ",
    "GrantReadACP": "READ_ACP",
    "GrantWrite": "WRITE",
    "GrantWriteACP": "WRITE_ACP",
}
_ASKED: Final = frozenset({"ACL", *_HEADERS})
_CANNED: Final[Mapping[str, Sequence[Grant]]] = {
    "private": (),
    "public-read": ((ALL_USERS, "READ"),),
    "public-read-write": ((ALL_USERS, "READ"), (ALL_USERS, "WRITE")),
    "authenticated-read": ((AUTHENTICATED, "READ"),),
    "log-delivery-write": ((LOG_DELIVERY, "WRITE"), (LOG_DELIVERY, "READ_ACP")),
}
_OBJECT_ONLY: Final = ("bucket-owner-read", "bucket-owner-full-control", "aws-exec-read")
_PAIR = re.compile(r'\s*(\w+)\s*=\s*"?([^",]*)"?\s*')


@lru_cache(maxsize=4096)
def canonical_id(account: str) -> str:
    """The canonical user id that stands for an account."""
    return hashlib.sha256(f"canonical-user/{account}".encode()).hexdigest()


def owner(account: str) -> dict[str, str]:
    """An `Owner` document; the account is its own display name."""
    return {"ID": canonical_id(account), "DisplayName": account}


def private(account: str) -> list[Grant]:
    """The grants of a new resource: the owner has full control."""
    return [(f"id:{canonical_id(account)}", "FULL_CONTROL")]


def canned(name: str, owner_account: str, bucket_account: str) -> list[Grant]:
    """The grants that a canned ACL stands for."""
    full = private(owner_account)
    if name in _CANNED:
        return [*full, *_CANNED[name]]
    bucket_owner = f"id:{canonical_id(bucket_account)}"
    if name == "aws-exec-read":
        return full
    if name in _OBJECT_ONLY:
        if owner_account == bucket_account:
            return full
        permission = "READ" if name == "bucket-owner-read" else "FULL_CONTROL"
        return [*full, (bucket_owner, permission)]
    raise invalid_argument("", "x-amz-acl", name)


def from_headers(
    params: Mapping[str, Any], owner_account: str, bucket_account: str
) -> list[Grant] | None:
    """The grants that a request's ACL headers ask for; None when it has none."""
    if _ASKED.isdisjoint(params):
        return None
    asked = [member for member in _HEADERS if member in params]
    if "ACL" in params:
        if asked:
            raise invalid_request("Specifying both Canned ACLs and Header Grants is not allowed")
        return canned(params["ACL"], owner_account, bucket_account)
    grants: list[Grant] = []
    for member in asked:
        for part in params[member].split(","):
            match = _PAIR.fullmatch(part)
            if match is None:
                raise invalid_argument("Argument format not recognized", member, params[member])
            grants.append((_grantee(match[1], match[2]), _HEADERS[member]))
    return grants


def _grantee(kind: str, value: str) -> str:
    match kind.lower():
        case "uri":
            if f"uri:{value}" not in _GROUPS:
                raise invalid_argument("Invalid group uri", "uri", value)
            return f"uri:{value}"
        case "id":
            if re.fullmatch(r"[0-9a-f]{64}", value) is None:
                raise invalid_argument("Invalid id", "id", value)
            return f"id:{value}"
        case "emailaddress":
            raise AwsError(
                "UnresolvableGrantByEmailAddress",
                "The e-mail address you provided does not match any account on record.",
                400,
                {"EmailAddress": value},
            )
        case _:
            raise invalid_argument("Argument format not recognized", kind, value)


def malformed_acl() -> AwsError:
    """400 for a document that is no access control list."""
    return AwsError(
        "MalformedACLError",
        "The XML you provided was not well-formed or did not validate against our published schema",
        400,
    )


def from_document(document: Mapping[str, Any], owner_account: str) -> list[Grant]:
    """The grants of an `AccessControlPolicy` document, which must name the true owner."""
    named = document.get("Owner", {}).get("ID")
    if named is None:
        raise malformed_acl()
    if named != canonical_id(owner_account):
        raise AwsError("AccessDenied", "Access Denied", 403)
    grants: list[Grant] = []
    for entry in document.get("Grants", ()):
        grantee, permission = entry.get("Grantee", {}), entry.get("Permission")
        if permission not in _PERMISSIONS:
            raise malformed_acl()
        match grantee.get("Type"):
            case "CanonicalUser":
                grants.append((_grantee("id", grantee.get("ID", "")), permission))
            case "Group":
                grants.append((_grantee("uri", grantee.get("URI", "")), permission))
            case "AmazonCustomerByEmail":
                _grantee("emailAddress", grantee.get("EmailAddress", ""))
            case _:
                raise malformed_acl()
    return grants


def as_grants(grants: Sequence[Grant], account: str) -> list[dict[str, Any]]:
    """Grants as `Grants` shows them; `account` is the owner's."""
    names = {canonical_id(account): account}
    shown: list[dict[str, Any]] = []
    for grantee, permission in grants:
        kind, _, value = grantee.partition(":")
        if kind == "id":
            who = {"Type": "CanonicalUser", "ID": value}
            if value in names:
                who["DisplayName"] = names[value]
        else:
            who = {"Type": "Group", "URI": value}
        shown.append({"Grantee": who, "Permission": permission})
    return shown


def permits(grants: Sequence[Grant], account: str, permission: str) -> bool:
    """Whether the grants give `permission` to callers of an account."""
    mine = (f"id:{canonical_id(account)}", ALL_USERS, AUTHENTICATED)
    return any(who in mine and what in (permission, "FULL_CONTROL") for who, what in grants)


def is_public(grants: Sequence[Grant]) -> bool:
    """Whether anyone outside the account is let in by a group grant."""
    return any(who in (ALL_USERS, AUTHENTICATED) for who, _ in grants)
