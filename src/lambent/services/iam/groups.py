"""Groups and their members."""

from __future__ import annotations

from lambent.core.context import Params, RequestContext, Result
from lambent.services.iam import views
from lambent.services.iam.base import Base, page
from lambent.services.iam.errors import conflict, exists, no_such
from lambent.services.iam.kinds import GROUPS, USERS
from lambent.services.iam.model import Group, User
from lambent.store.contract import Transaction


class GroupOperations(Base):
    """One method per operation on groups."""

    async def create_group(self, context: RequestContext, params: Params) -> Result:
        group = Group(
            name=params["GroupName"],
            id=GROUPS.new_id(self.ids),
            path=params.get("Path", "/"),
            created=context.now,
        )

        async def body(tx: Transaction) -> None:
            await GROUPS.add(tx, context.account, group)

        await self.transact(body)
        return {"Group": views.group(context.account, group)}

    async def get_group(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> tuple[Group, list[User]]:
            group = await GROUPS.get(tx, context.account, params["GroupName"])
            members = [await USERS.find(tx, context.account, name) for name in group.members]
            return group, [one for one in members if one is not None]

        group, members = await self.transact(body)
        shown = (views.user(context.account, one, full=False) for one in members)
        return {"Group": views.group(context.account, group), **page("Users", shown, params)}

    async def list_groups(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> list[Group]:
            return await GROUPS.all(tx, context.account, params.get("PathPrefix", "/"))

        found = await self.transact(body)
        return page("Groups", (views.group(context.account, one) for one in found), params)

    async def list_groups_for_user(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> list[Group]:
            user = await USERS.get(tx, context.account, params["UserName"])
            groups = await GROUPS.all(tx, context.account)
            return [one for one in groups if user.name in one.members]

        found = await self.transact(body)
        return page("Groups", (views.group(context.account, one) for one in found), params)

    async def update_group(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> None:
            group = await GROUPS.get(tx, context.account, params["GroupName"])
            new = params.get("NewGroupName", group.name)
            taken = await GROUPS.find(tx, context.account, new)
            if taken is not None and taken.id != group.id:
                raise exists(GROUPS.taken.format(new))
            await GROUPS.remove(tx, context.account, group.name)
            group.name, group.path = new, params.get("NewPath", group.path)
            await GROUPS.put(tx, context.account, group)

        await self.transact(body)
        return None

    async def delete_group(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> None:
            group = await GROUPS.get(tx, context.account, params["GroupName"])
            if group.members:
                raise conflict("Cannot delete entity, must remove users from group first.")
            if group.attached:
                raise conflict("Cannot delete entity, must detach all policies first.")
            if group.inline:
                raise conflict("Cannot delete entity, must delete policies first.")
            await GROUPS.remove(tx, context.account, group.name)

        await self.transact(body)
        return None

    async def add_user_to_group(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> None:
            group = await GROUPS.get(tx, context.account, params["GroupName"])
            user = await USERS.get(tx, context.account, params["UserName"])
            if user.name not in group.members:
                group.members.append(user.name)
                await GROUPS.put(tx, context.account, group)

        await self.transact(body)
        return None

    async def remove_user_from_group(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> None:
            group = await GROUPS.get(tx, context.account, params["GroupName"])
            user = await USERS.get(tx, context.account, params["UserName"])
            if user.name not in group.members:
                raise no_such(f"User {user.name} not in group {group.name}.")
            group.members.remove(user.name)
            await GROUPS.put(tx, context.account, group)

        await self.transact(body)
        return None
