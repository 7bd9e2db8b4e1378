"""The CloudFormation resource types of a function's versions and aliases.

Source: CloudFormation template reference, AWS::Lambda::*.
"""

from __future__ import annotations

from lambent.core.context import Params, RequestContext
from lambent.core.errors import AwsError
from lambent.core.resources import Created, Properties, ResourceRequest
from lambent.services.lambda_.resource_parts import Resource, chosen

_PROVISIONED = "ProvisionedConcurrencyConfig"


class _Provisionable(Resource):
    """What may have environments ready: the property ProvisionedConcurrencyConfig."""

    async def provision(self, context: RequestContext, arn: str, properties: Properties) -> None:
        """Have what the property says ready, or nothing when it is not there."""
        function, _, qualifier = arn.rpartition(":")
        whose: Params = {"FunctionName": function, "Qualifier": qualifier}
        wanted = chosen(properties, (_PROVISIONED,)).get(_PROVISIONED)
        if wanted:
            await self._call(context, "PutProvisionedConcurrencyConfig", {**whose, **wanted})
        else:
            await self._remove(context, "DeleteProvisionedConcurrencyConfig", whose)


class VersionResource(_Provisionable):
    """AWS::Lambda::Version. `Ref` is the version's ARN."""

    _params = ("FunctionName", "Description", "CodeSha256")
    properties = frozenset(
        (*_params, "ProvisionedConcurrencyConfig", "RuntimePolicy", "FunctionScalingConfig")
    )
    required = frozenset(("FunctionName",))
    replaces = frozenset(_params)
    attributes = frozenset(("FunctionArn", "Version"))

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        made = await self._call(request.context, "PublishVersion", chosen(properties, self._params))
        arn = made["FunctionArn"]
        try:
            await self.provision(request.context, arn, properties)
        except AwsError:
            await self.delete(request, arn, properties)
            raise
        return Created(arn, {"Version": made["Version"], "FunctionArn": arn})

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        if old.get(_PROVISIONED) != new.get(_PROVISIONED):
            await self.provision(request.context, physical_id, new)
        version = physical_id.rpartition(":")[2]
        return Created(physical_id, {"Version": version, "FunctionArn": physical_id})

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        await self._remove(request.context, "DeleteFunction", {"FunctionName": physical_id})


class AliasResource(_Provisionable):
    """AWS::Lambda::Alias. `Ref` is the alias's ARN."""

    _params = ("FunctionName", "Name", "FunctionVersion", "Description", "RoutingConfig")
    properties = frozenset((*_params, "ProvisionedConcurrencyConfig"))
    required = frozenset(("FunctionName", "FunctionVersion", "Name"))
    replaces = frozenset(("FunctionName", "Name"))
    attributes = frozenset(("AliasArn",))

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        made = await self._apply(request, "CreateAlias", properties)
        try:
            await self.provision(request.context, made.physical_id, properties)
        except AwsError:
            await self.delete(request, made.physical_id, properties)
            raise
        return made

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        made = await self._apply(request, "UpdateAlias", new)
        if old.get(_PROVISIONED) != new.get(_PROVISIONED):
            await self.provision(request.context, physical_id, new)
        return made

    async def _apply(
        self, request: ResourceRequest, operation: str, properties: Properties
    ) -> Created:
        params = chosen(properties, self._params)
        weights = (params.pop("RoutingConfig", None) or {}).get("AdditionalVersionWeights") or []
        params["RoutingConfig"] = {
            "AdditionalVersionWeights": {
                one["FunctionVersion"]: float(one["FunctionWeight"]) for one in weights
            }
        }
        made = await self._call(request.context, operation, params)
        return Created(made["AliasArn"], {"AliasArn": made["AliasArn"]})

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        await self._remove(
            request.context, "DeleteAlias", chosen(properties, ("FunctionName", "Name"))
        )
