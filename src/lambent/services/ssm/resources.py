"""The CloudFormation resource type of the Parameter Store.

Source: CloudFormation template reference, AWS::SSM::Parameter.
"""

from __future__ import annotations

from lambent.core.resource_parts import quietly, tag_list, text
from lambent.core.resources import Created, Properties, ResourceRequest
from lambent.services.ssm.operations import ParameterOperations


class ParameterResource:
    """AWS::SSM::Parameter. `Ref` is the parameter's name."""

    properties = frozenset(
        (
            "AllowedPattern",
            "DataType",
            "Description",
            "Name",
            "Policies",
            "Tags",
            "Tier",
            "Type",
            "Value",
        )
    )
    required = frozenset(("Type", "Value"))
    replaces = frozenset(("Name",))
    attributes = frozenset(("Type", "Value"))

    def __init__(self, operations: ParameterOperations) -> None:
        self._operations = operations

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        name = properties.get("Name") or request.default_name
        wanted = tag_list(self._tags(request, properties))
        await self._put(request, name, properties, {"Tags": wanted})
        return self._created(name, properties)

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        await self._put(request, physical_id, new, {"Overwrite": True})
        target = {"ResourceType": "Parameter", "ResourceId": physical_id}
        answer = await self._operations.list_tags_for_resource(request.context, target)
        wanted = self._tags(request, new)
        present = [tag["Key"] for tag in (answer or {}).get("TagList") or ()]
        if gone := [key for key in present if key not in wanted]:
            await self._operations.remove_tags_from_resource(
                request.context, {**target, "TagKeys": gone}
            )
        if wanted:
            await self._operations.add_tags_to_resource(
                request.context, {**target, "Tags": tag_list(wanted)}
            )
        return self._created(physical_id, new)

    @staticmethod
    def _tags(request: ResourceRequest, properties: Properties) -> dict[str, str]:
        """The stack's tags and the parameter's own, which are an object here."""
        own = {key: text(value) for key, value in (properties.get("Tags") or {}).items()}
        return {**request.tags, **own}

    async def read(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> Properties | None:
        """The parameter as it is."""
        answer = await self._operations.get_parameter(request.context, {"Name": physical_id})
        held = (answer or {})["Parameter"]
        return {name: held[name] for name in ("Name", "Type", "Value") if name in properties}

    async def _put(
        self, request: ResourceRequest, name: str, properties: Properties, more: Properties
    ) -> None:
        fields = ("AllowedPattern", "DataType", "Description", "Policies", "Tier", "Type")
        given = {field: properties[field] for field in fields if field in properties}
        await self._operations.put_parameter(
            request.context, {"Name": name, "Value": str(properties["Value"]), **given, **more}
        )

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        await quietly(
            self._operations.delete_parameter(request.context, {"Name": physical_id}),
            "ParameterNotFound",
        )

    @staticmethod
    def _created(name: str, properties: Properties) -> Created:
        return Created(name, {"Type": properties["Type"], "Value": str(properties["Value"])})
