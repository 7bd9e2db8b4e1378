"""Policies on users, groups and roles: inline documents and attached managed policies.

The three kinds have the same operations under different parameter names; `_Attachments`
is written once, the operations name the kind.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.services.iam import managed, views
from lambent.services.iam.base import Base, page
from lambent.services.iam.documents import check_identity_policy
from lambent.services.iam.errors import limit, no_such
from lambent.services.iam.kinds import GROUPS, POLICIES, ROLES, USERS, Kind
from lambent.services.iam.model import Group, Principal, Role, User
from lambent.store.contract import Store, Transaction

P = TypeVar("P", bound=Principal)

_ATTACHED = 10


def policy_name(arn: str) -> str:
    """The last part of a policy's ARN."""
    return arn.rsplit("/", 1)[1]


async def attachable(tx: Transaction, account: str, arn: str) -> bool:
    """Whether there is such a policy."""
    if managed.is_managed(arn):
        return True
    policy = await POLICIES.find(tx, account, policy_name(arn)) if "/" in arn else None
    return policy is not None and POLICIES.arn(account, policy.path, policy.name) == arn


class _Attachments(Generic[P]):
    """Policies on one kind of principal; `name` is the parameter that names it."""

    def __init__(self, store: Store, kind: Kind[P], name: str) -> None:
        self._store = store
        self._kind = kind
        self._name = name

    async def put(self, context: RequestContext, params: Params) -> Result:
        check_identity_policy(params["PolicyDocument"])

        async def body(tx: Transaction) -> None:
            one = await self._kind.get(tx, context.account, params[self._name])
            one.inline[params["PolicyName"]] = params["PolicyDocument"]
            await self._kind.put(tx, context.account, one)

        await self._store.transact(body)
        return None

    async def _read(self, context: RequestContext, params: Params) -> P:
        async def body(tx: Transaction) -> P:
            return await self._kind.get(tx, context.account, params[self._name])

        return await self._store.transact(body)

    def _absent(self, name: str) -> AwsError:
        return no_such(f"The {self._kind.segment} policy with name {name} cannot be found.")

    async def get(self, context: RequestContext, params: Params) -> Result:
        one = await self._read(context, params)
        name = params["PolicyName"]
        if name not in one.inline:
            raise self._absent(name)
        return {
            self._name: one.name,
            "PolicyName": name,
            "PolicyDocument": views.encoded(one.inline[name]),
        }

    async def delete(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> None:
            one = await self._kind.get(tx, context.account, params[self._name])
            if one.inline.pop(params["PolicyName"], None) is None:
                raise self._absent(params["PolicyName"])
            await self._kind.put(tx, context.account, one)

        await self._store.transact(body)
        return None

    async def list(self, context: RequestContext, params: Params) -> Result:
        one = await self._read(context, params)
        return page("PolicyNames", sorted(one.inline), params)

    async def attach(self, context: RequestContext, params: Params) -> Result:
        arn = params["PolicyArn"]

        async def body(tx: Transaction) -> None:
            one = await self._kind.get(tx, context.account, params[self._name])
            if not await attachable(tx, context.account, arn):
                raise no_such(f"Policy {arn} does not exist or is not attachable.")
            if arn not in one.attached:
                if len(one.attached) >= _ATTACHED:
                    raise limit(
                        "Cannot exceed quota for PoliciesPer"
                        f"{self._kind.segment.capitalize()}: {_ATTACHED}"
                    )
                one.attached.append(arn)
                await self._kind.put(tx, context.account, one)

        await self._store.transact(body)
        return None

    async def detach(self, context: RequestContext, params: Params) -> Result:
        arn = params["PolicyArn"]

        async def body(tx: Transaction) -> None:
            one = await self._kind.get(tx, context.account, params[self._name])
            if arn not in one.attached:
                raise no_such(f"Policy {arn} was not found.")
            one.attached.remove(arn)
            await self._kind.put(tx, context.account, one)

        await self._store.transact(body)
        return None

    async def list_attached(self, context: RequestContext, params: Params) -> Result:
        one = await self._read(context, params)
        prefix = params.get("PathPrefix", "/")
        shown = [
            {"PolicyName": policy_name(arn), "PolicyArn": arn}
            for arn in one.attached
            if arn.split(":policy", 1)[1].startswith(prefix)
        ]
        return page("AttachedPolicies", shown, params)


class AttachmentOperations(Base):
    """Put, get, delete, list, attach and detach, for each kind of principal."""

    @property
    def _users(self) -> _Attachments[User]:
        return _Attachments(self.store, USERS, "UserName")

    @property
    def _groups(self) -> _Attachments[Group]:
        return _Attachments(self.store, GROUPS, "GroupName")

    @property
    def _roles(self) -> _Attachments[Role]:
        return _Attachments(self.store, ROLES, "RoleName")

    async def put_user_policy(self, context: RequestContext, params: Params) -> Result:
        return await self._users.put(context, params)

    async def get_user_policy(self, context: RequestContext, params: Params) -> Result:
        return await self._users.get(context, params)

    async def delete_user_policy(self, context: RequestContext, params: Params) -> Result:
        return await self._users.delete(context, params)

    async def list_user_policies(self, context: RequestContext, params: Params) -> Result:
        return await self._users.list(context, params)

    async def attach_user_policy(self, context: RequestContext, params: Params) -> Result:
        return await self._users.attach(context, params)

    async def detach_user_policy(self, context: RequestContext, params: Params) -> Result:
        return await self._users.detach(context, params)

    async def list_attached_user_policies(self, context: RequestContext, params: Params) -> Result:
        return await self._users.list_attached(context, params)

    async def put_group_policy(self, context: RequestContext, params: Params) -> Result:
        return await self._groups.put(context, params)

    async def get_group_policy(self, context: RequestContext, params: Params) -> Result:
        return await self._groups.get(context, params)

    async def delete_group_policy(self, context: RequestContext, params: Params) -> Result:
        return await self._groups.delete(context, params)

    async def list_group_policies(self, context: RequestContext, params: Params) -> Result:
        return await self._groups.list(context, params)

    async def attach_group_policy(self, context: RequestContext, params: Params) -> Result:
        return await self._groups.attach(context, params)

    async def detach_group_policy(self, context: RequestContext, params: Params) -> Result:
        return await self._groups.detach(context, params)

    async def list_attached_group_policies(self, context: RequestContext, params: Params) -> Result:
        return await self._groups.list_attached(context, params)

    async def put_role_policy(self, context: RequestContext, params: Params) -> Result:
        return await self._roles.put(context, params)

    async def get_role_policy(self, context: RequestContext, params: Params) -> Result:
        return await self._roles.get(context, params)

    async def delete_role_policy(self, context: RequestContext, params: Params) -> Result:
        return await self._roles.delete(context, params)

    async def list_role_policies(self, context: RequestContext, params: Params) -> Result:
        return await self._roles.list(context, params)

    async def attach_role_policy(self, context: RequestContext, params: Params) -> Result:
        return await self._roles.attach(context, params)

    async def detach_role_policy(self, context: RequestContext, params: Params) -> Result:
        return await self._roles.detach(context, params)

    async def list_attached_role_policies(self, context: RequestContext, params: Params) -> Result:
        return await self._roles.list_attached(context, params)
