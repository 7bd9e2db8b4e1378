"""Intrinsic functions: a template's value becomes a plain one. Pure.

Source: AWS CloudFormation User Guide, "Intrinsic function reference".
"""

from __future__ import annotations

import base64
import ipaddress
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lambent.services.cloudformation.graph import SUB_VARIABLE, attribute_parts
from lambent.services.cloudformation.template import invalid

UNKNOWN: Final = "{{changeSet:KNOWN_AFTER_APPLY}}"
"""In a change set: a value that only the deployment will bring."""


ORIGIN: Final = "\0Origin"
"""The attribute by which a custom resource remembers where its attributes came from: no name that
a template can ask for."""


class _NoValue:
    """What AWS::NoValue gives: the member that holds it is left out."""


NO_VALUE: Final = _NoValue()


@dataclass(frozen=True, slots=True)
class Known:
    """A resource that can be referred to. `attributes` None: nothing is known yet."""

    physical_id: str
    attributes: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Scope:
    """All that a value may refer to.

    `parameters` hold pseudo parameters too. `imported` collects the names of the exports
    that were used; None stands for exports that nobody has looked at yet.
    """

    parameters: Mapping[str, Any]
    mappings: Mapping[str, Any] = field(default_factory=dict)
    conditions: Mapping[str, bool] = field(default_factory=dict)
    resources: Mapping[str, Known] = field(default_factory=dict)
    exports: Mapping[str, str] | None = field(default_factory=dict)
    imported: set[str] = field(default_factory=set)


def pseudo_parameters(
    account: str, region: str, stack_id: str, stack_name: str, notification_arns: list[str]
) -> dict[str, Any]:
    """The values of the `AWS::` parameters; AWS::NoValue is a function of its own."""
    return {
        "AWS::AccountId": account,
        "AWS::NotificationARNs": notification_arns,
        "AWS::Partition": "aws",
        "AWS::Region": region,
        "AWS::StackId": stack_id,
        "AWS::StackName": stack_name,
        "AWS::URLSuffix": "amazonaws.com",
    }


PSEUDO_NAMES = frozenset(pseudo_parameters("", "", "", "", [])) | {"AWS::NoValue"}


def resolve(value: Any, scope: Scope) -> Any:
    """`value` with every intrinsic function replaced by what it gives.

    Members that are AWS::NoValue vanish. AwsError ValidationError when a function cannot
    be carried out.
    """
    resolved = _resolve(value, scope)
    return None if resolved is NO_VALUE else resolved


def _resolve(value: Any, scope: Scope) -> Any:
    if isinstance(value, list):
        members = (_resolve(member, scope) for member in value)
        return [member for member in members if member is not NO_VALUE]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        [(name, argument)] = value.items()
        function = _FUNCTIONS.get(name)
        if function is not None:
            return function(argument, scope)
        if name == "Condition" and isinstance(argument, str) and argument in scope.conditions:
            return scope.conditions[argument]
    pairs = ((name, _resolve(member, scope)) for name, member in value.items())
    return {name: member for name, member in pairs if member is not NO_VALUE}


def text(value: Any) -> str:
    """A scalar as CloudFormation writes it into a string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(text(member) for member in value)
    return str(value)


def _ref(argument: Any, scope: Scope) -> Any:
    if argument == "AWS::NoValue":
        return NO_VALUE
    if argument in scope.parameters:
        return scope.parameters[argument]
    known = scope.resources.get(argument)
    if known is None:
        raise invalid(
            f"Template format error: Unresolved resource dependencies [{argument}] in the "
            "Resources block of the template"
        )
    return known.physical_id


def _get_att(argument: Any, scope: Scope) -> Any:
    parts = attribute_parts(argument)
    if parts is None:
        raise invalid(
            "Template error: every Fn::GetAtt object requires two non-empty parameters, "
            "the resource name and the resource attribute"
        )
    return _attribute(parts[0], text(_resolve(parts[1], scope)), scope)


def _attribute(logical_id: str, attribute: str, scope: Scope) -> Any:
    known = scope.resources.get(logical_id)
    if known is None:
        raise invalid(
            f"Template error: instance of Fn::GetAtt references undefined resource {logical_id}"
        )
    if known.attributes is None:
        return UNKNOWN
    if attribute in known.attributes:
        return known.attributes[attribute]
    found: Any = known.attributes
    for part in attribute.split("."):
        if not isinstance(found, Mapping) or part not in found:
            if ORIGIN in known.attributes:
                raise invalid(
                    f"CustomResource attribute error: Vendor response doesn't contain {attribute} "
                    f"key in object {known.attributes[ORIGIN]}"
                )
            raise invalid(
                f"Template error: resource {logical_id} does not support attribute type "
                f"{attribute} in Fn::GetAtt"
            )
        found = found[part]
    return found


def _sub(argument: Any, scope: Scope) -> Any:
    template, own = argument, {}
    if isinstance(argument, list):
        if len(argument) != 2 or not isinstance(argument[1], dict):
            raise invalid(
                "Template error: One or more Fn::Sub intrinsic functions don't specify "
                "expected arguments. Specify a string as first argument, and an optional "
                "second argument to specify a mapping of values to replace in the string"
            )
        template, own = argument
    if not isinstance(template, str):
        raise invalid(
            "Template error: One or more Fn::Sub intrinsic functions don't specify "
            "expected arguments. Specify a string as first argument, and an optional "
            "second argument to specify a mapping of values to replace in the string"
        )
    values = {name: _resolve(value, scope) for name, value in own.items()}

    def replacement(name: str) -> str:
        if name in values:
            return text(values[name])
        logical_id, dot, attribute = name.partition(".")
        if dot:
            return text(_attribute(logical_id, attribute, scope))
        return text(_ref(name, scope))

    pieces: list[str] = []
    position = 0
    for match in SUB_VARIABLE.finditer(template):
        name = match.group(1).strip()
        pieces.append(template[position : match.start()])
        if name.startswith("!"):
            pieces.append("${" + name[1:] + "}")
        else:
            pieces.append(replacement(name) if name else match.group(0))
        position = match.end()
    return "".join(pieces) + template[position:]


def _join(argument: Any, scope: Scope) -> Any:
    if not isinstance(argument, list) or len(argument) != 2 or not isinstance(argument[0], str):
        raise invalid(
            "Template error: every Fn::Join object requires two parameters, (1) a string "
            "delimiter and (2) a list of strings to be joined or a function that returns a "
            "list of strings (such as Fn::GetAZs) to be joined."
        )
    members = _resolve(argument[1], scope)
    if isinstance(members, str) and UNKNOWN in members:
        return members
    if not isinstance(members, list):
        raise invalid(
            "Template error: every Fn::Join object requires two parameters, (1) a string "
            "delimiter and (2) a list of strings to be joined or a function that returns a "
            "list of strings (such as Fn::GetAZs) to be joined."
        )
    return argument[0].join(text(member) for member in members)


def _select(argument: Any, scope: Scope) -> Any:
    if not isinstance(argument, list) or len(argument) != 2:
        raise invalid(
            "Template error: Fn::Select requires a list argument with two elements: an "
            "integer index and a list"
        )
    index, members = _resolve(argument[0], scope), _resolve(argument[1], scope)
    if members == UNKNOWN:
        return UNKNOWN
    try:
        position = int(index)
    except (TypeError, ValueError):
        position = -1
    if not isinstance(members, list):
        raise invalid(
            "Template error: Fn::Select requires a list argument with two elements: an "
            "integer index and a list"
        )
    if not 0 <= position < len(members):
        raise invalid(
            f"Template error: Fn::Select  cannot select nonexistent value at index {index}"
        )
    return members[position]


def _split(argument: Any, scope: Scope) -> Any:
    if (
        not isinstance(argument, list)
        or len(argument) != 2
        or not isinstance(argument[0], str)
        or not argument[0]
    ):
        raise invalid(
            "Template error: every Fn::Split object requires two parameters, (1) a string "
            "delimiter and (2) a string to be split or a function that returns a string to "
            "be split."
        )
    whole = _resolve(argument[1], scope)
    if not isinstance(whole, list | dict) and UNKNOWN in text(whole):
        return UNKNOWN
    if isinstance(whole, list | dict):
        raise invalid(
            "Template error: every Fn::Split object requires two parameters, (1) a string "
            "delimiter and (2) a string to be split or a function that returns a string to "
            "be split."
        )
    return text(whole).split(argument[0])


def _find_in_map(argument: Any, scope: Scope) -> Any:
    if not isinstance(argument, list) or len(argument) not in (3, 4):
        raise invalid(
            "Template error: every Fn::FindInMap object requires three parameters, the map "
            "name, map key and the attribute for return value"
        )
    name, top, second = (text(_resolve(part, scope)) for part in argument[:3])
    if UNKNOWN in f"{name}{top}{second}":
        return UNKNOWN
    found = scope.mappings.get(name)
    fallback = argument[3] if len(argument) == 4 else None
    if found is not None and top in found and second in found[top]:
        return found[top][second]
    if isinstance(fallback, dict) and "DefaultValue" in fallback:
        return _resolve(fallback["DefaultValue"], scope)
    if found is None:
        raise invalid(
            f"Template error: Mapping named '{name}' is not present in the 'Mappings' section "
            "of template."
        )
    raise invalid(f"Template error: Unable to get mapping for {name}::{top}::{second}")


def _if(argument: Any, scope: Scope) -> Any:
    if not isinstance(argument, list) or len(argument) != 3 or not isinstance(argument[0], str):
        raise invalid(
            "Template error: every Fn::If object requires three parameters, a condition name, "
            "a value if true and a value if false"
        )
    if argument[0] not in scope.conditions:
        raise invalid(
            f"Template error: unresolved condition dependency {argument[0]} in the template"
        )
    return _resolve(argument[1] if scope.conditions[argument[0]] else argument[2], scope)


def _truth(argument: Any, scope: Scope) -> bool:
    value = _resolve(argument, scope)
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise invalid(
        "Template error: every Fn::And, Fn::Or and Fn::Not object requires boolean parameters."
    )


def _and(argument: Any, scope: Scope) -> bool:
    return all(_truth(one, scope) for one in _between_2_and_10("Fn::And", argument))


def _or(argument: Any, scope: Scope) -> bool:
    return any(_truth(one, scope) for one in _between_2_and_10("Fn::Or", argument))


def _between_2_and_10(name: str, argument: Any) -> list[Any]:
    if not isinstance(argument, list) or not 2 <= len(argument) <= 10:
        raise invalid(
            f"Template error: every {name} object requires a list of at least 2 and at most "
            "10 boolean parameters."
        )
    return argument


def _not(argument: Any, scope: Scope) -> bool:
    if not isinstance(argument, list) or len(argument) != 1:
        raise invalid("Template error: every Fn::Not object requires one boolean parameter.")
    return not _truth(argument[0], scope)


def _equals(argument: Any, scope: Scope) -> bool:
    if not isinstance(argument, list) or len(argument) != 2:
        raise invalid(
            "Template error: every Fn::Equals object requires a list of 2 string parameters."
        )
    left, right = (_resolve(side, scope) for side in argument)
    if isinstance(left, dict | list) or isinstance(right, dict | list):
        return bool(left == right)
    return text(left) == text(right)


def _base64(argument: Any, scope: Scope) -> str:
    return base64.b64encode(text(_resolve(argument, scope)).encode()).decode()


def _import_value(argument: Any, scope: Scope) -> str:
    name = text(_resolve(argument, scope))
    if scope.exports is None:
        return UNKNOWN
    if name not in scope.exports:
        raise invalid(f"No export named {name} found.")
    scope.imported.add(name)
    return scope.exports[name]


def _get_azs(argument: Any, scope: Scope) -> list[str]:
    region = text(_resolve(argument, scope)) if argument else ""
    region = region or scope.parameters["AWS::Region"]
    return [f"{region}{zone}" for zone in "abc"]


def _even_bits(parts: list[Any]) -> int:
    try:
        block, count = ipaddress.ip_network(parts[0]), int(parts[1])
    except (TypeError, ValueError):
        return -1
    return block.max_prefixlen - block.prefixlen - max(count - 1, 0).bit_length()


def _cidr(argument: Any, scope: Scope) -> list[str]:
    parts = _resolve(argument, scope)
    if UNKNOWN in parts or (parts and UNKNOWN in text(parts[0])):
        return [UNKNOWN] * 256
    if isinstance(parts, list) and len(parts) == 2:
        # Without a size the block is divided evenly.
        parts = [*parts, _even_bits(parts)]
    try:
        block, count, bits = ipaddress.ip_network(parts[0]), int(parts[1]), int(parts[2])
        subnets = block.subnets(new_prefix=block.max_prefixlen - bits)
        found = [str(subnet) for subnet, _ in zip(subnets, range(count), strict=False)]
    except (TypeError, ValueError, IndexError):
        found = []
    if not found or len(found) < int(parts[1]):
        raise invalid(
            "Template error: Fn::Cidr requires an IP block, a count of at most 256 and the "
            "number of subnet bits, and the block must hold that many subnets"
        )
    return found


def _length(argument: Any, scope: Scope) -> int:
    members = _resolve(argument, scope)
    if members == UNKNOWN:
        return 0
    if not isinstance(members, list):
        raise invalid("Template error: Fn::Length requires a list.")
    return len(members)


def _to_json_string(argument: Any, scope: Scope) -> str:
    return json.dumps(_resolve(argument, scope), separators=(",", ":"))


_FUNCTIONS: Mapping[str, Callable[[Any, Scope], Any]] = {
    "Fn::And": _and,
    "Fn::Base64": _base64,
    "Fn::Cidr": _cidr,
    "Fn::Equals": _equals,
    "Fn::FindInMap": _find_in_map,
    "Fn::GetAZs": _get_azs,
    "Fn::GetAtt": _get_att,
    "Fn::If": _if,
    "Fn::ImportValue": _import_value,
    "Fn::Join": _join,
    "Fn::Length": _length,
    "Fn::Not": _not,
    "Fn::Or": _or,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::Sub": _sub,
    "Fn::ToJsonString": _to_json_string,
    "Ref": _ref,
}

EXTENSIONS = frozenset({"Fn::Length", "Fn::ToJsonString"})
"""Functions that only AWS::LanguageExtensions brings."""
FUNCTION_NAMES = frozenset(_FUNCTIONS)
