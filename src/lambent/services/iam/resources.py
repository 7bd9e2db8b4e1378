"""IAM's CloudFormation resource types: the small ones, and the list of all."""

from __future__ import annotations

from lambent.core.context import RequestContext
from lambent.core.errors import AwsError
from lambent.core.resource_parts import quietly
from lambent.core.resources import Created, Properties, ResourceRequest, ResourceType
from lambent.services.iam.operations import Operations
from lambent.services.iam.policy_resources import (
    HolderPolicyResource,
    InlinePolicyResource,
    ManagedPolicyResource,
)
from lambent.services.iam.principal_resources import GroupResource, RoleResource, UserResource
from lambent.services.iam.resource_parts import GONE, or_present


class AccessKeyResource:
    """AWS::IAM::AccessKey. `Ref` is the key's id."""

    properties = frozenset({"Serial", "Status", "UserName"})
    required = frozenset({"UserName"})
    replaces = frozenset({"Serial", "UserName"})
    attributes = frozenset(("SecretAccessKey",))

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        named = {"UserName": properties["UserName"]}
        answer = await self._operations.create_access_key(request.context, named) or {}
        key = answer["AccessKey"]
        made = Created(key["AccessKeyId"], {"SecretAccessKey": key["SecretAccessKey"]})
        if properties.get("Status") == "Inactive":
            await self._set_status(request, made.physical_id, properties)
        return made

    async def _set_status(
        self, request: ResourceRequest, key_id: str, properties: Properties
    ) -> None:
        await self._operations.update_access_key(
            request.context,
            {
                "UserName": properties["UserName"],
                "AccessKeyId": key_id,
                "Status": properties.get("Status", "Active"),
            },
        )

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        await self._set_status(request, physical_id, new)
        return Created(physical_id, await self._operations.key_secret(physical_id))

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        await quietly(
            self._operations.delete_access_key(
                request.context,
                {"UserName": properties["UserName"], "AccessKeyId": physical_id},
            ),
            GONE,
        )


class InstanceProfileResource:
    """AWS::IAM::InstanceProfile. `Ref` is its name."""

    properties = frozenset({"InstanceProfileName", "Path", "Roles"})
    required = frozenset({"Roles"})
    replaces = frozenset({"InstanceProfileName", "Path"})
    attributes = frozenset(("Arn", "InstanceProfileId"))

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        name = str(properties.get("InstanceProfileName") or request.default_name)
        params = {"InstanceProfileName": name, "Path": properties.get("Path", "/")}
        await or_present(request, self._operations.create_instance_profile(request.context, params))
        return await self._settle(request.context, name, properties)

    async def _settle(self, context: RequestContext, name: str, properties: Properties) -> Created:
        named = {"InstanceProfileName": name}
        answer = await self._operations.get_instance_profile(context, named) or {}
        profile = answer["InstanceProfile"]
        present = [role["RoleName"] for role in profile["Roles"]]
        for role in present:
            if role not in properties["Roles"]:
                await self._operations.remove_role_from_instance_profile(
                    context, {**named, "RoleName": role}
                )
        for role in properties["Roles"]:
            if role not in present:
                await self._operations.add_role_to_instance_profile(
                    context, {**named, "RoleName": role}
                )
        return Created(
            name, {"Arn": profile["Arn"], "InstanceProfileId": profile["InstanceProfileId"]}
        )

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        return await self._settle(request.context, physical_id, new)

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        try:
            await self._settle(request.context, physical_id, {"Roles": []})
        except AwsError as error:
            if error.code == GONE:
                return
            raise
        await self._operations.delete_instance_profile(
            request.context, {"InstanceProfileName": physical_id}
        )


class MembershipResource:
    """AWS::IAM::UserToGroupAddition."""

    properties = frozenset({"GroupName", "Users"})
    required = frozenset({"GroupName", "Users"})
    replaces = frozenset({"GroupName"})
    attributes = frozenset(("Id",))

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        return await self.update(request, request.default_name, {}, properties)

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        for user in new["Users"]:
            await self._operations.add_user_to_group(
                request.context, {"GroupName": new["GroupName"], "UserName": user}
            )
        gone = [user for user in old.get("Users") or () if user not in new["Users"]]
        await self._take(request, new["GroupName"], gone)
        return Created(physical_id, {"Id": physical_id})

    async def _take(self, request: ResourceRequest, group: str, users: list[str]) -> None:
        for user in users:
            await quietly(
                self._operations.remove_user_from_group(
                    request.context, {"GroupName": group, "UserName": user}
                ),
                GONE,
            )

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        await self._take(request, properties["GroupName"], properties["Users"])


def resource_types(operations: Operations) -> dict[str, ResourceType]:
    """All of them, by type name."""
    return {
        "AWS::IAM::AccessKey": AccessKeyResource(operations),
        "AWS::IAM::Group": GroupResource(operations, "group"),
        "AWS::IAM::GroupPolicy": HolderPolicyResource(operations, "group"),
        "AWS::IAM::RolePolicy": HolderPolicyResource(operations, "role"),
        "AWS::IAM::UserPolicy": HolderPolicyResource(operations, "user"),
        "AWS::IAM::InstanceProfile": InstanceProfileResource(operations),
        "AWS::IAM::ManagedPolicy": ManagedPolicyResource(operations),
        "AWS::IAM::Policy": InlinePolicyResource(operations),
        "AWS::IAM::Role": RoleResource(operations, "role"),
        "AWS::IAM::User": UserResource(operations, "user"),
        "AWS::IAM::UserToGroupAddition": MembershipResource(operations),
    }
