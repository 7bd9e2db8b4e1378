"""A stack's outputs and exports: resolving them, and the rules between stacks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from lambent.services.cloudformation import graph, records
from lambent.services.cloudformation.intrinsics import UNKNOWN, Known, Scope, resolve, text
from lambent.services.cloudformation.model import Output, Stack
from lambent.services.cloudformation.template import invalid
from lambent.store.contract import Transaction


def resolve_outputs(template: Mapping[str, Any], scope: Scope) -> list[Output]:
    """The outputs whose condition holds, with their values."""
    found: list[Output] = []
    for key, declared in (template.get("Outputs") or {}).items():
        if not scope.conditions.get(declared.get("Condition", ""), True):
            continue
        value = resolve(declared["Value"], scope)
        if value is None or isinstance(value, dict | list):
            raise invalid(
                "Template format error: The Value field of every Outputs member must evaluate "
                f"to a String. ({key})"
            )
        export = (declared.get("Export") or {}).get("Name")
        name = None if export is None else text(resolve(export, scope))
        description = declared.get("Description")
        found.append(
            Output(key, text(value), None if description is None else text(description), name)
        )
    return found


def missing_import(
    template: Mapping[str, Any], resources: Mapping[str, Any], scope: Scope
) -> str | None:
    """The first name that resources or outputs import and nobody exports."""
    within = dataclasses.replace(
        scope, resources={name: Known(UNKNOWN, None) for name in template["Resources"]}
    )
    left: list[Any] = [one.get("Properties") for one in resources.values()]
    left += [
        one["Value"]
        for one in (template.get("Outputs") or {}).values()
        if scope.conditions.get(one.get("Condition", ""), True)
    ]
    left = graph.prune(left, scope.conditions)
    while left:
        value = left.pop()
        if isinstance(value, list):
            left += value
        elif isinstance(value, dict):
            left += value.values()
            if "Fn::ImportValue" in value and scope.exports is not None:
                name = text(resolve(value["Fn::ImportValue"], within))
                if UNKNOWN not in name and name not in scope.exports:
                    return name
    return None


async def export_problem(tx: Transaction, stack: Stack, exports: Mapping[str, str]) -> str | None:
    """Why these cannot be the stack's exports; None when they can.

    A name may be exported once; what others import may neither change nor go.
    """
    present = await records.get_exports(tx, stack.account, stack.region)
    for name in exports:
        other = present.get(name)
        if other is not None and other.stack_id != stack.id:
            owner = other.stack_id.split("/")[1]
            return f"Export with name {name} is already exported by stack {owner}."
    for name, export in present.items():
        if export.stack_id != stack.id or exports.get(name) == export.value:
            continue
        users = await records.get_importers(tx, stack.account, stack.region, name)
        if users:
            if stack.status == "DELETE_IN_PROGRESS":
                return f"Cannot delete export {name} as it is in use by {_sentence(users)}."
            verb = "updated" if name in exports else "deleted"
            return f"Export {name} cannot be {verb} as it is in use by {_sentence(users)}."
    return None


def _sentence(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
