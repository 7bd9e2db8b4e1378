"""Dynamic references: `{{resolve:ssm:name}}` and `{{resolve:secretsmanager:id:...}}`.

Source: AWS CloudFormation User Guide, "Get values stored in other services using dynamic
references". Values are fetched when a resource is made and are written into no template.
"""

from __future__ import annotations

import json
import re
from typing import Any

from lambent.core.context import RequestContext
from lambent.core.errors import AwsError
from lambent.core.registry import Registry
from lambent.services.cloudformation.template import invalid

_REFERENCE = re.compile(r"\{\{resolve:(ssm|ssm-secure|secretsmanager):([^{}]+)\}\}")


async def fetch(value: Any, registry: Registry, context: RequestContext) -> Any:
    """`value` with each dynamic reference replaced by what it names."""
    if isinstance(value, list):
        return [await fetch(member, registry, context) for member in value]
    if isinstance(value, dict):
        return {name: await fetch(member, registry, context) for name, member in value.items()}
    if not isinstance(value, str) or "{{resolve:" not in value:
        return value
    out, position = [], 0
    for match in _REFERENCE.finditer(value):
        out.append(value[position : match.start()])
        out.append(await _value(match.group(1), match.group(2), registry, context))
        position = match.end()
    return "".join(out) + value[position:]


async def _value(service: str, name: str, registry: Registry, context: RequestContext) -> str:
    try:
        if service == "secretsmanager":
            return await _secret(name, registry, context)
        answer: dict[str, Any] = await registry.call(
            context, "ssm", "GetParameter", {"Name": name, "WithDecryption": True}
        )
    except AwsError as error:
        raise invalid(
            f"Could not resolve the dynamic reference {{{{resolve:{service}:{name}}}}}: "
            f"{error.message}"
        ) from None
    return str(answer["Parameter"]["Value"])


async def _secret(reference: str, registry: Registry, context: RequestContext) -> str:
    head = 7 if reference.startswith("arn:") else 1
    parts = reference.split(":")
    secret_id, rest = ":".join(parts[:head]), [*parts[head:], "", "", "", ""]
    params = {"SecretId": secret_id}
    if rest[2]:
        params["VersionStage"] = rest[2]
    if rest[3]:
        params["VersionId"] = rest[3]
    answer: dict[str, Any] = await registry.call(
        context, "secretsmanager", "GetSecretValue", params
    )
    text = str(answer["SecretString"])
    return str(json.loads(text)[rest[1]]) if rest[1] else text
