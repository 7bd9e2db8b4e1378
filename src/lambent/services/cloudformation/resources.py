"""CloudFormation's own resource types: nested stacks, and those that make nothing."""

from __future__ import annotations

from typing import Any

from lambent.core.context import RequestContext
from lambent.core.errors import AwsError
from lambent.core.resource_parts import tag_list, tags
from lambent.core.resources import Created, LeftBehind, Properties, ResourceRequest
from lambent.services.cloudformation.engine import Engine
from lambent.services.cloudformation.intrinsics import text
from lambent.services.contract import Platform

_ROUND = 10.0
"""Seconds between looks at a nested stack that another node works on."""


class Inert:
    """A resource that is only a place in a template: the CDK's
    metadata, CodeDeploy's part in a SAM function's `DeploymentPreference` (an alias here
    shifts at once). Nothing is made for it. `name` is the property that `Ref` gives."""

    required: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()

    def __init__(self, *properties: str, name: str = "") -> None:
        self.properties = frozenset((*properties, name)) - {""}
        self.replaces = frozenset((name,)) - {""}
        self._name = name

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        return Created(properties.get(self._name) or request.default_name)

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        return Created(physical_id)

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        return None


class NestedStack:
    """AWS::CloudFormation::Stack. `Outputs.Name` are its attributes."""

    properties = frozenset(
        {"NotificationARNs", "Parameters", "Tags", "TemplateURL", "TimeoutInMinutes"}
    )
    required = frozenset({"TemplateURL"})
    replaces: frozenset[str] = frozenset()

    def __init__(self, platform: Platform, engine: Engine) -> None:
        self._platform = platform
        self._engine = engine

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        params = {
            **_params(request, properties),
            "StackName": request.default_name,
            "OnFailure": "DO_NOTHING",
            "_ParentId": request.stack_id,
            "_RootId": request.stack_id,
        }
        try:
            made = await self._call(request.context, "CreateStack", params)
        except AwsError as error:
            if error.code == "ValidationError":
                raise LeftBehind(error.message) from None
            if error.code != "AlreadyExistsException" or not request.resumed:
                raise
            return await self._ended(request.context, request.default_name)
        return await self._ended(request.context, str(made["StackId"]))

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        params = {**_params(request, new), "StackName": physical_id}
        try:
            await self._call(request.context, "UpdateStack", params)
        except AwsError as error:
            if error.message != "No updates are to be performed.":
                raise LeftBehind(error.message) from None
        return await self._ended(request.context, physical_id)

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        await self._call(request.context, "DeleteStack", {"StackName": physical_id})
        await self._ended(request.context, physical_id, "DELETE_COMPLETE")

    async def _call(
        self, context: RequestContext, name: str, params: dict[str, Any]
    ) -> dict[str, Any]:
        return await self._platform.registry.call(context, "cloudformation", name, params)

    async def _ended(self, context: RequestContext, stack: str, *good: str) -> Created:
        """Wait for the nested stack to come to rest; AwsError when not in a good state."""
        good = good or ("CREATE_COMPLETE", "UPDATE_COMPLETE")
        while True:
            answer = await self._call(context, "DescribeStacks", {"StackName": stack})
            found = answer["Stacks"][0]
            status, stack_id = found["StackStatus"], found["StackId"]
            if not status.endswith("_IN_PROGRESS"):
                break
            await self._engine.wait(context.account, context.region, stack_id, _ROUND)
        if status not in good:
            verb = "updated" if "UPDATE" in status else "created"
            if good == ("DELETE_COMPLETE",):
                verb = "deleted"
            raise LeftBehind(
                f"Embedded stack {stack_id} was not successfully {verb}: "
                f"{found.get('StackStatusReason') or status}",
                stack_id,
            )
        outputs = {one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}
        return Created(stack_id, {"Outputs": outputs})


def _params(request: ResourceRequest, properties: Properties) -> dict[str, Any]:
    params: dict[str, Any] = {
        "TemplateURL": properties["TemplateURL"],
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": text(value)}
            for key, value in (properties.get("Parameters") or {}).items()
        ],
        "Capabilities": ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        "Tags": tag_list(tags(request, properties)),
        "NotificationARNs": properties.get("NotificationARNs") or [],
    }
    if "TimeoutInMinutes" in properties:
        params["TimeoutInMinutes"] = int(properties["TimeoutInMinutes"])
    return params
