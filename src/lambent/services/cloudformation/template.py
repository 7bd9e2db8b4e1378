"""A template's text becomes JSON values: parsing and overall structure.

YAML's short forms (`!Ref`, `!GetAtt`, `!Sub` ...) become their long forms. Messages are
CloudFormation's own. Knows nothing of parameters' values or resource types.
"""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from lambent.core.errors import AwsError

BODY_LIMIT = 51_200
URL_LIMIT = 1_048_576

SECTIONS = frozenset(
    {
        "AWSTemplateFormatVersion",
        "Conditions",
        "Description",
        "Hooks",
        "Mappings",
        "Metadata",
        "Outputs",
        "Parameters",
        "Resources",
        "Rules",
        "Transform",
    }
)
SAM_SECTIONS = frozenset({"Globals"})
RESOURCE_MEMBERS = frozenset(
    {
        "Condition",
        "CreationPolicy",
        "DeletionPolicy",
        "DependsOn",
        "Description",
        "Metadata",
        "Properties",
        "Type",
        "UpdatePolicy",
        "UpdateReplacePolicy",
        "Version",
    }
)
_LOGICAL_ID = re.compile(r"[A-Za-z0-9]+")
_PLAIN_TAGS = ("Ref", "Condition")
_FUNCTION_TAGS = (
    "And",
    "Base64",
    "Cidr",
    "Equals",
    "FindInMap",
    "GetAZs",
    "If",
    "ImportValue",
    "Join",
    "Length",
    "Not",
    "Or",
    "Select",
    "Split",
    "Sub",
    "ToJsonString",
    "Transform",
)


def invalid(message: str) -> AwsError:
    """CloudFormation's answer to whatever is wrong with a template or its parameters."""
    return AwsError("ValidationError", message, 400)


_MOST_DEPTH = 100
_MOST_BRACKETS = 1000
"""The parser's time grows with the square of how many are open. Those in texts count too."""
_BRACKETS = re.compile(r"[\[\]{}]")

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]
    """A safe YAML loader that knows CloudFormation's short forms and no dates."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in pairs if not tag.endswith(":timestamp")]
    for first, pairs in _Base.yaml_implicit_resolvers.items()
}


def _value(loader: Any, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)


def _short_form(long: str) -> Any:
    def construct(loader: Any, node: yaml.Node) -> Any:
        value = _value(loader, node)
        if long == "Fn::GetAtt" and isinstance(value, str):
            value = value.split(".", 1)
        return {long: value}

    return construct


for _tag in _PLAIN_TAGS:
    _Loader.add_constructor(f"!{_tag}", _short_form(_tag))
for _tag in (*_FUNCTION_TAGS, "GetAtt"):
    _Loader.add_constructor(f"!{_tag}", _short_form(f"Fn::{_tag}"))


def parse(body: str) -> dict[str, Any]:
    """The template's values; AwsError ValidationError when it is not well-formed."""
    value = _parse_json(body) if body.lstrip().startswith("{") else _parse_yaml(body)
    if not isinstance(value, dict):
        raise invalid("Template format error: unsupported structure.")
    _refuse_deep(value)
    return value


def _refuse_deep(value: Any) -> None:
    # What works on templates follows their nesting by recursion.
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > _MOST_DEPTH:
            raise invalid("Template format error: the template nests too deep.")
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]


def _parse_json(body: str) -> Any:
    try:
        return json.loads(body)
    except json.JSONDecodeError as error:
        try:
            # Flow-style YAML also opens with a brace.
            return _parse_yaml(body)
        except AwsError:
            pass
        raise invalid(
            "Template format error: JSON not well-formed. "
            f"(line {error.lineno}, column {error.colno})"
        ) from None
    except RecursionError:
        raise invalid("Template format error: unsupported structure.") from None


def _parse_yaml(body: str) -> Any:
    depth = 0
    for bracket in _BRACKETS.findall(body):
        depth = max(depth + (1 if bracket in "[{" else -1), 0)
        if depth > _MOST_BRACKETS:
            raise invalid("Template format error: YAML not well-formed.")
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(body, Loader=_Loader)):
            raise invalid(
                "Template error: YAML aliases are not allowed in CloudFormation templates"
            )
        value = yaml.load(body, Loader=_Loader)  # noqa: S506 - a subclass of the safe loader
    except yaml.constructor.ConstructorError as error:
        mark = error.problem_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise invalid(f"Template format error: {error.problem}{where}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise invalid(f"Template format error: YAML not well-formed.{where}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise invalid("Template format error: YAML not well-formed.") from None
    return _string_keys(value)


def _string_keys(value: Any) -> Any:
    """JSON has only string keys: YAML's `80:` is `"80":`."""
    if isinstance(value, dict):
        return {_key(key): _string_keys(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_string_keys(member) for member in value]
    return value


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return key if isinstance(key, str) else str(key)


def transforms(template: dict[str, Any]) -> list[str]:
    """The names of the transforms that the whole template asks for."""
    declared = template.get("Transform") or []
    listed = declared if isinstance(declared, list) else [declared]
    return [one["Name"] if isinstance(one, dict) and "Name" in one else str(one) for one in listed]


def structure_problems(template: dict[str, Any], *, sam: bool = False) -> list[str]:
    """What is wrong with the sections and their members, in CloudFormation's words."""
    problems: list[str] = []
    known = SECTIONS | SAM_SECTIONS if sam else SECTIONS
    if unknown := [name for name in template if name not in known]:
        problems.append(f"Invalid template property or properties [{', '.join(unknown)}]")
    version = template.get("AWSTemplateFormatVersion")
    if version is not None and version != "2010-09-09":
        problems.append(
            f"Template format error: unsupported value for AWSTemplateFormatVersion: {version}."
        )
    description = template.get("Description")
    if description is not None and not isinstance(description, str):
        problems.append("Template format error: Every Description member must be a string.")
    elif description is not None and len(description) > 1024:
        problems.append("Template format error: 'Description' length is greater than 1024.")
    for section in ("Parameters", "Mappings", "Conditions", "Outputs", "Rules"):
        members = template.get(section)
        if members is not None and not isinstance(members, dict):
            problems.append(f"Template format error: {section} block must be an object.")
    resources = template.get("Resources")
    if not isinstance(resources, dict) or not resources:
        problems.append("Template format error: At least one Resources member must be defined.")
        return problems
    problems += _resource_problems(resources)
    outputs = template.get("Outputs")
    for name, output in outputs.items() if isinstance(outputs, dict) else ():
        if not isinstance(output, dict) or "Value" not in output:
            problems.append(
                f"Template format error: Every Outputs member must contain a Value object ({name})."
            )
    return problems


def _resource_problems(resources: dict[str, Any]) -> list[str]:
    problems: list[str] = []
    for name, resource in resources.items():
        if not _LOGICAL_ID.fullmatch(name):
            problems.append(f"Template format error: Resource name {name} is non alphanumeric.")
        if not isinstance(resource, dict):
            problems.append(
                f"Template format error: Every Resources member must be an object. ({name})"
            )
            continue
        if not isinstance(resource.get("Type"), str):
            problems.append(
                f"Template format error: [/Resources/{name}] Every Resources object must "
                "contain a Type member."
            )
        problems += [
            f"Invalid template resource property '{member}'"
            for member in resource
            if member not in RESOURCE_MEMBERS and member != "Connectors"
        ]
        if not isinstance(resource.get("Properties", {}), dict):
            problems.append(
                f"Template format error: [/Resources/{name}] 'Properties' must be an object."
            )
    return problems
