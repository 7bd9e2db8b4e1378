"""The CloudFormation resource types of Lambda.

Each turns its properties into calls of the service's own operations. Source: CloudFormation
template reference, AWS::Lambda::*.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any

from lambent.core.context import Params, RequestContext
from lambent.core.errors import AwsError
from lambent.core.registry import method_name
from lambent.core.resources import Created, Properties, ResourceRequest, ResourceType
from lambent.services.lambda_ import own_settings, template_flow
from lambent.services.lambda_.mappings import IDEMPOTENCY

_INTEGERS = frozenset(
    {
        "Timeout",
        "MemorySize",
        "Size",
        "BatchSize",
        "MaximumBatchingWindowInSeconds",
        "MaximumConcurrency",
        "MaximumRetryAttempts",
        "MaximumEventAgeInSeconds",
        "ReservedConcurrentExecutions",
        "MinimumPollers",
        "MaximumPollers",
        "ParallelizationFactor",
        "MaximumRecordAgeInSeconds",
        "TumblingWindowInSeconds",
        "MaxAge",
    }
)
_BOOLEANS = frozenset(
    {"Enabled", "BisectBatchOnFunctionError", "AllowCredentials", "Ipv6AllowedForDualStack"}
)
_EPOCH = (1980, 1, 1, 0, 0, 0)


def _typed(value: Any, name: str = "") -> Any:
    """Template values as the API takes them: CloudFormation lets numbers be text."""
    if isinstance(value, Mapping):
        if name == "Variables":
            return {key: _text(item) for key, item in value.items()}
        return {key: _typed(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_typed(item) for item in value]
    if name in _INTEGERS and isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            raise AwsError(
                "ValidationError", f"Value {value} of {name} must be an integer.", 400
            ) from None
    if name in _BOOLEANS and isinstance(value, str):
        return value.lower() == "true"
    return value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _chosen(properties: Properties, names: Iterable[str]) -> Params:
    return {name: _typed(properties[name], name) for name in names if name in properties}


def _tags(request: ResourceRequest, properties: Properties) -> dict[str, str]:
    own = properties.get("Tags") or []
    return {**request.tags, **{tag["Key"]: _text(tag["Value"]) for tag in own}}


class _Resource:
    """What the types share: calling operations, and what counts as gone."""

    properties: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    replaces: frozenset[str] = frozenset()

    def __init__(self, operations: object) -> None:
        self._operations = operations

    async def _call(
        self, context: RequestContext, operation: str, params: Params
    ) -> dict[str, Any]:
        result = await getattr(self._operations, method_name(operation))(context, params)
        return result or {}

    async def _remove(self, context: RequestContext, operation: str, params: Params) -> None:
        try:
            await self._call(context, operation, params)
        except AwsError as error:
            if error.code != "ResourceNotFoundException":
                raise


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


class FunctionResource(_Resource):
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
        params["Tags"] = _tags(request, properties)
        if own := own_settings.parse(request.metadata):
            params[own_settings.MEMBER] = own
        params.update(_chosen(properties, ("Architectures", "PackageType")))
        made = await self._call(request.context, "CreateFunction", params)
        await self._reserve(request.context, name, properties)
        return _function(made)

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
        if _chosen(old, code) != _chosen(new, code):
            made = await self._call(
                context,
                "UpdateFunctionCode",
                {"FunctionName": name, **_code(new), **_chosen(new, ("Architectures",))},
            )
        if not made:
            made = await self._call(context, "GetFunctionConfiguration", {"FunctionName": name})
        await self._reserve(context, name, new)
        await self._retag(request, made["FunctionArn"], old, new)
        return _function(made)

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        await self._remove(request.context, "DeleteFunction", {"FunctionName": physical_id})

    async def _reserve(self, context: RequestContext, name: str, properties: Properties) -> None:
        wanted = _chosen(properties, ("ReservedConcurrentExecutions",))
        if wanted:
            await self._call(context, "PutFunctionConcurrency", {"FunctionName": name, **wanted})
        else:
            await self._call(context, "DeleteFunctionConcurrency", {"FunctionName": name})

    async def _retag(
        self, request: ResourceRequest, arn: str, old: Properties, new: Properties
    ) -> None:
        wanted = _tags(request, new)
        dropped = [key for key in _tags(request, old) if key not in wanted]
        if dropped:
            await self._call(
                request.context, "UntagResource", {"Resource": arn, "TagKeys": dropped}
            )
        await self._call(request.context, "TagResource", {"Resource": arn, "Tags": wanted})


def _configuration(properties: Properties) -> Params:
    params = _chosen(properties, _CONFIGURATION)
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
        suffix = "js" if str(properties.get("Runtime", "")).startswith("nodejs") else "py"
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            # A fixed time keeps the digest the same for the same text.
            member = zipfile.ZipInfo(f"index.{suffix}", _EPOCH)
            member.external_attr = 0o644 << 16
            archive.writestr(member, source)
        code["ZipFile"] = buffer.getvalue()
    return code


class PermissionResource(_Resource):
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
        params = _chosen(properties, self._params)
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


class UrlResource(_Resource):
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
            **_chosen(properties, self._params),
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


class EventSourceMappingResource(_Resource):
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
        params = _chosen(properties, self._params)
        params[IDEMPOTENCY] = _idempotency(request)
        params["Tags"] = _tags(request, properties)
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
        wanted = _chosen(properties, ("FunctionName", "EventSourceArn"))
        answer = await self._call(context, "ListEventSourceMappings", wanted)
        found: dict[str, Any] = answer["EventSourceMappings"][0]
        return found

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        flow = template_flow.document(request.logical_id, request.metadata)
        changeable = [name for name in self._params if name not in self._only_created]
        params = {name: value for name, value in self._defaults.items() if name in old} | _chosen(
            new, changeable
        )
        params["UUID"] = physical_id
        params[IDEMPOTENCY] = _idempotency(request)
        made = await self._call(request.context, "UpdateEventSourceMapping", params)
        await self._call(request.context, "SetFlow", {"UUID": physical_id, "Flow": flow})
        return _mapping(made)

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        await self._remove(request.context, "DeleteEventSourceMapping", {"UUID": physical_id})


def _idempotency(request: ResourceRequest) -> dict[str, Any]:
    return template_flow.section(request.logical_id, request.metadata, "Idempotency")


def _mapping(made: Mapping[str, Any]) -> Created:
    return Created(
        made["UUID"],
        {"Id": made["UUID"], "EventSourceMappingArn": made["EventSourceMappingArn"]},
    )


class EventInvokeConfigResource(_Resource):
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
            request.context, "PutFunctionEventInvokeConfig", _chosen(properties, self._params)
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
            _chosen(properties, ("FunctionName", "Qualifier")),
        )


class VersionResource(_Resource):
    """AWS::Lambda::Version. `Ref` is the version's ARN."""

    _params = ("FunctionName", "Description", "CodeSha256")
    properties = frozenset(
        (*_params, "ProvisionedConcurrencyConfig", "RuntimePolicy", "FunctionScalingConfig")
    )
    required = frozenset(("FunctionName",))
    replaces = frozenset(_params)
    attributes = frozenset(("FunctionArn", "Version"))

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        made = await self._call(
            request.context, "PublishVersion", _chosen(properties, self._params)
        )
        return Created(
            made["FunctionArn"],
            {"Version": made["Version"], "FunctionArn": made["FunctionArn"]},
        )

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        return Created(
            physical_id,
            {"Version": physical_id.rpartition(":")[2], "FunctionArn": physical_id},
        )

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        await self._remove(request.context, "DeleteFunction", {"FunctionName": physical_id})


class AliasResource(_Resource):
    """AWS::Lambda::Alias. `Ref` is the alias's ARN."""

    _params = ("FunctionName", "Name", "FunctionVersion", "Description", "RoutingConfig")
    properties = frozenset((*_params, "ProvisionedConcurrencyConfig"))
    required = frozenset(("FunctionName", "FunctionVersion", "Name"))
    replaces = frozenset(("FunctionName", "Name"))
    attributes = frozenset(("AliasArn",))

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        return await self._apply(request, "CreateAlias", properties)

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        return await self._apply(request, "UpdateAlias", new)

    async def _apply(
        self, request: ResourceRequest, operation: str, properties: Properties
    ) -> Created:
        params = _chosen(properties, self._params)
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
            request.context, "DeleteAlias", _chosen(properties, ("FunctionName", "Name"))
        )


class LayerVersionResource(_Resource):
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
        params = _chosen(properties, self._params)
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


def resource_types(operations: object) -> dict[str, ResourceType]:
    """All of them, by name."""
    return {
        "AWS::Lambda::Function": FunctionResource(operations),
        "AWS::Lambda::Permission": PermissionResource(operations),
        "AWS::Lambda::Url": UrlResource(operations),
        "AWS::Lambda::EventSourceMapping": EventSourceMappingResource(operations),
        "AWS::Lambda::EventInvokeConfig": EventInvokeConfigResource(operations),
        "AWS::Lambda::Version": VersionResource(operations),
        "AWS::Lambda::Alias": AliasResource(operations),
        "AWS::Lambda::LayerVersion": LayerVersionResource(operations),
    }
