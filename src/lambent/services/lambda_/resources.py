"""The CloudFormation resource types of Lambda.

Each turns its properties into calls of the service's own operations. Source: CloudFormation
template reference, AWS::Lambda::*.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambent.core.context import Params, RequestContext
from lambent.core.errors import AwsError
from lambent.core.resource_parts import tags
from lambent.core.resources import Created, Properties, ResourceRequest, ResourceType
from lambent.services.lambda_ import inline, own_settings, template_flow
from lambent.services.lambda_.code_signing_resource import CodeSigningConfigResource
from lambent.services.lambda_.layer_resources import (
    LayerVersionPermissionResource,
    LayerVersionResource,
)
from lambent.services.lambda_.mappings import IDEMPOTENCY
from lambent.services.lambda_.policy_resource import ResourcePolicyResource
from lambent.services.lambda_.resource_parts import Resource, chosen
from lambent.services.lambda_.version_resources import AliasResource, VersionResource

_CONFIGURATION = (
    "Runtime",
    "Role",
    "Handler",
    "Description",
    "Timeout",
    "MemorySize",
    "VpcConfig",
    "DeadLetterConfig",
    "Environment",
    "TracingConfig",
    "Layers",
    "EphemeralStorage",
    "SnapStart",
    "LoggingConfig",
    "FileSystemConfigs",
    "DurableConfig",
)
_CONFIGURATION_DEFAULTS: Params = {
    # What a property that is taken out of the template goes back to.
    "Description": "",
    "Timeout": 3,
    "MemorySize": 128,
    "VpcConfig": {},
    "DeadLetterConfig": {},
    "Environment": {},
    "TracingConfig": {"Mode": "PassThrough"},
    "Layers": [],
    "EphemeralStorage": {"Size": 512},
    "SnapStart": {"ApplyOn": "None"},
    "LoggingConfig": {},
    "FileSystemConfigs": [],
}


_GOVERNING: Mapping[str, tuple[str, str, Any]] = {
    # By property: the operation, the member that takes the value (none: its members are the
    # operation's own), and what it is when it is not there (None: deleted).
    "ReservedConcurrentExecutions": (
        "PutFunctionConcurrency",
        "ReservedConcurrentExecutions",
        None,
    ),
    "RecursiveLoop": ("PutFunctionRecursionConfig", "RecursiveLoop", "Terminate"),
    "RuntimeManagementConfig": ("PutRuntimeManagementConfig", "", {"UpdateRuntimeOn": "Auto"}),
    "CodeSigningConfigArn": ("PutFunctionCodeSigningConfig", "CodeSigningConfigArn", None),
}


class FunctionResource(Resource):
    """AWS::Lambda::Function. `Ref` is the function's name."""

    properties = frozenset(
        (
            *_CONFIGURATION,
            "FunctionName",
            "Code",
            "Tags",
            "Architectures",
            "PackageType",
            "KmsKeyArn",
            "ReservedConcurrentExecutions",
            "RecursiveLoop",
            "RuntimeManagementConfig",
            "CodeSigningConfigArn",
        )
    )
    required = frozenset(("Code", "Role"))
    replaces = frozenset(("FunctionName", "PackageType"))
    attributes = frozenset(
        (
            "Arn",
            "SnapStartResponse",
            "SnapStartResponse.ApplyOn",
            "SnapStartResponse.OptimizationStatus",
        )
    )

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        name = properties.get("FunctionName") or request.default_name[:64]
        params = _configuration(properties)
        params["FunctionName"] = name
        params["Code"] = _code(properties)
        params["Tags"] = tags(request, properties)
        if own := own_settings.parse(request.metadata):
            params[own_settings.MEMBER] = own
        only_created = ("Architectures", "PackageType", "CodeSigningConfigArn")
        params.update(chosen(properties, only_created))
        made = await self._call(request.context, "CreateFunction", params)
        try:
            await self._govern(request.context, name, {}, properties)
            if flow := template_flow.of_function(request.metadata):
                await self._regulate(request.context, made, flow)
        except AwsError:
            await self.delete(request, name, properties)
            raise
        return _function(made)

    async def read(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> Properties | None:
        """The function's configuration as it is."""
        held = await self._call(
            request.context, "GetFunctionConfiguration", {"FunctionName": physical_id}
        )
        found = {name: held[name] for name in _CONFIGURATION if name in held}
        found["FunctionName"] = held["FunctionName"]
        if isinstance(held.get("Layers"), list):
            found["Layers"] = [layer["Arn"] for layer in held["Layers"]]
        same = {name: found[name] for name in found if name in properties}
        for name in ("VpcConfig", "SnapStart", "LoggingConfig", "TracingConfig", "Environment"):
            # The answer has defaults that the template need not give.
            if isinstance(same.get(name), dict) and isinstance(properties[name], dict):
                given = properties[name]
                same[name] = {key: value for key, value in same[name].items() if key in given}
        return same

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        context, name = request.context, physical_id
        before, after = _configuration(old), _configuration(new)
        made: dict[str, Any] = {}
        own = own_settings.parse(request.metadata)
        if own != await self._call(context, "OwnSettings", {"FunctionName": name}):
            after[own_settings.MEMBER] = own
        if before != after:
            reset = {
                member: _CONFIGURATION_DEFAULTS[member]
                for member in before
                if member not in after and member in _CONFIGURATION_DEFAULTS
            }
            made = await self._call(
                context, "UpdateFunctionConfiguration", {"FunctionName": name, **reset, **after}
            )
        code = ("Code", "Architectures")
        if chosen(old, code) != chosen(new, code):
            made = await self._call(
                context,
                "UpdateFunctionCode",
                {"FunctionName": name, **_code(new), **chosen(new, ("Architectures",))},
            )
        if not made:
            made = await self._call(context, "GetFunctionConfiguration", {"FunctionName": name})
        await self._govern(context, name, old, new)
        await self._regulate(context, made, template_flow.of_function(request.metadata))
        await self._retag(request, made["FunctionArn"], old, new)
        return _function(made)

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        await self._remove(request.context, "DeleteFunction", {"FunctionName": physical_id})

    async def _regulate(
        self, context: RequestContext, made: Mapping[str, Any], flow: dict[str, Any]
    ) -> None:
        await self._call(context, "SetFlow", {"UUID": made["FunctionArn"], "Flow": flow})

    async def _govern(
        self, context: RequestContext, name: str, old: Properties, new: Properties
    ) -> None:
        """What has operations of its own: where it changed, set, or set back."""
        whose: Params = {"FunctionName": name}
        for member, (operation, inner, default) in _GOVERNING.items():
            if old.get(member) == new.get(member):
                continue
            value = chosen(new, (member,)).get(member, default)
            if value is None:
                await self._remove(context, operation.replace("Put", "Delete"), whose)
            else:
                wanted = {inner: value} if inner else dict(value)
                await self._call(context, operation, {**whose, **wanted})

    async def _retag(
        self, request: ResourceRequest, arn: str, old: Properties, new: Properties
    ) -> None:
        wanted = tags(request, new)
        dropped = [key for key in tags(request, old) if key not in wanted]
        if dropped:
            await self._call(
                request.context, "UntagResource", {"Resource": arn, "TagKeys": dropped}
            )
        await self._call(request.context, "TagResource", {"Resource": arn, "Tags": wanted})


def _configuration(properties: Properties) -> Params:
    params = chosen(properties, _CONFIGURATION)
    if "KmsKeyArn" in properties:
        params["KMSKeyArn"] = properties["KmsKeyArn"]
    return params


def _function(made: Mapping[str, Any]) -> Created:
    return Created(
        made["FunctionName"],
        {
            "Arn": made["FunctionArn"],
            "SnapStartResponse": made["SnapStart"],
            "SnapStartResponse.ApplyOn": made["SnapStart"]["ApplyOn"],
            "SnapStartResponse.OptimizationStatus": made["SnapStart"]["OptimizationStatus"],
        },
    )


def _code(properties: Properties) -> Params:
    code = dict(properties["Code"])
    source = code.get("ZipFile")
    if isinstance(source, str):
        # In a template, ZipFile is the source text itself: CloudFormation zips it as index.
        code["ZipFile"] = inline.archive(source, str(properties.get("Runtime", "")))
    return code


class PermissionResource(Resource):
    """AWS::Lambda::Permission. Any change makes a new one."""

    _params = (
        "FunctionName",
        "Action",
        "Principal",
        "SourceArn",
        "SourceAccount",
        "EventSourceToken",
        "FunctionUrlAuthType",
        "InvokedViaFunctionUrl",
        "PrincipalOrgID",
    )
    properties = frozenset(_params)
    required = frozenset(("FunctionName", "Action", "Principal"))
    replaces = properties
    attributes = frozenset(("Id",))

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        params = chosen(properties, self._params)
        params["StatementId"] = request.default_name
        await self._call(request.context, "AddPermission", params)
        return Created(request.default_name, {"Id": request.default_name})

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        return Created(physical_id, {"Id": physical_id})

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        await self._remove(
            request.context,
            "RemovePermission",
            {"FunctionName": properties["FunctionName"], "StatementId": physical_id},
        )


class UrlResource(Resource):
    """AWS::Lambda::Url. `Ref` is the function's ARN."""

    _params = ("Qualifier", "AuthType", "Cors", "InvokeMode")
    properties = frozenset(("TargetFunctionArn", *_params))
    required = frozenset(("TargetFunctionArn", "AuthType"))
    replaces = frozenset(("TargetFunctionArn", "Qualifier"))
    attributes = frozenset(("FunctionArn", "FunctionUrl"))

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        return await self._apply(request, "CreateFunctionUrlConfig", properties)

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        return await self._apply(request, "UpdateFunctionUrlConfig", {"Cors": {}, **new})

    async def _apply(
        self, request: ResourceRequest, operation: str, properties: Properties
    ) -> Created:
        params = {
            "FunctionName": properties["TargetFunctionArn"],
            **chosen(properties, self._params),
        }
        made = await self._call(request.context, operation, params)
        return Created(
            made["FunctionArn"],
            {"FunctionArn": made["FunctionArn"], "FunctionUrl": made["FunctionUrl"]},
        )

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        await self._remove(
            request.context, "DeleteFunctionUrlConfig", {"FunctionName": physical_id}
        )


class EventSourceMappingResource(Resource):
    """AWS::Lambda::EventSourceMapping. `Ref` is the UUID."""

    _params = (
        "FunctionName",
        "EventSourceArn",
        "Enabled",
        "BatchSize",
        "MaximumBatchingWindowInSeconds",
        "FilterCriteria",
        "FunctionResponseTypes",
        "ScalingConfig",
        "MetricsConfig",
        "LoggingConfig",
        "ProvisionedPollerConfig",
        "ParallelizationFactor",
        "StartingPosition",
        "StartingPositionTimestamp",
        "DestinationConfig",
        "MaximumRecordAgeInSeconds",
        "BisectBatchOnFunctionError",
        "MaximumRetryAttempts",
        "TumblingWindowInSeconds",
        "Topics",
        "Queues",
        "SourceAccessConfigurations",
        "SelfManagedEventSource",
    )
    _only_created = frozenset(
        (
            "EventSourceArn",
            "StartingPosition",
            "StartingPositionTimestamp",
            "SelfManagedEventSource",
        )
    )
    _defaults: Params = {
        "Enabled": True,
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 0,
        "FilterCriteria": {},
        "FunctionResponseTypes": [],
        "ScalingConfig": {},
        "MetricsConfig": {},
        "ProvisionedPollerConfig": {},
    }
    properties = frozenset((*_params, "KmsKeyArn", "Tags"))
    required = frozenset(("FunctionName",))
    replaces = _only_created
    attributes = frozenset(("EventSourceMappingArn", "Id"))

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        flow = template_flow.document(request.logical_id, request.metadata)
        params = chosen(properties, self._params)
        params[IDEMPOTENCY] = template_flow.idempotency(request.logical_id, request.metadata)
        params["Tags"] = tags(request, properties)
        try:
            made = await self._call(request.context, "CreateEventSourceMapping", params)
        except AwsError as error:
            if error.code != "ResourceConflictException" or not request.resumed:
                raise
            made = await self._present(request.context, properties)
        if flow:
            await self._call(request.context, "SetFlow", {"UUID": made["UUID"], "Flow": flow})
        return _mapping(made)

    async def _present(self, context: RequestContext, properties: Properties) -> dict[str, Any]:
        """The mapping that an interrupted creation left: a function has one per source."""
        wanted = chosen(properties, ("FunctionName", "EventSourceArn"))
        answer = await self._call(context, "ListEventSourceMappings", wanted)
        found: dict[str, Any] = answer["EventSourceMappings"][0]
        return found

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        flow = template_flow.document(request.logical_id, request.metadata)
        changeable = [name for name in self._params if name not in self._only_created]
        params = {name: value for name, value in self._defaults.items() if name in old} | chosen(
            new, changeable
        )
        params["UUID"] = physical_id
        params[IDEMPOTENCY] = template_flow.idempotency(request.logical_id, request.metadata)
        made = await self._call(request.context, "UpdateEventSourceMapping", params)
        await self._call(request.context, "SetFlow", {"UUID": physical_id, "Flow": flow})
        return _mapping(made)

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        await self._remove(request.context, "DeleteEventSourceMapping", {"UUID": physical_id})


def _mapping(made: Mapping[str, Any]) -> Created:
    return Created(
        made["UUID"],
        {"Id": made["UUID"], "EventSourceMappingArn": made["EventSourceMappingArn"]},
    )


class EventInvokeConfigResource(Resource):
    """AWS::Lambda::EventInvokeConfig."""

    _params = (
        "FunctionName",
        "Qualifier",
        "MaximumRetryAttempts",
        "MaximumEventAgeInSeconds",
        "DestinationConfig",
    )
    properties = frozenset(_params)
    required = frozenset(("FunctionName", "Qualifier"))
    replaces = frozenset(("FunctionName", "Qualifier"))
    attributes: frozenset[str] = frozenset()

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        await self._call(
            request.context, "PutFunctionEventInvokeConfig", chosen(properties, self._params)
        )
        return Created(f"{properties['FunctionName']}|{properties['Qualifier']}")

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        return await self.create(request, new)

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        await self._remove(
            request.context,
            "DeleteFunctionEventInvokeConfig",
            chosen(properties, ("FunctionName", "Qualifier")),
        )


def resource_types(operations: object) -> dict[str, ResourceType]:
    """All of them, by name."""
    return {
        "AWS::Lambda::Function": FunctionResource(operations),
        "AWS::Lambda::Permission": PermissionResource(operations),
        "AWS::Lambda::ResourcePolicy": ResourcePolicyResource(operations),
        "AWS::Lambda::Url": UrlResource(operations),
        "AWS::Lambda::CodeSigningConfig": CodeSigningConfigResource(operations),
        "AWS::Lambda::EventSourceMapping": EventSourceMappingResource(operations),
        "AWS::Lambda::EventInvokeConfig": EventInvokeConfigResource(operations),
        "AWS::Lambda::Version": VersionResource(operations),
        "AWS::Lambda::Alias": AliasResource(operations),
        "AWS::Lambda::LayerVersion": LayerVersionResource(operations),
        "AWS::Lambda::LayerVersionPermission": LayerVersionPermissionResource(operations),
    }
