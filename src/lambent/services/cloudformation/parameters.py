"""Template parameters: declared types and constraints, and the values given. Pure.

Source: AWS CloudFormation User Guide, "Parameters section"; messages as the API gives them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lambent.core.errors import AwsError
from lambent.services.cloudformation.intrinsics import text
from lambent.services.cloudformation.model import ParameterValue
from lambent.services.cloudformation.template import invalid

SSM_VALUE = re.compile(r"AWS::SSM::Parameter::Value<(.+)>")
_PLAIN = frozenset({"String", "Number", "List<Number>", "CommaDelimitedList", "List<String>"})
_TYPED = re.compile(r"(List<)?AWS::(EC2|Route53|SSM)::[A-Za-z:]+>?")
_MEMBERS = frozenset(
    {
        "AllowedPattern",
        "AllowedValues",
        "ConstraintDescription",
        "Default",
        "Description",
        "MaxLength",
        "MaxValue",
        "MinLength",
        "MinValue",
        "NoEcho",
        "Type",
    }
)
MASK = "****"


def declaration_problems(declared: Mapping[str, Any]) -> list[str]:
    """What is wrong with a Parameters section itself."""
    problems: list[str] = []
    for name, parameter in declared.items():
        if not re.fullmatch(r"[A-Za-z0-9]+", name):
            problems.append(f"Template format error: Parameter name {name} is non alphanumeric.")
        if not isinstance(parameter, dict) or "Type" not in parameter:
            problems.append("Template format error: Every Parameters member must contain a Type.")
            continue
        problems += [
            f"Invalid template parameter property '{member}'"
            for member in parameter
            if member not in _MEMBERS
        ]
        if isinstance(parameter.get("Default"), dict | list):
            problems.append("Template format error: Every Default member must be a string.")
        kind = str(parameter["Type"])
        inner = SSM_VALUE.fullmatch(kind)
        if (inner.group(1) if inner else kind) not in _PLAIN and not _TYPED.fullmatch(
            inner.group(1) if inner else kind
        ):
            problems.append(f"Template format error: Unrecognized parameter type: {kind}")
    return problems


def fill(
    declared: Mapping[str, Mapping[str, Any]],
    given: list[Mapping[str, Any]],
    previous: Mapping[str, ParameterValue],
) -> dict[str, str]:
    """The text of every declared parameter: as given, as before, or the default.

    AwsError ValidationError for those that are unknown, without value or out of bounds.
    """
    asked = {one["ParameterKey"]: one for one in given if "ParameterKey" in one}
    if unknown := [name for name in asked if name not in declared]:
        raise invalid(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    values: dict[str, str] = {}
    missing: list[str] = []
    for name, parameter in declared.items():
        one = asked.get(name)
        if one is not None and one.get("UsePreviousValue"):
            if name in previous:
                values[name] = previous[name].given
            else:
                missing.append(name)
        elif one is not None and one.get("ParameterValue") is not None:
            values[name] = one["ParameterValue"]
        elif "Default" in parameter:
            values[name] = text(parameter["Default"])
        else:
            missing.append(name)
    if missing:
        raise invalid(f"Parameters: [{', '.join(missing)}] must have values")
    for name, value in values.items():
        if problem := violation(name, declared[name], value):
            raise invalid(problem)
    return values


def violation(name: str, parameter: Mapping[str, Any], value: str) -> str | None:
    """The constraint that a value breaks, in CloudFormation's words; None when it holds."""
    broken = _broken(name, parameter, value)
    if broken is not None and "ConstraintDescription" in parameter:
        return (
            f"Parameter {name} failed to satisfy constraint: {parameter['ConstraintDescription']}"
        )
    return broken


def _broken(name: str, parameter: Mapping[str, Any], value: str) -> str | None:
    kind = parameter["Type"]
    numeric = kind in ("Number", "List<Number>")
    listed = kind in ("CommaDelimitedList", "List<String>", "List<Number>")
    allowed = parameter.get("AllowedValues")
    pattern = parameter.get("AllowedPattern")
    for member in _members(value) if listed else [value]:
        if numeric and _number(member) is None:
            return f"Parameter '{name}' must be a number."
        if allowed is not None and member not in [text(one) for one in allowed]:
            return f"Parameter '{name}' must be one of AllowedValues"
        if pattern is not None and not re.fullmatch(pattern, member):
            return f"Parameter '{name}' must match pattern {pattern}"
        if problem := _out_of_bounds(name, parameter, member):
            return problem
    return None


def _out_of_bounds(name: str, parameter: Mapping[str, Any], value: str) -> str | None:
    if "MinLength" in parameter and len(value) < int(parameter["MinLength"]):
        return f"Parameter '{name}' must contain at least {parameter['MinLength']} characters"
    if "MaxLength" in parameter and len(value) > int(parameter["MaxLength"]):
        return f"Parameter '{name}' must contain at most {parameter['MaxLength']} characters"
    number = _number(value)
    if "MinValue" in parameter and number is not None and number < float(parameter["MinValue"]):
        return f"Parameter '{name}' must be a number not less than {parameter['MinValue']}"
    if "MaxValue" in parameter and number is not None and number > float(parameter["MaxValue"]):
        return f"Parameter '{name}' must be a number not greater than {parameter['MaxValue']}"
    return None


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _members(value: str) -> list[str]:
    return [member.strip() for member in value.split(",")] if value else []


def ssm_names(
    declared: Mapping[str, Mapping[str, Any]], values: Mapping[str, str]
) -> dict[str, str]:
    """The Systems Manager parameters to be read: template parameter → SSM name."""
    return {
        name: value for name, value in values.items() if SSM_VALUE.fullmatch(declared[name]["Type"])
    }


def complete(
    declared: Mapping[str, Mapping[str, Any]],
    values: Mapping[str, str],
    fetched: Mapping[str, str],
) -> dict[str, ParameterValue]:
    """What `Ref` gives for each parameter. `fetched`: values read from Systems Manager."""
    out: dict[str, ParameterValue] = {}
    for name, given in values.items():
        kind = declared[name]["Type"]
        inner = SSM_VALUE.fullmatch(kind)
        raw = fetched[name] if inner else given
        effective = inner.group(1) if inner else kind
        value: Any = raw
        if effective == "CommaDelimitedList" or effective.startswith("List<"):
            value = _members(raw)
        no_echo = text(declared[name].get("NoEcho", False)).lower() == "true"
        out[name] = ParameterValue(given, value, no_echo, inner is not None)
    return out


def missing_ssm(names: list[str]) -> AwsError:
    """What CreateStack answers when parameters are not in Systems Manager."""
    return invalid(
        f"Unable to fetch parameters [{','.join(names)}] from parameter store for this account."
    )
