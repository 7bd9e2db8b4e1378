"""The CloudFormation resource type of a function's policy as a whole.

Source: CloudFormation template reference, AWS::Lambda::ResourcePolicy.
"""

from __future__ import annotations

from lambent.core.resource_parts import document
from lambent.core.resources import Created, Properties, ResourceRequest
from lambent.services.lambda_.resource_parts import Resource


class ResourcePolicyResource(Resource):
    """AWS::Lambda::ResourcePolicy. `Ref` is the ARN of what has the policy."""

    properties = frozenset(("ResourceArn", "PolicyDocument"))
    required = properties
    replaces = frozenset(("ResourceArn",))
    attributes: frozenset[str] = frozenset()

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        arn = properties["ResourceArn"]
        params = {"ResourceArn": arn, "Policy": document(properties["PolicyDocument"])}
        await self._call(request.context, "PutResourcePolicy", params)
        return Created(arn)

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        return await self.create(request, new)

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        await self._remove(request.context, "DeleteResourcePolicy", {"ResourceArn": physical_id})
