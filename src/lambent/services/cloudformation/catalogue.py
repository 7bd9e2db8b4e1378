"""CloudFormation's operations on what there is besides stacks: resource types, limits, costs."""

from __future__ import annotations

import json
from typing import Any

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.core.resources import ResourceType, attribute_names
from lambent.services.cloudformation import intake, macros
from lambent.services.cloudformation.paging import page
from lambent.services.cloudformation.queries import QueryOperations
from lambent.services.cloudformation.template import invalid

_LIMITS = {"StackLimit": 2000, "StackOutputsLimit": 200, "ConcurrentResourcesLimit": 2500}


class CatalogueOperations(QueryOperations):
    """Types, limits, costs."""

    async def describe_account_limits(self, context: RequestContext, params: Params) -> Result:
        limits = [{"Name": name, "Value": value} for name, value in _LIMITS.items()]
        return {"AccountLimits": limits}

    async def estimate_template_cost(self, context: RequestContext, params: Params) -> Result:
        body = await intake.template_body(self.platform, context, params, None)
        intake.read(body, await macros.known(self.platform, context))
        return {"Url": f"https://calculator.aws/#/estimate?id={self.platform.ids.hex(40)}"}

    async def list_types(self, context: RequestContext, params: Params) -> Result:
        filters = params.get("Filters") or {}
        prefix = filters.get("TypeNamePrefix", "")
        names = [
            name
            for name in sorted(self.platform.resources)
            if params.get("Visibility") == "PUBLIC"
            and params.get("Type", "RESOURCE") == "RESOURCE"
            and filters.get("Category", "AWS_TYPES") == "AWS_TYPES"
            and name.startswith(prefix)
        ]
        shown, token = page(names, params.get("NextToken"), params.get("MaxResults") or 100)
        summaries = [
            {"Type": "RESOURCE", "TypeName": name, "TypeArn": _arn(context, name)} for name in shown
        ]
        return {"TypeSummaries": summaries, "NextToken": token}

    async def describe_type(self, context: RequestContext, params: Params) -> Result:
        name = params.get("TypeName") or _name(params.get("Arn", ""))
        if not name:
            raise invalid("Either Arn or both Type and TypeName must be specified.")
        kind = self.platform.resources.get(name)
        if kind is None or params.get("Type", "RESOURCE") != "RESOURCE":
            raise AwsError("TypeNotFoundException", f"The type '{name}' cannot be found.")
        return {
            "Arn": _arn(context, name),
            "Type": "RESOURCE",
            "TypeName": name,
            "IsDefaultVersion": True,
            "Schema": json.dumps(schema(name, kind)),
            "ProvisioningType": "FULLY_MUTABLE",
            "DeprecatedStatus": "LIVE",
            "Visibility": "PUBLIC",
            "IsActivated": True,
        }


def _arn(context: RequestContext, name: str) -> str:
    return f"arn:aws:cloudformation:{context.region}::type/resource/{name.replace('::', '-')}"


def _name(arn: str) -> str:
    return arn.rpartition("type/resource/")[2].replace("-", "::")


def schema(name: str, kind: ResourceType) -> dict[str, Any]:
    """What is known of a type, in the form of its resource schema."""
    attributes = attribute_names(kind) or frozenset()
    return {
        "typeName": name,
        "description": f"Resource Type definition for {name}",
        "additionalProperties": False,
        "properties": {one: {} for one in sorted(kind.properties | attributes)},
        "required": sorted(kind.required),
        "createOnlyProperties": [f"/properties/{one}" for one in sorted(kind.replaces)],
        "readOnlyProperties": [
            f"/properties/{one.replace('.', '/')}" for one in sorted(attributes - kind.properties)
        ],
    }
