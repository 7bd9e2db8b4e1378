"""Stored entities as the API shows them, with dates in whole seconds as IAM's. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from lambent.services.iam import managed
from lambent.services.iam.kinds import GROUPS, POLICIES, PROFILES, ROLES, USERS
from lambent.services.iam.model import (
    Group,
    InstanceProfile,
    Policy,
    PolicyVersion,
    Principal,
    Role,
    User,
)


def encoded(document: str) -> str:
    """A document as IAM sends it: percent-encoded by RFC 3986."""
    return quote(document, safe="-_.~")


def tags(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as a list."""
    return [{"Key": key, "Value": value} for key, value in values.items()]


def _boundary(one: Principal) -> dict[str, str] | None:
    if one.boundary is None:
        return None
    return {
        "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
        "PermissionsBoundaryArn": one.boundary,
    }


def user(account: str, one: User, *, full: bool = True) -> dict[str, Any]:
    """A user; lists leave tags and boundary out."""
    shown: dict[str, Any] = {
        "Path": one.path,
        "UserName": one.name,
        "UserId": one.id,
        "Arn": USERS.arn(account, one.path, one.name),
        "CreateDate": int(one.created),
    }
    if full:
        shown["PermissionsBoundary"] = _boundary(one)
        shown["Tags"] = tags(one.tags) or None
    return shown


def group(account: str, one: Group) -> dict[str, Any]:
    """A group."""
    return {
        "Path": one.path,
        "GroupName": one.name,
        "GroupId": one.id,
        "Arn": GROUPS.arn(account, one.path, one.name),
        "CreateDate": int(one.created),
    }


def role(account: str, one: Role, *, full: bool = True) -> dict[str, Any]:
    """A role; lists leave tags, boundary and last use out."""
    shown: dict[str, Any] = {
        "Path": one.path,
        "RoleName": one.name,
        "RoleId": one.id,
        "Arn": ROLES.arn(account, one.path, one.name),
        "CreateDate": int(one.created),
        "AssumeRolePolicyDocument": encoded(one.trust),
        "Description": one.description,
        "MaxSessionDuration": one.max_session,
    }
    if full:
        shown["PermissionsBoundary"] = _boundary(one)
        shown["Tags"] = tags(one.tags) or None
        shown["RoleLastUsed"] = {}
    return shown


def new_role(account: str, one: Role) -> dict[str, Any]:
    """A role as its creation answers: last use and session limit are for later questions."""
    shown = role(account, one)
    return {**shown, "MaxSessionDuration": None, "RoleLastUsed": None}


def profile(
    account: str, one: InstanceProfile, roles: Mapping[str, Role], *, full: bool = True
) -> dict[str, Any]:
    """An instance profile with its role."""
    return {
        "Path": one.path,
        "InstanceProfileName": one.name,
        "InstanceProfileId": one.id,
        "Arn": PROFILES.arn(account, one.path, one.name),
        "CreateDate": int(one.created),
        "Roles": [role(account, roles[name], full=False) for name in one.roles if name in roles],
        "Tags": tags(one.tags) if full else None,
    }


def policy(account: str, one: Policy, attachments: int, *, full: bool = True) -> dict[str, Any]:
    """A customer's managed policy; lists leave description and tags out."""
    shown: dict[str, Any] = {
        "PolicyName": one.name,
        "PolicyId": one.id,
        "Arn": POLICIES.arn(account, one.path, one.name),
        "Path": one.path,
        "DefaultVersionId": one.default,
        "AttachmentCount": attachments,
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": True,
        "CreateDate": int(one.created),
        "UpdateDate": int(one.updated),
    }
    if full:
        shown["Description"] = one.description
        shown["Tags"] = tags(one.tags)
    return shown


def managed_policy(arn: str, attachments: int) -> dict[str, Any]:
    """One of AWS's own policies."""
    path, name = managed.split(arn)
    return {
        "PolicyName": name,
        "PolicyId": managed.policy_id(arn),
        "Arn": arn,
        "Path": path,
        "DefaultVersionId": "v1",
        "AttachmentCount": attachments,
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": True,
        "CreateDate": managed.CREATED,
        "UpdateDate": managed.CREATED,
    }


def version(one: PolicyVersion, default: str, *, document: bool = True) -> dict[str, Any]:
    """A version of a managed policy."""
    return {
        "Document": encoded(one.document) if document else None,
        "VersionId": one.id,
        "IsDefaultVersion": one.id == default,
        "CreateDate": int(one.created),
    }
