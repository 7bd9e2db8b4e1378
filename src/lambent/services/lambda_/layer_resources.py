"""The CloudFormation resource types of layers.

Source: CloudFormation template reference, AWS::Lambda::*.
"""

from __future__ import annotations

from lambent.core.context import Params
from lambent.core.resources import Created, Properties, ResourceRequest
from lambent.services.lambda_.resource_parts import Resource, chosen


class LayerVersionResource(Resource):
    """AWS::Lambda::LayerVersion. `Ref` is the version's ARN; any change makes a new one."""

    _params = (
        "LayerName",
        "Description",
        "Content",
        "CompatibleRuntimes",
        "CompatibleArchitectures",
        "LicenseInfo",
    )
    properties = frozenset(_params)
    required = frozenset(("Content",))
    replaces = properties
    attributes = frozenset(("LayerVersionArn",))

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        params = chosen(properties, self._params)
        params.setdefault("LayerName", request.default_name)
        made = await self._call(request.context, "PublishLayerVersion", params)
        arn = made["LayerVersionArn"]
        return Created(arn, {"LayerVersionArn": arn})

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        return Created(physical_id, {"LayerVersionArn": physical_id})

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        name, _, number = physical_id.rpartition(":")
        await self._remove(
            request.context,
            "DeleteLayerVersion",
            {"LayerName": name, "VersionNumber": int(number)},
        )


class LayerVersionPermissionResource(Resource):
    """AWS::Lambda::LayerVersionPermission. Any change makes a new one."""

    _params = ("Action", "Principal", "OrganizationId")
    properties = frozenset(("LayerVersionArn", *_params))
    required = frozenset(("LayerVersionArn", "Action", "Principal"))
    replaces = properties
    attributes = frozenset(("Id",))

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        params = {**_version(properties), **chosen(properties, self._params)}
        params["StatementId"] = request.default_name
        await self._call(request.context, "AddLayerVersionPermission", params)
        return Created(request.default_name, {"Id": request.default_name})

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        return Created(physical_id, {"Id": physical_id})

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        params = {**_version(properties), "StatementId": physical_id}
        await self._remove(request.context, "RemoveLayerVersionPermission", params)


def _version(properties: Properties) -> Params:
    """How the API names the layer's version."""
    name, _, number = str(properties["LayerVersionArn"]).rpartition(":")
    return {"LayerName": name, "VersionNumber": number}
