"""What refers to what in a template, and the order that follows. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

SUB_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
"""A placeholder of Fn::Sub; `${!Literal}` is the literal `${Literal}`."""


@dataclass(slots=True)
class References:
    """The names that a value refers to."""

    refs: set[str] = field(default_factory=set)
    attributes: set[tuple[str, str]] = field(default_factory=set)
    conditions: set[str] = field(default_factory=set)
    mappings: set[str] = field(default_factory=set)

    def targets(self) -> set[str]:
        """Everything that is named by Ref or Fn::GetAtt."""
        return self.refs | {name for name, _ in self.attributes}


def sub_variables(text: str) -> list[str]:
    """The variables in an Fn::Sub string, in order, without literals."""
    names = (match.group(1).strip() for match in SUB_VARIABLE.finditer(text))
    return [name for name in names if name and not name.startswith("!")]


def attribute_parts(argument: Any) -> tuple[str, Any] | None:
    """Fn::GetAtt's argument as (logical id, attribute); None when it is malformed."""
    if isinstance(argument, str):
        argument = argument.split(".", 1)
    if not isinstance(argument, list) or len(argument) < 2 or not isinstance(argument[0], str):
        return None
    if len(argument) > 2:
        return argument[0], ".".join(str(part) for part in argument[1:])
    return argument[0], argument[1]


def references(value: Any, found: References | None = None) -> References:
    """All that `value` refers to, at any depth."""
    found = found or References()
    if isinstance(value, list):
        for member in value:
            references(member, found)
        return found
    if not isinstance(value, dict):
        return found
    if len(value) == 1:
        [(name, argument)] = value.items()
        if name == "Ref" and isinstance(argument, str):
            found.refs.add(argument)
            return found
        if name == "Condition" and isinstance(argument, str):
            found.conditions.add(argument)
            return found
        if name == "Fn::GetAtt" and (parts := attribute_parts(argument)):
            found.attributes.add((parts[0], parts[1] if isinstance(parts[1], str) else ""))
            return references(parts[1], found)
        if name == "Fn::Sub":
            return _sub_references(argument, found)
        if name == "Fn::If" and isinstance(argument, list) and len(argument) == 3:
            if isinstance(argument[0], str):
                found.conditions.add(argument[0])
            return references(argument[1:], found)
        if name == "Fn::FindInMap" and isinstance(argument, list) and argument:
            if isinstance(argument[0], str):
                found.mappings.add(argument[0])
            return references(argument, found)
    for member in value.values():
        references(member, found)
    return found


def _sub_references(argument: Any, found: References) -> References:
    text, own = argument, {}
    if isinstance(argument, list) and len(argument) == 2:
        text, own = argument
        references(own, found)
    if isinstance(text, str):
        for name in sub_variables(text):
            if isinstance(own, dict) and name in own:
                continue
            logical_id, dot, attribute = name.partition(".")
            if dot:
                found.attributes.add((logical_id, attribute))
            else:
                found.refs.add(name)
    return found


def prune(value: Any, conditions: Mapping[str, bool]) -> Any:
    """`value` with each Fn::If that a known condition decides replaced by its branch."""
    if isinstance(value, list):
        return [prune(member, conditions) for member in value]
    if not isinstance(value, dict):
        return value
    branches = value.get("Fn::If") if len(value) == 1 else None
    if isinstance(branches, list) and len(branches) == 3 and branches[0] in conditions:
        return prune(branches[1] if conditions[branches[0]] else branches[2], conditions)
    return {name: prune(member, conditions) for name, member in value.items()}


def depends_on(resource: Mapping[str, Any]) -> list[str]:
    """The explicit DependsOn of a resource, as a list."""
    declared = resource.get("DependsOn") or []
    return [declared] if isinstance(declared, str) else list(declared)


def dependencies(
    resources: Mapping[str, Mapping[str, Any]], conditions: Mapping[str, bool]
) -> dict[str, set[str]]:
    """For each resource, the resources that must be there before it."""
    graph: dict[str, set[str]] = {}
    for name, resource in resources.items():
        section = prune(resource.get("Properties") or {}, conditions)
        named = references(section).targets() | set(depends_on(resource))
        graph[name] = {target for target in named if target in resources}
    return graph


def order(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """The nodes with each after those it depends on; otherwise in the graph's own order.

    Nodes of a cycle (see `cycle`) are left out, and all that depend on them.
    """
    done: dict[str, None] = {}
    waiting = list(graph)
    while waiting:
        ready = [name for name in waiting if all(need in done for need in graph[name])]
        if not ready:
            break
        done.update(dict.fromkeys(ready))
        waiting = [name for name in waiting if name not in done]
    return list(done)


def cycle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """The nodes that lie on a cycle, sorted; empty when there is none."""
    reach: dict[str, set[str]] = {}
    for start in graph:
        seen: set[str] = set()
        stack = list(graph[start])
        while stack:
            name = stack.pop()
            if name not in seen:
                seen.add(name)
                stack.extend(graph.get(name, ()))
        reach[start] = seen
    return sorted(name for name in graph if name in reach[name])
