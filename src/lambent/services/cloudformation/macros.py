"""Macros: functions that change templates before they are deployed.

Source: AWS CloudFormation User Guide, "Perform custom processing on CloudFormation templates with
template macros". A macro is named by `Transform` of the whole template, or by `Fn::Transform` for
what stands beside it; it gets a fragment and gives back another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lambent.core.context import RequestContext
from lambent.core.errors import AwsError
from lambent.core.resources import Created, LeftBehind, Properties, ResourceRequest
from lambent.services.cloudformation import includes, records
from lambent.services.cloudformation.intrinsics import Scope, resolve
from lambent.services.cloudformation.sam import TransformFailed
from lambent.services.cloudformation.template import invalid
from lambent.services.contract import Platform
from lambent.store.contract import Transaction

MACROS = "cloudformation.macros"


class MacroResource:
    """AWS::CloudFormation::Macro. `Ref` is the macro's name."""

    properties = frozenset({"Description", "FunctionName", "LogGroupName", "LogRoleARN", "Name"})
    required = frozenset({"FunctionName", "Name"})
    replaces = frozenset({"Name"})
    attributes: frozenset[str] = frozenset()

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        name = str(properties["Name"])
        partition = records.place(request.context.account, request.context.region)

        async def body(tx: Transaction) -> bool:
            held = await tx.get(MACROS, partition, name.encode())
            if held is not None and not request.resumed:
                return False
            await tx.put(MACROS, partition, name.encode(), str(properties["FunctionName"]).encode())
            return True

        if not await self._platform.store.transact(body):
            raise LeftBehind(f"Macro {request.context.account}::{name} already exists")
        return Created(name)

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        partition = records.place(request.context.account, request.context.region)

        async def body(tx: Transaction) -> None:
            function = str(new["FunctionName"]).encode()
            await tx.put(MACROS, partition, physical_id.encode(), function)

        await self._platform.store.transact(body)
        return Created(physical_id)

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        partition = records.place(request.context.account, request.context.region)

        async def body(tx: Transaction) -> None:
            await tx.delete(MACROS, partition, physical_id.encode())

        await self._platform.store.transact(body)


async def known(platform: Platform, context: RequestContext) -> dict[str, str]:
    """The account's macros: name to function."""
    partition = records.place(context.account, context.region)
    rows = await platform.store.transact(lambda tx: tx.scan(MACROS, partition))
    return {row.sort.decode(): row.value.decode() for row in rows}


class Expansion:
    """The macros' work on one template. `values` are the template's parameters."""

    def __init__(
        self,
        platform: Platform,
        context: RequestContext,
        functions: Mapping[str, str],
        scope: Scope,
        values: Mapping[str, Any],
    ) -> None:
        self._platform = platform
        self._context = context
        self._functions = functions
        self._scope = scope
        self._values = values

    async def whole(self, parsed: dict[str, Any]) -> dict[str, Any]:
        """The template after all macros: inner ones first, then the template's own in order."""
        found: dict[str, Any] = await self._inner(parsed)
        declared = found.get("Transform") or []
        listed = declared if isinstance(declared, list) else [declared]
        left = []
        for one in listed:
            name = one.get("Name") if isinstance(one, dict) else one
            if name not in self._functions:
                left.append(one)
                continue
            asked = one.get("Parameters") if isinstance(one, dict) else None
            found.pop("Transform", None)
            found = await self._changed(str(name), found, asked or {})
        if left:
            found["Transform"] = left
        elif declared:
            found.pop("Transform", None)
        return found

    async def _inner(self, value: Any) -> Any:
        if isinstance(value, list):
            return [await self._inner(member) for member in value]
        if not isinstance(value, dict):
            return value
        made = {
            name: await self._inner(member)
            for name, member in value.items()
            if name != includes.MEMBER
        }
        asked = value.get(includes.MEMBER)
        for one in asked if isinstance(asked, list) else [] if asked is None else [asked]:
            name = one.get("Name") if isinstance(one, dict) else None
            if name in self._functions:
                made = await self._changed(str(name), made, one.get("Parameters") or {})
            elif name == includes.TRANSFORM:
                made[includes.MEMBER] = one
            else:
                raise invalid(f"No transform named {name} found.")
        return made

    async def _changed(self, name: str, fragment: Any, parameters: Any) -> Any:
        identity = f"{self._context.account}::{name}"
        event = {
            "region": self._context.region,
            "accountId": self._context.account,
            "fragment": fragment,
            "transformId": identity,
            "params": resolve(parameters, self._scope),
            "requestId": self._platform.ids.uuid(),
            "templateParameterValues": dict(self._values),
        }
        try:
            answer = await self._platform.registry.call(
                self._context,
                "lambda",
                "Invoke",
                {"FunctionName": self._functions[name], "Payload": json.dumps(event).encode()},
            )
        except AwsError as error:
            raise TransformFailed(f"Transform {identity} failed with: {error.message}") from None
        said = _read((answer or {}).get("Payload", b""))
        if (answer or {}).get("FunctionError") or not isinstance(said, dict):
            raise TransformFailed(f"Transform {identity} failed without an error message.")
        if str(said.get("status", "")).lower() != "success":
            reason = said.get("errorMessage")
            raise TransformFailed(
                f"Transform {identity} failed with: {reason}."
                if reason
                else f"Transform {identity} failed without an error message."
            )
        if said.get("requestId") != event["requestId"] or "fragment" not in said:
            raise TransformFailed(
                f"Transform {identity} failed with: Received malformed response from transform "
                f"{identity}"
            )
        return said["fragment"]


def _read(payload: Any) -> Any:
    try:
        return json.loads(payload)
    except (TypeError, ValueError):
        return None
