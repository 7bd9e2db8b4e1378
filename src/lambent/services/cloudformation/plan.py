"""What a deployment does to each resource, and what a change set says of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from lambent.core.resources import ResourceType
from lambent.services.cloudformation import graph
from lambent.services.cloudformation.intrinsics import UNKNOWN, Known, Scope, resolve
from lambent.services.cloudformation.model import (
    Definition,
    PropertyChange,
    Resource,
    ResourceChange,
)

Step = Literal["create", "keep", "update", "replace"]


@dataclass(frozen=True, slots=True)
class Section:
    """A resource's section of the template, with what its attributes mean by default."""

    type: str
    properties: Mapping[str, Any]
    metadata: Mapping[str, Any]
    deletion_policy: str
    replace_policy: str
    creation_policy: Mapping[str, Any]


def section(resource: Mapping[str, Any], parameters: Mapping[str, Any]) -> Section:
    """Read one member of Resources. Policies may be references to parameters."""
    scope = Scope(parameters)
    deletion = resolve(resource.get("DeletionPolicy"), scope)
    replace = resolve(resource.get("UpdateReplacePolicy"), scope)
    return Section(
        resource["Type"],
        resource.get("Properties") or {},
        resource.get("Metadata") or {},
        deletion if isinstance(deletion, str) else "Delete",
        replace if isinstance(replace, str) else "Delete",
        resource.get("CreationPolicy") or {},
    )


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The top-level properties that differ, sorted."""
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def step(
    existing: Resource | None,
    kind: str,
    properties: Mapping[str, Any],
    metadata: Mapping[str, Any],
    replaces: frozenset[str],
) -> Step:
    """What is to be done to bring a resource to these properties."""
    if existing is None or not existing.physical_id:
        return "create"
    if existing.type != kind:
        return "replace"
    names = changed(existing.properties, properties)
    if any(name in replaces for name in names):
        return "replace"
    if names or existing.metadata != metadata:
        return "update"
    return "keep"


def same(old: Definition, new: Definition) -> bool:
    """Whether deploying `new` over `old` has nothing to do."""
    sections = ("Resources", "Outputs", "Conditions", "Mappings")
    return (
        all((old.processed.get(s) or {}) == (new.processed.get(s) or {}) for s in sections)
        and {n: p.value for n, p in old.parameters.items()}
        == {n: p.value for n, p in new.parameters.items()}
        and old.tags == new.tags
    )


def changes(
    existing: Mapping[str, Resource],
    resources: Mapping[str, Any],
    scope: Scope,
    kinds: Mapping[str, ResourceType],
    previous: Definition | None = None,
    new: Definition | None = None,
) -> list[ResourceChange]:
    """What deploying `resources` will do, as a change set lists it.

    `existing` are the stack's resources now; `scope` holds parameters, mappings, conditions
    and exports. `kinds` are the resource types; `previous` and `new` the definitions, which tell
    why a value changes.
    """
    needs = graph.dependencies(resources, scope.conditions)
    known: dict[str, Known] = {}
    out: list[ResourceChange] = []
    for name in graph.order(needs):
        own = section(resources[name], scope.parameters)
        now = existing.get(name)
        within = Scope(
            scope.parameters,
            scope.mappings,
            scope.conditions,
            known,
            scope.exports,
            scope.imported,
        )
        properties = resolve(dict(own.properties), within)
        metadata = dict(own.metadata)
        kind = kinds.get(own.type)
        always = frozenset[str]() if kind is None else kind.replaces
        todo = step(now, own.type, properties, metadata, always)
        if now is None or todo == "create":
            known[name] = Known(UNKNOWN, None)
            out.append(ResourceChange("Add", name, "", own.type))
            continue
        known[name] = Known(now.physical_id, now.attributes)
        retagged = bool(
            previous and new and previous.tags != new.tags and kind and "Tags" in kind.properties
        )
        if todo == "keep" and not retagged:
            continue
        if todo == "replace":
            known[name] = Known(UNKNOWN, None)
        causes = _causes(
            name, own, previous, new, {one.logical_id for one in out if one.replacement != "False"}
        )
        out.append(_modification(now, own, properties, metadata, always, todo, causes))
        if retagged:
            out[-1] = _retagged(out[-1])
    out += [
        ResourceChange(
            "Remove",
            name,
            now.physical_id,
            now.type,
            policy_action="Retain" if now.deletion_policy == "Retain" else "Delete",
        )
        for name, now in existing.items()
        if name not in resources
    ]
    return sorted(out, key=lambda change: change.logical_id)


Cause = tuple[str, str | None]
"""Where a change comes from, and the entity that causes it."""


def _causes(
    name: str,
    own: Section,
    previous: Definition | None,
    new: Definition | None,
    moving: set[str],
) -> dict[str, list[Cause]]:
    """Why each property of a resource changes although its text in the template did not."""
    if previous is None or new is None:
        return {}
    section = (previous.processed.get("Resources") or {}).get(name) or {}
    before = section.get("Properties") or {}
    given = {
        key
        for key, one in new.parameters.items()
        if key not in previous.parameters or previous.parameters[key].value != one.value
    }
    found: dict[str, list[Cause]] = {}
    for property_name, value in own.properties.items():
        if before.get(property_name) != value:
            continue
        used = graph.references(value)
        causes: list[Cause] = [("ParameterReference", one) for one in sorted(used.refs & given)]
        causes += [("ResourceReference", one) for one in sorted(used.refs & moving)]
        causes += [
            ("ResourceAttribute", f"{one}.{attribute}")
            for one, attribute in sorted(used.attributes)
            if one in moving
        ]
        found[property_name] = causes
    return found


def _retagged(change: ResourceChange) -> ResourceChange:
    """The change with that of the stack's tags."""
    return msgspec.structs.replace(
        change,
        scope=[*change.scope, "Tags"],
        details=[*change.details, PropertyChange("Tags", None, "Never")],
    )


def _modification(
    now: Resource,
    own: Section,
    properties: Mapping[str, Any],
    metadata: Mapping[str, Any],
    always: frozenset[str],
    todo: Step,
    causes: Mapping[str, list[Cause]],
) -> ResourceChange:
    names = changed(now.properties, properties)
    details = [
        PropertyChange(
            "Properties",
            name,
            "Always" if name in always else "Never",
            causing=causing,
            source=source,
            evaluation="Dynamic" if UNKNOWN in repr(properties.get(name)) else "Static",
        )
        for name in names
        for source, causing in causes.get(name) or [("DirectModification", None)]
    ]
    certain = any(name in always and UNKNOWN not in repr(properties.get(name)) for name in names)
    replacement = "False"
    if todo == "replace":
        replacement = "True" if certain or now.type != own.type else "Conditional"
    scope = ["Properties"] if names else []
    if now.metadata != metadata:
        scope.append("Metadata")
        details.append(PropertyChange("Metadata", None, "Never"))
    return ResourceChange(
        "Modify",
        now.logical_id,
        now.physical_id,
        own.type,
        replacement=replacement,
        scope=scope,
        details=details,
        policy_action="ReplaceAndDelete" if todo == "replace" else None,
    )
