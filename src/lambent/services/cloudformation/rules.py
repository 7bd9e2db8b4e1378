"""A template's Rules: what its parameters must be to each other. Pure.

Source: AWS CloudFormation Template Reference, "Rules" and "Rule-specific intrinsic functions".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lambent.services.cloudformation.intrinsics import Scope, resolve, text
from lambent.services.cloudformation.template import invalid


def broken(rules: Mapping[str, Any], scope: Scope, kinds: Mapping[str, str]) -> list[str]:
    """The descriptions of the assertions that do not hold. `kinds` are the parameters' types.
    AwsError ValidationError when a rule is malformed."""
    found: list[str] = []
    for name, rule in rules.items():
        if not isinstance(rule, dict) or not isinstance(rule.get("Assertions"), list):
            raise invalid(f"Template format error: Rule {name} must have a list of Assertions.")
        if "RuleCondition" in rule and not _holds(rule["RuleCondition"], scope, kinds):
            continue
        for one in rule["Assertions"]:
            if not isinstance(one, dict) or "Assert" not in one:
                raise invalid(
                    f"Template format error: Every Assertions member of {name} must "
                    "contain an Assert."
                )
            if not _holds(one["Assert"], scope, kinds):
                found.append(text(one.get("AssertDescription", f"Rule {name} is not satisfied.")))
    return found


def _holds(value: Any, scope: Scope, kinds: Mapping[str, str]) -> bool:
    found = _value(value, scope, kinds)
    if isinstance(found, bool):
        return found
    raise invalid("Template error: every assertion and condition of a rule must be true or false.")


def _value(value: Any, scope: Scope, kinds: Mapping[str, str]) -> Any:
    if not isinstance(value, dict) or len(value) != 1:
        return resolve(value, scope)
    [(name, argument)] = value.items()
    if name in ("Fn::And", "Fn::Or", "Fn::Not") and isinstance(argument, list):
        parts = [_holds(one, scope, kinds) for one in argument]
        return {"Fn::And": all(parts), "Fn::Or": any(parts), "Fn::Not": not parts[0]}[name]
    if name == "Fn::RefAll":
        return [
            text(one)
            for parameter, kind in kinds.items()
            if kind == argument
            for one in _members(scope.parameters[parameter])
        ]
    if name in _LISTS and isinstance(argument, list) and len(argument) == 2:
        left, right = (_members(_value(one, scope, kinds)) for one in argument)
        return _LISTS[name](left, right)
    return resolve(value, scope)


def _members(value: Any) -> list[str]:
    return [text(one) for one in value] if isinstance(value, list) else [text(value)]


_LISTS: dict[str, Callable[[list[str], list[str]], bool]] = {
    "Fn::Contains": lambda whole, one: set(one) <= set(whole),
    "Fn::EachMemberEquals": lambda every, one: all(member == one[0] for member in every),
    "Fn::EachMemberIn": lambda every, whole: set(every) <= set(whole),
}
