"""A template's Conditions, evaluated. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from lambent.services.cloudformation.graph import cycle, order, references
from lambent.services.cloudformation.intrinsics import Scope, resolve
from lambent.services.cloudformation.template import invalid


def evaluate(declared: Mapping[str, Any], scope: Scope) -> dict[str, bool]:
    """Whether each condition holds, given the scope's parameters and mappings.

    AwsError ValidationError when one names a condition that is not there, when they go
    round in circles, or when one is no boolean.
    """
    graph = {name: references(value).conditions for name, value in declared.items()}
    for needed in graph.values():
        for name in sorted(needed - graph.keys()):
            raise invalid(
                f"Template format error: Unresolved dependencies [{name}]. Cannot reference "
                "resources in the Conditions block of the template"
            )
    if circle := cycle(graph):
        raise invalid(
            f"Template format error: Circular dependency between conditions: [{', '.join(circle)}]"
        )
    values: dict[str, bool] = {}
    for name in order(graph):
        value = resolve(declared[name], dataclasses.replace(scope, conditions=values))
        if not isinstance(value, bool):
            raise invalid(
                f"Template format error: Every Condition member must be a boolean ({name})."
            )
        values[name] = value
    return values


def active(template: Mapping[str, Any], conditions: Mapping[str, bool]) -> dict[str, Any]:
    """The template's resources whose condition holds, or that have none."""
    return {
        name: resource
        for name, resource in template["Resources"].items()
        if conditions.get(resource.get("Condition", ""), True)
    }
