"""The CloudFormation resource type of code signing configurations.

Source: CloudFormation template reference, AWS::Lambda::CodeSigningConfig.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambent.core.resource_parts import tags
from lambent.core.resources import Created, Properties, ResourceRequest
from lambent.services.lambda_.resource_parts import Resource, chosen


class CodeSigningConfigResource(Resource):
    """AWS::Lambda::CodeSigningConfig. `Ref` is its ARN."""

    _params = ("AllowedPublishers", "CodeSigningPolicies", "Description")
    properties = frozenset((*_params, "Tags"))
    required = frozenset(("AllowedPublishers",))
    attributes = frozenset(("CodeSigningConfigArn", "CodeSigningConfigId"))
    _defaults: Mapping[str, Any] = {
        "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": "Warn"},
        "Description": "",
    }

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        params = chosen(properties, self._params)
        params["Tags"] = tags(request, properties)
        return _made(await self._call(request.context, "CreateCodeSigningConfig", params))

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        params = {**self._defaults, **chosen(new, self._params)}
        params["CodeSigningConfigArn"] = physical_id
        return _made(await self._call(request.context, "UpdateCodeSigningConfig", params))

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        whose = {"CodeSigningConfigArn": physical_id}
        await self._remove(request.context, "DeleteCodeSigningConfig", whose)


def _made(answer: Mapping[str, Any]) -> Created:
    config = answer["CodeSigningConfig"]
    arn = config["CodeSigningConfigArn"]
    shown = {"CodeSigningConfigArn": arn, "CodeSigningConfigId": config["CodeSigningConfigId"]}
    return Created(arn, shown)
