"""Drift: how a stack's resources differ from what its template made them.

Source: AWS CloudFormation API Reference, DetectStackDrift and its siblings. Each type that can
tell what there is (`core.resources.Reading`) is asked; others are NOT_CHECKED, as AWS says of
types without drift detection. A detection is over when its call returns.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.core.resources import ResourceRequest, reading
from lambent.services.cloudformation import records
from lambent.services.cloudformation.intrinsics import text
from lambent.services.cloudformation.model import Resource, Stack
from lambent.services.cloudformation.names import physical_name
from lambent.services.cloudformation.paging import page
from lambent.services.cloudformation.queries import QueryOperations
from lambent.services.cloudformation.template import invalid
from lambent.store.contract import Transaction

DRIFTS = "cloudformation.drifts"
DETECTIONS = "cloudformation.drift_detections"
_RESTING = (
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_FAILED",
    "IMPORT_COMPLETE",
)


class Drift(msgspec.Struct, frozen=True):
    """What was found of one resource."""

    logical_id: str
    status: str
    time: float
    expected: dict[str, Any] = msgspec.field(default_factory=dict)
    actual: dict[str, Any] = msgspec.field(default_factory=dict)


class Detection(msgspec.Struct, frozen=True):
    """One detection on a stack."""

    stack_id: str
    status: str
    drifted: int
    time: float


def differences(expected: Any, actual: Any, path: str = "") -> list[dict[str, Any]]:
    """Where two values differ, by path. Scalars are compared as text."""
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        found: list[dict[str, Any]] = []
        for name in sorted(expected.keys() | actual.keys()):
            within = f"{path}/{name}"
            if name not in actual:
                found.append(_difference(within, expected[name], None, "REMOVE"))
            elif name not in expected:
                found.append(_difference(within, None, actual[name], "ADD"))
            else:
                found += differences(expected[name], actual[name], within)
        return found
    if _canonical(expected) == _canonical(actual):
        return []
    return [_difference(path, expected, actual, "NOT_EQUAL")]


def _canonical(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _canonical(member) for name, member in value.items()}
    return [_canonical(member) for member in value] if isinstance(value, list) else text(value)


def _difference(path: str, expected: Any, actual: Any, kind: str) -> dict[str, Any]:
    return {
        "PropertyPath": path,
        "ExpectedValue": _shown(expected),
        "ActualValue": _shown(actual),
        "DifferenceType": kind,
    }


def _shown(value: Any) -> str:
    if isinstance(value, Mapping | list):
        return json.dumps(value, separators=(",", ":"))
    return "null" if value is None else text(value)


class DriftOperations(QueryOperations):
    """Detect and describe drift."""

    async def detect_stack_drift(self, context: RequestContext, params: Params) -> Result:
        stack, resources = await self._with_resources(context, params["StackName"])
        if stack.status not in _RESTING:
            raise invalid(
                f"Drift detection cannot be run on stack [{stack.id}] while it is in "
                f"{stack.status} state."
            )
        wanted = params.get("LogicalResourceIds")
        chosen = [one for name, one in resources.items() if wanted is None or name in wanted]
        found = [await self._look(context, stack, one) for one in chosen]
        detection_id = self.platform.ids.uuid()
        drifted = sum(one.status in ("MODIFIED", "DELETED") for one in found)
        status = "DRIFTED" if drifted else "IN_SYNC"
        detection = Detection(stack.id, status, drifted, context.now)

        async def body(tx: Transaction) -> None:
            await self._keep(tx, stack, found)
            present = await records.get_stack(tx, context.account, context.region, stack.id)
            if present is not None:
                present.drift, present.drift_time = status, tx.now
                await records.put_stack(tx, present)
            partition = records.place(context.account, context.region)
            encoded = msgspec.json.encode(detection)
            await tx.put(DETECTIONS, partition, detection_id.encode(), encoded)

        await self.platform.store.transact(body)
        return {"StackDriftDetectionId": detection_id}

    async def describe_stack_drift_detection_status(
        self, context: RequestContext, params: Params
    ) -> Result:
        detection_id = params["StackDriftDetectionId"]
        partition = records.place(context.account, context.region)
        record = await self.platform.store.transact(
            lambda tx: tx.get(DETECTIONS, partition, detection_id.encode())
        )
        if record is None:
            raise invalid(f"Drift detection with id {detection_id} does not exist")
        found = msgspec.json.decode(record.value, type=Detection)
        return {
            "StackId": found.stack_id,
            "StackDriftDetectionId": detection_id,
            "StackDriftStatus": found.status,
            "DetectionStatus": "DETECTION_COMPLETE",
            "DriftedStackResourceCount": found.drifted,
            "Timestamp": found.time,
        }

    async def detect_stack_resource_drift(self, context: RequestContext, params: Params) -> Result:
        stack, resources = await self._with_resources(context, params["StackName"])
        name = params["LogicalResourceId"]
        if name not in resources:
            raise invalid(f"Resource {name} does not exist for stack {stack.name}")
        found = await self._look(context, stack, resources[name])
        if found.status == "NOT_CHECKED":
            raise invalid(f"Drift detection is not supported for {resources[name].type}.")
        await self.platform.store.transact(lambda tx: self._keep(tx, stack, [found]))
        return {"StackResourceDrift": _view(stack, resources[name], found)}

    async def describe_stack_resource_drifts(
        self, context: RequestContext, params: Params
    ) -> Result:
        stack, resources = await self._with_resources(context, params["StackName"])
        wanted = params.get("StackResourceDriftStatusFilters")
        rows = await self.platform.store.transact(lambda tx: tx.scan(DRIFTS, stack.id.encode()))
        found = [msgspec.json.decode(row.value, type=Drift) for row in rows]
        views = [
            _view(stack, resources[one.logical_id], one)
            for one in found
            if one.logical_id in resources
            and one.status != "NOT_CHECKED"
            and (not wanted or one.status in wanted)
        ]
        shown, token = page(views, params.get("NextToken"), params.get("MaxResults") or 100)
        return {"StackResourceDrifts": shown, "NextToken": token}

    async def _look(self, context: RequestContext, stack: Stack, one: Resource) -> Drift:
        kind = reading(self.platform.resources.get(one.type))
        if kind is None:
            return Drift(one.logical_id, "NOT_CHECKED", context.now)
        request = ResourceRequest(
            context=context,
            logical_id=one.logical_id,
            default_name=physical_name(stack.id, stack.name, one.logical_id, one.generation),
            stack_name=stack.name,
            stack_id=stack.id,
            metadata=one.metadata,
            tags=stack.definition.tags,
        )
        try:
            actual = await kind.read(request, one.physical_id, one.properties)
        except AwsError:
            actual = None
        if actual is None:
            return Drift(one.logical_id, "DELETED", context.now, _compared(one, None))
        expected, found = _compared(one, actual), dict(actual)
        status = "MODIFIED" if differences(expected, found) else "IN_SYNC"
        return Drift(one.logical_id, status, context.now, expected, found)

    async def _keep(self, tx: Transaction, stack: Stack, found: list[Drift]) -> None:
        present = await records.get_resources(tx, stack.id)
        for one in found:
            key = one.logical_id.encode()
            await tx.put(DRIFTS, stack.id.encode(), key, msgspec.json.encode(one))
            resource = present.get(one.logical_id)
            if resource is not None:
                resource.drift, resource.drift_time = one.status, tx.now
                await records.put_resource(tx, stack.id, resource)


def _compared(one: Resource, actual: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the template says of what can be read."""
    shown = one.properties if one.shown is None else one.shown
    return {name: value for name, value in shown.items() if actual is None or name in actual}


def _view(stack: Stack, resource: Resource, found: Drift) -> dict[str, Any]:
    view: dict[str, Any] = {
        "StackId": stack.id,
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id,
        "ResourceType": resource.type,
        "StackResourceDriftStatus": found.status,
        "Timestamp": found.time,
        "ExpectedProperties": json.dumps(found.expected),
    }
    if found.status != "DELETED":
        view["ActualProperties"] = json.dumps(found.actual)
        view["PropertyDifferences"] = differences(found.expected, found.actual)
    return view
