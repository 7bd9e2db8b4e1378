"""Dynamic references: `{{resolve:ssm:name}}` and `{{resolve:secretsmanager:id:...}}`.

Source: AWS CloudFormation User Guide, "Get values stored in other services using dynamic
references". Values are fetched when a resource is made and are written into no template.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
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
    if service == "secretsmanager":
        return await _secret(name, registry, context)
    try:
        return await _parameter(service, name, registry, context)
    except AwsError as error:
        if error.code in ("ParameterNotFound", "ParameterVersionNotFound"):
            raise missing([f"{service}:{name}"]) from None
        raise invalid(f"{error.message} (Service: AWSSimpleSystemsManagement)") from None


async def _parameter(service: str, name: str, registry: Registry, context: RequestContext) -> str:
    secure = service == "ssm-secure"
    answer: dict[str, Any] = await registry.call(
        context, "ssm", "GetParameter", {"Name": name, "WithDecryption": secure}
    )
    if (answer["Parameter"]["Type"] == "SecureString") != secure:
        raise invalid(
            "Non-secure ssm prefix was used for secure parameter: " + name
            if not secure
            else f"Secure ssm prefix was used for non-secure parameter: {name}"
        )
    return str(answer["Parameter"]["Value"])


def missing(references: list[str]) -> AwsError:
    """What CloudFormation answers to references to parameters that are not there."""
    return invalid(f"Parameters: [{', '.join(references)}] cannot be found.")


async def check(resources: Mapping[str, Any], registry: Registry, context: RequestContext) -> None:
    """Refuse resources that refer to parameters that are not there, or that may not have secure
    ones. What the template makes itself is not missing."""
    own = {
        one["Properties"].get("Name")
        for one in resources.values()
        if one["Type"] == "AWS::SSM::Parameter" and isinstance(one.get("Properties"), dict)
    }
    absent: list[str] = []
    for resource in resources.values():
        for path, service, name in _references(resource.get("Properties"), resource["Type"]):
            if service == "ssm-secure" and path.split("/Properties/")[0] not in _SECURE:
                raise invalid(f"SSM Secure reference is not supported in: [{path}]")
            if service == "secretsmanager" or name.split(":")[0] in own:
                continue
            try:
                await _parameter(service, name, registry, context)
            except AwsError as error:
                if error.code not in ("ParameterNotFound", "ParameterVersionNotFound"):
                    raise
                absent.append(f"{service}:{name}")
    if absent:
        raise missing(list(dict.fromkeys(absent)))


_SECURE = frozenset({"AWS::IAM::User"})
"""The types, among those made here, that have a property for secure parameters."""


def _references(value: Any, path: str) -> Iterator[tuple[str, str, str]]:
    """The references that stand in a value as they are: where, to what service, to what."""
    if isinstance(value, list):
        for member in value:
            yield from _references(member, path)
    elif isinstance(value, dict):
        for key, member in value.items():
            if key != "Fn::Sub":
                within = path if key.startswith("Fn::") else f"{path}/{key}"
                if "/" not in path and within != path:
                    within = f"{path}/Properties/{key}"
                yield from _references(member, within)
    elif isinstance(value, str):
        for match in _REFERENCE.finditer(value):
            yield path, match.group(1), match.group(2)


async def _secret(reference: str, registry: Registry, context: RequestContext) -> str:
    head = 7 if reference.startswith("arn:") else 1
    parts = reference.split(":")
    secret_id, rest = ":".join(parts[:head]), [*parts[head:], "", "", "", ""]
    if rest[0] not in ("", "SecretString"):
        raise invalid(f"Could not parse SecretString in reference {reference}")
    params = {"SecretId": secret_id}
    if rest[2]:
        params["VersionStage"] = rest[2]
    if rest[3]:
        params["VersionId"] = rest[3]
    answer: dict[str, Any] = await registry.call(
        context, "secretsmanager", "GetSecretValue", params
    )
    if "SecretString" not in answer:
        raise invalid("Secrets Manager secret has no SecretString.")
    text = str(answer["SecretString"])
    if not rest[1]:
        return text
    try:
        value = json.loads(text)[rest[1]]
    except ValueError:
        raise invalid("Could not parse SecretString JSON") from None
    except (KeyError, TypeError):
        raise invalid("Could not find a value associated with JSONKey in SecretString") from None
    return value if isinstance(value, str) else json.dumps(value)
