"""AWS::IAM::Policy, its forms for one principal, and AWS::IAM::ManagedPolicy."""

from __future__ import annotations

from lambent.core.context import RequestContext
from lambent.core.errors import AwsError
from lambent.core.resource_parts import document, quietly
from lambent.core.resources import Created, Properties, ResourceRequest
from lambent.services.iam.operations import Operations
from lambent.services.iam.resource_parts import GONE, NOTHING, or_present


def _holders(properties: Properties) -> list[tuple[str, str]]:
    """The principals that a policy is for: kind and name."""
    return [
        (word, name)
        for word, member in (("role", "Roles"), ("user", "Users"), ("group", "Groups"))
        for name in properties.get(member) or ()
    ]


class InlinePolicyResource:
    """AWS::IAM::Policy: one inline document on each of the named principals."""

    properties = frozenset({"Groups", "PolicyDocument", "PolicyName", "Roles", "Users"})
    required = frozenset({"PolicyDocument", "PolicyName"})
    replaces = NOTHING
    attributes = frozenset(("Id",))

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def _put(self, context: RequestContext, properties: Properties) -> None:
        holders = _holders(properties)
        if not holders:
            raise AwsError(
                "ValidationError", "At least one of [Groups,Roles,Users] must be non-empty."
            )
        for word, name in holders:
            await getattr(self._operations, f"put_{word}_policy")(
                context,
                {
                    f"{word.capitalize()}Name": name,
                    "PolicyName": properties["PolicyName"],
                    "PolicyDocument": document(properties["PolicyDocument"]),
                },
            )

    async def _take(
        self, context: RequestContext, name: str, holders: list[tuple[str, str]]
    ) -> None:
        for word, holder in holders:
            await quietly(
                getattr(self._operations, f"delete_{word}_policy")(
                    context, {f"{word.capitalize()}Name": holder, "PolicyName": name}
                ),
                GONE,
            )

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        await self._put(request.context, properties)
        return Created(request.default_name, {"Id": request.default_name})

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        await self._put(request.context, new)
        kept = _holders(new) if old["PolicyName"] == new["PolicyName"] else []
        gone = [holder for holder in _holders(old) if holder not in kept]
        await self._take(request.context, old["PolicyName"], gone)
        return Created(physical_id, {"Id": physical_id})

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        await self._take(request.context, properties["PolicyName"], _holders(properties))


class HolderPolicyResource:
    """AWS::IAM::RolePolicy, UserPolicy and GroupPolicy: one inline document on one principal."""

    replaces: frozenset[str]
    attributes = NOTHING

    def __init__(self, operations: Operations, word: str) -> None:
        self._operations = operations
        self._word = word
        self._holder = f"{word.capitalize()}Name"
        self.properties = frozenset({"PolicyDocument", "PolicyName", self._holder})
        self.required = frozenset({"PolicyName", self._holder})
        self.replaces = self.required

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        holder, name = properties[self._holder], properties["PolicyName"]
        await getattr(self._operations, f"put_{self._word}_policy")(
            request.context,
            {
                self._holder: holder,
                "PolicyName": name,
                "PolicyDocument": document(properties.get("PolicyDocument") or {}),
            },
        )
        return Created(f"{name}|{holder}")

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        return await self.create(request, new)

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        name, _, holder = physical_id.partition("|")
        await quietly(
            getattr(self._operations, f"delete_{self._word}_policy")(
                request.context, {self._holder: holder, "PolicyName": name}
            ),
            GONE,
        )


class ManagedPolicyResource:
    """AWS::IAM::ManagedPolicy. `Ref` is its ARN."""

    properties = frozenset(
        {
            "Description",
            "Groups",
            "ManagedPolicyName",
            "Path",
            "PolicyDocument",
            "Roles",
            "Users",
        }
    )
    required = frozenset({"PolicyDocument"})
    replaces = frozenset({"Description", "ManagedPolicyName", "Path"})
    attributes = frozenset(
        ("AttachmentCount", "DefaultVersionId", "IsAttachable", "PolicyArn", "PolicyId")
    )

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def _each(
        self, context: RequestContext, verb: str, arn: str, holders: list[tuple[str, str]]
    ) -> None:
        for word, name in holders:
            call = getattr(self._operations, f"{verb}_{word}_policy")(
                context, {f"{word.capitalize()}Name": name, "PolicyArn": arn}
            )
            if verb == "detach":
                await quietly(call, GONE)
            else:
                await call

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        context = request.context
        name = properties.get("ManagedPolicyName") or request.default_name
        path = properties.get("Path", "/")
        params = {
            "PolicyName": name,
            "Path": path,
            "PolicyDocument": document(properties["PolicyDocument"]),
        }
        if "Description" in properties:
            params["Description"] = properties["Description"]
        await or_present(request, self._operations.create_policy(context, params))
        arn = f"arn:aws:iam::{context.account}:policy{path}{name}"
        await self._each(context, "attach", arn, _holders(properties))
        return await self._made(context, arn)

    async def _made(self, context: RequestContext, arn: str) -> Created:
        answer = await self._operations.get_policy(context, {"PolicyArn": arn}) or {}
        found = answer["Policy"]
        return Created(
            arn,
            {
                "PolicyArn": arn,
                "PolicyId": found["PolicyId"],
                "AttachmentCount": found["AttachmentCount"],
                "DefaultVersionId": found["DefaultVersionId"],
                "IsAttachable": True,
            },
        )

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        context, named = request.context, {"PolicyArn": physical_id}
        if document(old["PolicyDocument"]) != document(new["PolicyDocument"]):
            versions = await self._operations.list_policy_versions(context, named) or {}
            for version in versions["Versions"]:
                if not version["IsDefaultVersion"]:
                    await self._operations.delete_policy_version(
                        context, {**named, "VersionId": version["VersionId"]}
                    )
            await self._operations.create_policy_version(
                context,
                {
                    **named,
                    "PolicyDocument": document(new["PolicyDocument"]),
                    "SetAsDefault": True,
                },
            )
        kept = _holders(new)
        gone = [holder for holder in _holders(old) if holder not in kept]
        await self._each(context, "detach", physical_id, gone)
        await self._each(context, "attach", physical_id, kept)
        return await self._made(context, physical_id)

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        context, named = request.context, {"PolicyArn": physical_id}
        try:
            found = await self._operations.list_entities_for_policy(context, named) or {}
        except AwsError as error:
            if error.code == GONE:
                return
            raise
        holders = [
            (word, one[f"{word.capitalize()}Name"])
            for word in ("role", "user", "group")
            for one in found[f"Policy{word.capitalize()}s"]
        ]
        await self._each(context, "detach", physical_id, holders)
        versions = await self._operations.list_policy_versions(context, named) or {}
        for version in versions["Versions"]:
            if not version["IsDefaultVersion"]:
                await self._operations.delete_policy_version(
                    context, {**named, "VersionId": version["VersionId"]}
                )
        await self._operations.delete_policy(context, named)
