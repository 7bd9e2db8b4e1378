"""AWS::IAM::Role, ::User and ::Group.

Source: CloudFormation template reference. Deletion takes off whatever hangs on the
resource, as CloudFormation does.
"""

from __future__ import annotations

from typing import Any

from lambent.core.context import RequestContext
from lambent.core.errors import AwsError
from lambent.core.resource_parts import document, quietly, tag_list, tags
from lambent.core.resources import Created, Properties, ResourceRequest
from lambent.services.iam.operations import Operations
from lambent.services.iam.resource_parts import GONE, NOTHING, or_present


class _PrincipalResource:
    """What roles, users and groups share: names, inline and managed policies.

    `word` is "role", "user" or "group", as in the operations' names.
    """

    required: frozenset[str] = NOTHING

    def __init__(self, operations: Operations, word: str) -> None:
        self._operations = operations
        self._word = word
        self._title = word.capitalize()
        self._name = f"{self._title}Name"

    async def _call(
        self, context: RequestContext, operation: str, params: dict[str, Any]
    ) -> dict[str, Any]:
        method = getattr(self._operations, operation.format(self._word))
        return await method(context, params) or {}

    def _physical(self, request: ResourceRequest, properties: Properties) -> str:
        return str(properties.get(self._name) or request.default_name)

    async def _made(self, context: RequestContext, name: str) -> Created:
        answer = await self._call(context, "get_{}", {self._name: name})
        found = answer[self._title]
        return Created(name, {"Arn": found["Arn"], f"{self._title}Id": found[f"{self._title}Id"]})

    async def _set_policies(
        self, context: RequestContext, name: str, old: Properties, new: Properties
    ) -> None:
        named = {self._name: name}
        wanted = {one["PolicyName"]: one["PolicyDocument"] for one in new.get("Policies") or ()}
        for policy, text in wanted.items():
            await self._call(
                context,
                "put_{}_policy",
                {**named, "PolicyName": policy, "PolicyDocument": document(text)},
            )
        for one in old.get("Policies") or ():
            if one["PolicyName"] not in wanted:
                await quietly(
                    self._call(
                        context,
                        "delete_{}_policy",
                        {**named, "PolicyName": one["PolicyName"]},
                    ),
                    GONE,
                )
        arns = list(new.get("ManagedPolicyArns") or ())
        for arn in arns:
            await self._call(context, "attach_{}_policy", {**named, "PolicyArn": arn})
        for arn in old.get("ManagedPolicyArns") or ():
            if arn not in arns:
                await quietly(
                    self._call(context, "detach_{}_policy", {**named, "PolicyArn": arn}), GONE
                )

    async def _set_tags(
        self, request: ResourceRequest, name: str, old: Properties, new: Properties
    ) -> None:
        before, after = tags(request, old), tags(request, new)
        named = {self._name: name}
        if gone := [key for key in before if key not in after]:
            await self._call(request.context, "untag_{}", {**named, "TagKeys": gone})
        if after:
            await self._call(request.context, "tag_{}", {**named, "Tags": tag_list(after)})

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        context, named = request.context, {self._name: physical_id}
        try:
            attached = await self._call(context, "list_attached_{}_policies", named)
        except AwsError as error:
            if error.code == GONE:
                return
            raise
        for policy in attached["AttachedPolicies"]:
            await self._call(
                context, "detach_{}_policy", {**named, "PolicyArn": policy["PolicyArn"]}
            )
        inline = await self._call(context, "list_{}_policies", named)
        for policy_name in inline["PolicyNames"]:
            await self._call(context, "delete_{}_policy", {**named, "PolicyName": policy_name})
        await self._call(context, "delete_{}", named)


class RoleResource(_PrincipalResource):
    """AWS::IAM::Role. `Ref` is its name."""

    properties = frozenset(
        {
            "AssumeRolePolicyDocument",
            "Description",
            "ManagedPolicyArns",
            "MaxSessionDuration",
            "Path",
            "PermissionsBoundary",
            "Policies",
            "RoleName",
            "Tags",
        }
    )
    required = frozenset({"AssumeRolePolicyDocument"})
    replaces = frozenset({"Path", "RoleName"})
    attributes = frozenset(("Arn", "RoleId"))

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        name = self._physical(request, properties)
        params: dict[str, Any] = {
            "RoleName": name,
            "AssumeRolePolicyDocument": document(properties["AssumeRolePolicyDocument"]),
            "Tags": tag_list(tags(request, properties)),
        }
        for key in ("Description", "Path", "PermissionsBoundary"):
            if key in properties:
                params[key] = properties[key]
        if "MaxSessionDuration" in properties:
            params["MaxSessionDuration"] = int(properties["MaxSessionDuration"])
        await or_present(request, self._operations.create_role(request.context, params))
        try:
            await self._set_policies(request.context, name, {}, properties)
        except AwsError:
            # CloudFormation leaves nothing of a role that could not be completed.
            await self.delete(request, name, properties)
            raise
        return await self._made(request.context, name)

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        context, named = request.context, {"RoleName": physical_id}
        await self._operations.update_assume_role_policy(
            context,
            {**named, "PolicyDocument": document(new["AssumeRolePolicyDocument"])},
        )
        await self._operations.update_role(
            context,
            {
                **named,
                "Description": new.get("Description", ""),
                "MaxSessionDuration": int(new.get("MaxSessionDuration", 3600)),
            },
        )
        if "PermissionsBoundary" in new:
            await self._operations.put_role_permissions_boundary(
                context, {**named, "PermissionsBoundary": new["PermissionsBoundary"]}
            )
        elif "PermissionsBoundary" in old:
            await self._operations.delete_role_permissions_boundary(context, named)
        await self._set_policies(context, physical_id, old, new)
        await self._set_tags(request, physical_id, old, new)
        return await self._made(context, physical_id)

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        try:
            answer = await self._operations.list_instance_profiles_for_role(
                request.context, {"RoleName": physical_id}
            )
        except AwsError as error:
            if error.code == GONE:
                return
            raise
        for profile in (answer or {})["InstanceProfiles"]:
            await self._operations.remove_role_from_instance_profile(
                request.context,
                {
                    "InstanceProfileName": profile["InstanceProfileName"],
                    "RoleName": physical_id,
                },
            )
        await super().delete(request, physical_id, properties)


class UserResource(_PrincipalResource):
    """AWS::IAM::User. `Ref` is its name."""

    properties = frozenset(
        {
            "Groups",
            "LoginProfile",
            "ManagedPolicyArns",
            "Path",
            "PermissionsBoundary",
            "Policies",
            "Tags",
            "UserName",
        }
    )
    replaces = frozenset({"UserName"})
    attributes = frozenset(("Arn", "UserId"))

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        name = self._physical(request, properties)
        params: dict[str, Any] = {
            "UserName": name,
            "Tags": tag_list(tags(request, properties)),
        }
        for key in ("Path", "PermissionsBoundary"):
            if key in properties:
                params[key] = properties[key]
        await or_present(request, self._operations.create_user(request.context, params))
        if "LoginProfile" in properties:
            await or_present(
                request,
                self._operations.create_login_profile(request.context, {"UserName": name}),
            )
        try:
            await self._set_policies(request.context, name, {}, properties)
            await self._set_groups(request.context, name, {}, properties)
        except AwsError:
            await self.delete(request, name, properties)
            raise
        return await self._made(request.context, name)

    async def _set_groups(
        self, context: RequestContext, name: str, old: Properties, new: Properties
    ) -> None:
        wanted = list(new.get("Groups") or ())
        for group in wanted:
            await self._operations.add_user_to_group(
                context, {"GroupName": group, "UserName": name}
            )
        for group in old.get("Groups") or ():
            if group not in wanted:
                await quietly(
                    self._operations.remove_user_from_group(
                        context, {"GroupName": group, "UserName": name}
                    ),
                    GONE,
                )

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        context, named = request.context, {"UserName": physical_id}
        if old.get("Path", "/") != new.get("Path", "/"):
            await self._operations.update_user(context, {**named, "NewPath": new.get("Path", "/")})
        if "PermissionsBoundary" in new:
            await self._operations.put_user_permissions_boundary(
                context, {**named, "PermissionsBoundary": new["PermissionsBoundary"]}
            )
        elif "PermissionsBoundary" in old:
            await self._operations.delete_user_permissions_boundary(context, named)
        await self._set_policies(context, physical_id, old, new)
        await self._set_groups(context, physical_id, old, new)
        await self._set_tags(request, physical_id, old, new)
        return await self._made(context, physical_id)

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        context, named = request.context, {"UserName": physical_id}
        try:
            groups = await self._operations.list_groups_for_user(context, named)
        except AwsError as error:
            if error.code == GONE:
                return
            raise
        for group in (groups or {})["Groups"]:
            await self._operations.remove_user_from_group(
                context, {"GroupName": group["GroupName"], **named}
            )
        keys = await self._operations.list_access_keys(context, named)
        for key in (keys or {})["AccessKeyMetadata"]:
            await self._operations.delete_access_key(
                context, {**named, "AccessKeyId": key["AccessKeyId"]}
            )
        await quietly(self._operations.delete_login_profile(context, named), GONE)
        await super().delete(request, physical_id, properties)


class GroupResource(_PrincipalResource):
    """AWS::IAM::Group. `Ref` is its name."""

    properties = frozenset({"GroupName", "ManagedPolicyArns", "Path", "Policies"})
    replaces = frozenset({"GroupName"})
    attributes = frozenset(("Arn", "GroupId"))

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        name = self._physical(request, properties)
        params = {"GroupName": name, "Path": properties.get("Path", "/")}
        await or_present(request, self._operations.create_group(request.context, params))
        try:
            await self._set_policies(request.context, name, {}, properties)
        except AwsError:
            await self.delete(request, name, properties)
            raise
        return await self._made(request.context, name)

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        if old.get("Path", "/") != new.get("Path", "/"):
            await self._operations.update_group(
                request.context, {"GroupName": physical_id, "NewPath": new.get("Path", "/")}
            )
        await self._set_policies(request.context, physical_id, old, new)
        return await self._made(request.context, physical_id)

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        try:
            answer = await self._operations.get_group(request.context, {"GroupName": physical_id})
        except AwsError as error:
            if error.code == GONE:
                return
            raise
        for user in (answer or {})["Users"]:
            await self._operations.remove_user_from_group(
                request.context, {"GroupName": physical_id, "UserName": user["UserName"]}
            )
        await super().delete(request, physical_id, properties)
