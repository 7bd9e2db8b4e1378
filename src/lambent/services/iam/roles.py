"""Roles and instance profiles."""

from __future__ import annotations

from collections.abc import Callable

from lambent.core.context import Params, RequestContext, Result
from lambent.services.iam import views
from lambent.services.iam.base import Base, page, set_tags, tag_map
from lambent.services.iam.documents import check_trust_policy
from lambent.services.iam.errors import conflict, limit, no_such
from lambent.services.iam.kinds import PROFILES, ROLES
from lambent.services.iam.model import InstanceProfile, Role
from lambent.store.contract import Transaction


class RoleOperations(Base):
    """One method per operation on roles."""

    async def create_role(self, context: RequestContext, params: Params) -> Result:
        check_trust_policy(params["AssumeRolePolicyDocument"])
        role = Role(
            name=params["RoleName"],
            id=ROLES.new_id(self.ids),
            path=params.get("Path", "/"),
            created=context.now,
            trust=params["AssumeRolePolicyDocument"],
            description=params.get("Description"),
            max_session=params.get("MaxSessionDuration", 3600),
            boundary=params.get("PermissionsBoundary"),
            tags=tag_map(params),
        )

        async def body(tx: Transaction) -> None:
            await ROLES.add(tx, context.account, role)

        await self.transact(body)
        return {"Role": views.new_role(context.account, role)}

    async def get_role(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> Role:
            return await ROLES.get(tx, context.account, params["RoleName"])

        return {"Role": views.role(context.account, await self.transact(body))}

    async def list_roles(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> list[Role]:
            return await ROLES.all(tx, context.account, params.get("PathPrefix", "/"))

        found = await self.transact(body)
        return page(
            "Roles", (views.role(context.account, one, full=False) for one in found), params
        )

    async def _change_role(
        self, context: RequestContext, params: Params, change: Callable[[Role], None]
    ) -> Role:
        async def body(tx: Transaction) -> Role:
            role = await ROLES.get(tx, context.account, params["RoleName"])
            change(role)
            await ROLES.put(tx, context.account, role)
            return role

        return await self.transact(body)

    async def update_role(self, context: RequestContext, params: Params) -> Result:
        def change(role: Role) -> None:
            role.description = params.get("Description", role.description)
            role.max_session = params.get("MaxSessionDuration", role.max_session)

        await self._change_role(context, params, change)
        return {}

    async def update_role_description(self, context: RequestContext, params: Params) -> Result:
        def change(role: Role) -> None:
            role.description = params["Description"]

        role = await self._change_role(context, params, change)
        return {"Role": views.role(context.account, role)}

    async def update_assume_role_policy(self, context: RequestContext, params: Params) -> Result:
        check_trust_policy(params["PolicyDocument"])

        def change(role: Role) -> None:
            role.trust = params["PolicyDocument"]

        await self._change_role(context, params, change)
        return None

    async def delete_role(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> None:
            role = await ROLES.get(tx, context.account, params["RoleName"])
            for profile in await PROFILES.all(tx, context.account):
                if role.name in profile.roles:
                    raise conflict(
                        "Cannot delete entity, must remove roles from instance profile first."
                    )
            if role.attached:
                raise conflict("Cannot delete entity, must detach all policies first.")
            if role.inline:
                raise conflict("Cannot delete entity, must delete policies first.")
            await ROLES.remove(tx, context.account, role.name)

        await self.transact(body)
        return None

    async def tag_role(self, context: RequestContext, params: Params) -> Result:
        given = tag_map(params)
        await self._change_role(context, params, lambda role: set_tags(role, given))
        return None

    async def untag_role(self, context: RequestContext, params: Params) -> Result:
        def change(role: Role) -> None:
            for key in params["TagKeys"]:
                role.tags.pop(key, None)

        await self._change_role(context, params, change)
        return None

    async def list_role_tags(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> Role:
            return await ROLES.get(tx, context.account, params["RoleName"])

        role = await self.transact(body)
        return page("Tags", views.tags(role.tags), params)

    async def put_role_permissions_boundary(
        self, context: RequestContext, params: Params
    ) -> Result:
        def change(role: Role) -> None:
            role.boundary = params["PermissionsBoundary"]

        await self._change_role(context, params, change)
        return None

    async def delete_role_permissions_boundary(
        self, context: RequestContext, params: Params
    ) -> Result:
        def change(role: Role) -> None:
            role.boundary = None

        await self._change_role(context, params, change)
        return None


class InstanceProfileOperations(Base):
    """One method per operation on instance profiles."""

    async def create_instance_profile(self, context: RequestContext, params: Params) -> Result:
        profile = InstanceProfile(
            name=params["InstanceProfileName"],
            id=PROFILES.new_id(self.ids),
            path=params.get("Path", "/"),
            created=context.now,
            tags=tag_map(params),
        )

        async def body(tx: Transaction) -> None:
            await PROFILES.add(tx, context.account, profile)

        await self.transact(body)
        shown = views.profile(context.account, profile, {})
        return {"InstanceProfile": {**shown, "Tags": shown["Tags"] or None}}

    async def get_instance_profile(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> tuple[InstanceProfile, dict[str, Role]]:
            profile = await PROFILES.get(tx, context.account, params["InstanceProfileName"])
            return profile, await _roles(tx, context.account)

        profile, roles = await self.transact(body)
        return {"InstanceProfile": views.profile(context.account, profile, roles)}

    async def list_instance_profiles(self, context: RequestContext, params: Params) -> Result:
        return await self._list(context, params, None)

    async def list_instance_profiles_for_role(
        self, context: RequestContext, params: Params
    ) -> Result:
        return await self._list(context, params, params["RoleName"])

    async def _list(self, context: RequestContext, params: Params, role_name: str | None) -> Result:
        async def body(tx: Transaction) -> tuple[list[InstanceProfile], dict[str, Role]]:
            if role_name is not None:
                await ROLES.get(tx, context.account, role_name)
            found = await PROFILES.all(tx, context.account, params.get("PathPrefix", "/"))
            wanted = [one for one in found if role_name is None or role_name in one.roles]
            return wanted, await _roles(tx, context.account)

        found, roles = await self.transact(body)
        shown = (views.profile(context.account, one, roles, full=False) for one in found)
        return page("InstanceProfiles", shown, params)

    async def delete_instance_profile(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> None:
            profile = await PROFILES.get(tx, context.account, params["InstanceProfileName"])
            if profile.roles:
                raise conflict(
                    "Cannot delete entity, must remove roles from instance profile first."
                )
            await PROFILES.remove(tx, context.account, profile.name)

        await self.transact(body)
        return None

    async def add_role_to_instance_profile(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> None:
            profile = await PROFILES.get(tx, context.account, params["InstanceProfileName"])
            role = await ROLES.get(tx, context.account, params["RoleName"])
            if profile.roles:
                raise limit("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
            profile.roles.append(role.name)
            await PROFILES.put(tx, context.account, profile)

        await self.transact(body)
        return None

    async def remove_role_from_instance_profile(
        self, context: RequestContext, params: Params
    ) -> Result:
        async def body(tx: Transaction) -> None:
            profile = await PROFILES.get(tx, context.account, params["InstanceProfileName"])
            if params["RoleName"] not in profile.roles:
                raise no_such(ROLES.absent.format(params["RoleName"]))
            profile.roles.remove(params["RoleName"])
            await PROFILES.put(tx, context.account, profile)

        await self.transact(body)
        return None

    async def tag_instance_profile(self, context: RequestContext, params: Params) -> Result:
        given = tag_map(params)

        async def body(tx: Transaction) -> None:
            profile = await PROFILES.get(tx, context.account, params["InstanceProfileName"])
            set_tags(profile, given)
            await PROFILES.put(tx, context.account, profile)

        await self.transact(body)
        return None

    async def untag_instance_profile(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> None:
            profile = await PROFILES.get(tx, context.account, params["InstanceProfileName"])
            for key in params["TagKeys"]:
                profile.tags.pop(key, None)
            await PROFILES.put(tx, context.account, profile)

        await self.transact(body)
        return None

    async def list_instance_profile_tags(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> InstanceProfile:
            return await PROFILES.get(tx, context.account, params["InstanceProfileName"])

        profile = await self.transact(body)
        return page("Tags", views.tags(profile.tags), params)


async def _roles(tx: Transaction, account: str) -> dict[str, Role]:
    return {role.name: role for role in await ROLES.all(tx, account)}
