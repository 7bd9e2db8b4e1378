"""What IAM stores. IAM is global: nothing here knows a region. Times in epoch seconds."""

from __future__ import annotations

from msgspec import Struct, field


class Entity(Struct, kw_only=True):
    """What users, groups, roles and instance profiles have in common."""

    name: str
    id: str
    path: str
    created: float
    tags: dict[str, str] = field(default_factory=dict)


class Principal(Entity, kw_only=True):
    """An entity that policies are attached to. `inline`: documents by policy name."""

    inline: dict[str, str] = field(default_factory=dict)
    attached: list[str] = field(default_factory=list)
    boundary: str | None = None


class User(Principal, kw_only=True):
    """A user; `keys` are the ids of its access keys (the keys lie in core.credentials)."""

    keys: list[str] = field(default_factory=list)
    login_profile: float | None = None


class Group(Principal, kw_only=True):
    """A group of users."""

    members: list[str] = field(default_factory=list)


class Role(Principal, kw_only=True):
    """A role; `trust` is its trust policy's document."""

    trust: str
    description: str | None = None
    max_session: int = 3600


class InstanceProfile(Entity, kw_only=True):
    """An instance profile; holds at most one role."""

    roles: list[str] = field(default_factory=list)


class PolicyVersion(Struct, frozen=True):
    """One version of a managed policy."""

    id: str
    document: str
    created: float


class Policy(Entity, kw_only=True):
    """A managed policy of a customer."""

    updated: float
    default: str = "v1"
    next_version: int = 2
    description: str | None = None
    versions: list[PolicyVersion] = field(default_factory=list)
