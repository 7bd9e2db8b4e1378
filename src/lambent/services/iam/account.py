"""The account itself: its alias and a summary of what it holds."""

from __future__ import annotations

from lambent.core.context import Params, RequestContext, Result
from lambent.services.iam.base import Base, page
from lambent.services.iam.errors import no_such
from lambent.services.iam.kinds import GROUPS, POLICIES, PROFILES, ROLES, USERS
from lambent.store.contract import Transaction

_ALIASES = "iam.account-aliases"


class AccountOperations(Base):
    """One method per operation on the account."""

    async def create_account_alias(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> None:
            await tx.put(_ALIASES, context.account.encode(), b"", params["AccountAlias"].encode())

        await self.transact(body)
        return None

    async def delete_account_alias(self, context: RequestContext, params: Params) -> Result:
        alias = params["AccountAlias"]

        async def body(tx: Transaction) -> None:
            record = await tx.get(_ALIASES, context.account.encode())
            if record is None or record.value.decode() != alias:
                raise no_such(f"The account alias {alias} cannot be found.")
            await tx.delete(_ALIASES, context.account.encode())

        await self.transact(body)
        return None

    async def list_account_aliases(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> list[str]:
            record = await tx.get(_ALIASES, context.account.encode())
            return [] if record is None else [record.value.decode()]

        return page("AccountAliases", await self.transact(body), params)

    async def get_account_summary(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> dict[str, int]:
            partition = context.account.encode()
            return {
                "Users": await tx.count(USERS.collection, partition),
                "Groups": await tx.count(GROUPS.collection, partition),
                "Roles": await tx.count(ROLES.collection, partition),
                "Policies": await tx.count(POLICIES.collection, partition),
                "InstanceProfiles": await tx.count(PROFILES.collection, partition),
                "UsersQuota": 5000,
                "GroupsQuota": 300,
                "RolesQuota": 1000,
                "PoliciesQuota": 1500,
                "InstanceProfilesQuota": 1000,
                "AccessKeysPerUserQuota": 2,
                "VersionsPerPolicyQuota": 5,
            }

        return {"SummaryMap": await self.transact(body)}
