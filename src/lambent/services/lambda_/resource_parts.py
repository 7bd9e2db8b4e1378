"""What Lambda's CloudFormation resource types share: template values as the API takes them, and
calls of the service's own operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lambent.core.context import Params, RequestContext
from lambent.core.errors import AwsError
from lambent.core.registry import method_name
from lambent.core.resource_parts import quietly, text
from lambent.core.resources import Properties

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
        "ProvisionedConcurrentExecutions",
    }
)
_BOOLEANS = frozenset(
    {
        "Enabled",
        "BisectBatchOnFunctionError",
        "AllowCredentials",
        "Ipv6AllowedForDualStack",
        "InvokedViaFunctionUrl",
    }
)


def typed(value: Any, name: str = "") -> Any:
    """Template values as the API takes them: CloudFormation lets numbers be text."""
    if isinstance(value, Mapping):
        if name == "Variables":
            return {key: text(item) for key, item in value.items()}
        return {key: typed(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
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


def chosen(properties: Properties, names: Iterable[str]) -> Params:
    """Those of the properties that are there, typed."""
    return {name: typed(properties[name], name) for name in names if name in properties}


class Resource:
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
        await quietly(self._call(context, operation, params), "ResourceNotFoundException")
