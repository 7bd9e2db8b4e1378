"""The kinds of IAM entities: where each lies, how it is named, and its errors' words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from lambent.core.arns import Arn
from lambent.core.ids import Ids
from lambent.services.iam import errors
from lambent.services.iam.model import Entity, Group, InstanceProfile, Policy, Role, User
from lambent.store.contract import Transaction

E = TypeVar("E", bound=Entity)

_ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@dataclass(frozen=True, slots=True)
class Kind(Generic[E]):
    """One kind of entity. Names are unique within an account without regard to case."""

    type: type[E]
    collection: str
    segment: str
    id_prefix: str
    absent: str
    taken: str

    def new_id(self, ids: Ids) -> str:
        """A unique id ("AROA…", 21 characters)."""
        return self.id_prefix + ids.token(17, _ID_ALPHABET)

    def arn(self, account: str, path: str, name: str) -> str:
        """The ARN of an entity of this kind."""
        return str(Arn("iam", "", account, f"{self.segment}{path}{name}"))

    async def find(self, tx: Transaction, account: str, name: str) -> E | None:
        """The entity of that name, or None."""
        record = await tx.get(self.collection, account.encode(), name.lower().encode())
        return None if record is None else msgspec.json.decode(record.value, type=self.type)

    async def get(self, tx: Transaction, account: str, name: str) -> E:
        """The entity of that name; AwsError NoSuchEntity when there is none."""
        found = await self.find(tx, account, name)
        if found is None:
            raise errors.no_such(self.absent.format(name))
        return found

    async def put(self, tx: Transaction, account: str, entity: E) -> None:
        """Write an entity."""
        key = entity.name.lower().encode()
        await tx.put(self.collection, account.encode(), key, msgspec.json.encode(entity))

    async def add(self, tx: Transaction, account: str, entity: E) -> None:
        """Write a new entity; AwsError EntityAlreadyExists when the name is taken."""
        if await self.find(tx, account, entity.name) is not None:
            raise errors.exists(self.taken.format(entity.name))
        await self.put(tx, account, entity)

    async def remove(self, tx: Transaction, account: str, name: str) -> None:
        """Delete an entity."""
        await tx.delete(self.collection, account.encode(), name.lower().encode())

    async def all(self, tx: Transaction, account: str, path_prefix: str = "/") -> list[E]:
        """The account's entities under a path, by name."""
        records = await tx.scan(self.collection, account.encode())
        found = [msgspec.json.decode(record.value, type=self.type) for record in records]
        return [one for one in found if one.path.startswith(path_prefix)]


USERS = Kind(
    User,
    "iam.users",
    "user",
    "AIDA",
    "The user with name {} cannot be found.",
    "User with name {} already exists.",
)
GROUPS = Kind(
    Group,
    "iam.groups",
    "group",
    "AGPA",
    "The group with name {} cannot be found.",
    "Group with name {} already exists.",
)
ROLES = Kind(
    Role,
    "iam.roles",
    "role",
    "AROA",
    "The role with name {} cannot be found.",
    "Role with name {} already exists.",
)
PROFILES = Kind(
    InstanceProfile,
    "iam.instance-profiles",
    "instance-profile",
    "AIPA",
    "Instance Profile {} cannot be found.",
    "Instance Profile {} already exists.",
)
POLICIES = Kind(
    Policy,
    "iam.policies",
    "policy",
    "ANPA",
    "Policy {} was not found.",
    "A policy called {} already exists. Duplicate names are not allowed.",
)
