"""Everything that is wrong with a template, found at once, before anything is made. Pure.

One problem is told in CloudFormation's own words; several are told together, one per line.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from lambent.core.errors import AwsError
from lambent.core.resources import ResourceType, attribute_names
from lambent.services.cloudformation import failures, graph, property_kinds
from lambent.services.cloudformation.conditions import active
from lambent.services.cloudformation.intrinsics import (
    EXTENSIONS,
    FUNCTION_NAMES,
    PSEUDO_NAMES,
    UNKNOWN,
    Known,
    Scope,
    resolve,
)
from lambent.services.cloudformation.kinds import is_custom
from lambent.services.cloudformation.parameters import declaration_problems
from lambent.services.cloudformation.template import invalid, structure_problems

_MOST = {"Resources": 500, "Parameters": 200, "Outputs": 200, "Mappings": 200}
_POLICIES = {
    "DeletionPolicy": ("Delete", "Retain", "RetainExceptOnCreate", "Snapshot"),
    "UpdateReplacePolicy": ("Delete", "Retain", "Snapshot"),
}


def refuse(problems: list[str]) -> AwsError:
    """The one error that names all problems."""
    unique = list(dict.fromkeys(problems))
    if len(unique) == 1:
        return invalid(unique[0])
    listed = "\n".join(f"- {problem}" for problem in unique)
    return invalid(f"Template validation error: {len(unique)} problems were found:\n{listed}")


def check_shape(template: dict[str, Any], *, sam: bool = False) -> None:
    """Refuse a template whose sections are malformed."""
    problems = structure_problems(template, sam=sam)
    declared = template.get("Parameters")
    if isinstance(declared, dict):
        problems += declaration_problems(declared)
    if problems:
        raise refuse(problems)


def reference_problems(template: Mapping[str, Any]) -> list[str]:
    """References to what the template does not declare, in all of its sections."""
    resources = template["Resources"]
    parameters = set(template.get("Parameters") or {}) | PSEUDO_NAMES
    declared_conditions = set(template.get("Conditions") or {})
    mappings = set(template.get("Mappings") or {})
    problems: list[str] = []

    found = graph.References()
    unresolved: set[str] = set()
    for resource in resources.values():
        graph.references([resource.get("Properties"), resource.get("UpdatePolicy")], found)
        unresolved |= {need for need in graph.depends_on(resource) if need not in resources}
    unresolved |= {ref for ref in found.refs if ref not in parameters and ref not in resources}
    if unresolved:
        problems.append(
            f"Template format error: Unresolved resource dependencies "
            f"[{', '.join(sorted(unresolved))}] in the Resources block of the template"
        )

    outputs = template.get("Outputs") or {}
    in_outputs = graph.references(
        [
            {key: value for key, value in output.items() if key != "Condition"}
            for output in outputs.values()
        ]
    )
    missing = {ref for ref in in_outputs.refs if ref not in parameters and ref not in resources}
    if missing:
        problems.append(
            f"Template format error: Unresolved resource dependencies "
            f"[{', '.join(sorted(missing))}] in the Outputs block of the template"
        )
    problems += [
        f"Template error: instance of Fn::GetAtt references undefined resource {name}"
        for name in sorted(
            {name for name, _ in found.attributes | in_outputs.attributes if name not in resources}
        )
    ]

    in_conditions = graph.references(template.get("Conditions") or {})
    beyond = {ref for ref in in_conditions.refs if ref not in parameters}
    beyond |= in_conditions.conditions - declared_conditions
    if beyond or in_conditions.attributes:
        names = sorted(beyond | {name for name, _ in in_conditions.attributes})
        problems.append(
            f"Template format error: Unresolved dependencies [{', '.join(names)}]. Cannot "
            "reference resources in the Conditions block of the template"
        )
    for section, members, used in (
        ("Resources", resources, found.conditions),
        ("Outputs", outputs, in_outputs.conditions),
    ):
        named = {m["Condition"] for m in members.values() if isinstance(m.get("Condition"), str)}
        absent = (named | used) - declared_conditions
        problems += [
            f"Template format error: Unresolved condition dependency {name} in the {section} "
            "block of the template"
            for name in sorted(absent)
        ]
    for name in sorted((found.mappings | in_outputs.mappings | in_conditions.mappings) - mappings):
        problems.append(
            f"Template error: Mapping named '{name}' is not present in the 'Mappings' section "
            "of template."
        )
    return problems


def type_problems(resources: Mapping[str, Any], types: Mapping[str, ResourceType]) -> list[str]:
    """Resource types that this node lacks, unknown properties, missing ones."""
    problems: list[str] = []
    lacking: dict[str, list[str]] = {}
    for name, resource in resources.items():
        kind = types.get(resource["Type"])
        if kind is None:
            lacking.setdefault(resource["Type"], []).append(name)
            continue
        properties = resource.get("Properties") or {}
        faults = [
            f"#: extraneous key [{key}] is not permitted"
            for key in properties
            if key not in kind.properties
            and not key.startswith("Fn::")
            and not is_custom(resource["Type"])
        ]
        faults += [
            f"#: required key [{key}] not found"
            for key in sorted(kind.required)
            if key not in properties
        ]
        faults += property_kinds.faults(resource["Type"], properties)
        if faults:
            problems.append(failures.invalid_properties(name, faults))
    if lacking:
        users = "; ".join(f"{', '.join(names)} ({kind})" for kind, names in lacking.items())
        problems.insert(
            0,
            f"Template format error: Unrecognized resource types: [{', '.join(lacking)}]"
            f" used by {users}",
        )
    return problems


def dangling_problems(
    template: Mapping[str, Any], resources: Mapping[str, Any], conditions: Mapping[str, bool]
) -> list[str]:
    """References to resources whose condition does not hold, and circles."""
    problems: list[str] = []
    idle = set(template["Resources"]) - set(resources)
    used = {
        "Resources": [resource.get("Properties") for resource in resources.values()],
        "Outputs": [
            output["Value"]
            for output in (template.get("Outputs") or {}).values()
            if conditions.get(output.get("Condition", ""), True)
        ],
    }
    for block, section in used.items():
        named = graph.references(graph.prune(section, conditions)).targets()
        if dangling := sorted(named & idle):
            problems.append(
                f"Template format error: Unresolved resource dependencies "
                f"[{', '.join(dangling)}] in the {block} block of the template"
            )
    if circle := graph.cycle(graph.dependencies(resources, conditions)):
        problems.append(f"Circular dependency between resources: [{', '.join(circle)}]")
    return problems


def attribute_problems(template: Mapping[str, Any], types: Mapping[str, ResourceType]) -> list[str]:
    """Attributes asked of resources whose type has none of that name."""
    resources = template["Resources"]
    values = [one.get("Properties") for one in resources.values()]
    values += [one.get("Value") for one in (template.get("Outputs") or {}).values()]
    problems: list[str] = []
    for name, attribute in sorted(graph.references(values).attributes):
        kind = types.get(resources.get(name, {}).get("Type", ""))
        known = None if kind is None else attribute_names(kind)
        if known is not None and attribute and attribute not in known:
            problems.append(
                f"Template error: resource {name} does not support attribute type {attribute} "
                "in Fn::GetAtt"
            )
    return problems


def function_problems(template: Mapping[str, Any], *, extended: bool) -> list[str]:
    """Intrinsic functions that there are not; `extended` with AWS::LanguageExtensions."""
    known = FUNCTION_NAMES if extended else FUNCTION_NAMES - EXTENSIONS
    unknown: set[str] = set()
    left: list[Any] = [one.get("Properties") for one in template["Resources"].values()]
    left += [one.get("Value") for one in (template.get("Outputs") or {}).values()]
    while left:
        value = left.pop()
        if isinstance(value, list):
            left += value
        elif isinstance(value, dict):
            left += value.values()
            if len(value) == 1:
                unknown |= {key for key in value if key.startswith("Fn::")} - known
    return [
        f"Template format error: Encountered unsupported function: {name} Supported functions "
        f"are: [{', '.join(sorted(known | {'Condition'}))}]"
        for name in sorted(unknown)
    ]


def size_problems(template: Mapping[str, Any]) -> list[str]:
    """More members of a section than a template may have."""
    return [
        f"Template format error: Number of {section.lower()}, {count}, is greater than maximum "
        f"allowed, {most}"
        for section, most in _MOST.items()
        if (count := len(template.get(section) or {})) > most
    ]


def policy_problems(resources: Mapping[str, Any], parameters: Mapping[str, Any]) -> list[str]:
    """Deletion policies that there are not, or not for the type."""
    problems: list[str] = []
    for name, resource in resources.items():
        for member, known in _POLICIES.items():
            policy = resource.get(member)
            if isinstance(policy, dict):
                try:
                    policy = resolve(policy, Scope(parameters))
                except AwsError:
                    policy = None
            if policy is None:
                continue
            if policy not in known:
                problems.append(
                    f"Template error: Unrecognized {member} {policy} for resource {name}"
                )
            elif policy == "Snapshot":
                problems.append(
                    f"Template error: resource type {resource['Type']} does not support "
                    f"{'deletion' if member == 'DeletionPolicy' else 'update replace'} policy "
                    "Snapshot"
                )
    return problems


def value_problems(
    template: Mapping[str, Any], resources: Mapping[str, Any], scope: Scope
) -> list[str]:
    """Functions that cannot be carried out, whatever resources will turn out to be."""
    within = dataclasses.replace(
        scope, resources={name: Known(UNKNOWN, None) for name in template["Resources"]}
    )
    values = [("", one.get("Properties")) for one in resources.values()]
    values += [
        (name, one["Value"])
        for name, one in (template.get("Outputs") or {}).items()
        if scope.conditions.get(one.get("Condition", ""), True)
    ]
    problems: list[str] = []
    for output, value in values:
        try:
            found = resolve(value, within)
        except AwsError as error:
            problems.append(error.message)
            continue
        if output and isinstance(found, dict | list) and UNKNOWN not in found:
            problems.append(
                "Template format error: The Value field of every Outputs member must evaluate to "
                f"a String. ({output})"
            )
    return problems


def check_deployable(
    template: Mapping[str, Any],
    types: Mapping[str, ResourceType],
    scope: Callable[[], Scope],
    *,
    extended: bool = False,
) -> None:
    """Refuse a template that cannot be deployed: references, types, properties, circles.

    `scope` gives what is known before there are resources, with the conditions evaluated; it
    may raise an AwsError. `extended`: the template asks for AWS::LanguageExtensions.
    """
    problems = size_problems(template) + function_problems(template, extended=extended)
    problems += reference_problems(template) + attribute_problems(template, types)
    try:
        known = scope()
    except AwsError as error:
        if not problems:
            problems.append(error.message)
        problems += type_problems(template["Resources"], types)
        raise refuse(problems) from None
    resources = active(template, known.conditions)
    problems += type_problems(resources, types)
    problems += policy_problems(resources, known.parameters)
    problems += dangling_problems(template, resources, known.conditions)
    if not problems:
        problems += value_problems(template, resources, known)
    if problems:
        raise refuse(problems)
