"""Loops in templates: `Fn::ForEach` becomes what it stands for. Pure.

Source: AWS CloudFormation Template Reference, "AWS::LanguageExtensions transform" and
"Fn::ForEach". A loop is a member `Fn::ForEach::Name: [identifier, collection, body]`; its body's
members take its place once for each value, with `${identifier}` (and `&{identifier}`: only its
letters and digits) replaced in their names and values, and `Ref: identifier` too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lambent.services.cloudformation.intrinsics import text
from lambent.services.cloudformation.template import invalid

TRANSFORM = "AWS::LanguageExtensions"
_PREFIX = "Fn::ForEach::"
_SECTIONS = ("Conditions", "Resources", "Outputs")
_VARIABLE = re.compile(r"([$&])\{(\w+)\}")

Members = Callable[[str, Any], Iterable[Any]]
"""The values of a loop, by its identifier and its collection."""


def expand(template: Mapping[str, Any], members: Members) -> dict[str, Any]:
    """The template without loops. AwsError ValidationError when one is none, or makes a name
    twice."""
    return {
        section: _expanded(value, {}, members) if section in _SECTIONS else value
        for section, value in template.items()
    }


def sketch(template: Mapping[str, Any]) -> dict[str, Any]:
    """The template as if each loop ran once, for its own identifier: what can be said of it
    before the values are known."""
    return expand(template, lambda identifier, _: [identifier])


def _expanded(value: Any, bound: Mapping[str, str], members: Members) -> Any:
    if isinstance(value, str):
        return _filled(value, bound)
    if isinstance(value, list):
        return [_expanded(member, bound, members) for member in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        [(function, argument)] = value.items()
        if function == "Ref" and isinstance(argument, str) and argument in bound:
            return bound[argument]
        if function == "Fn::Sub" and isinstance(argument, str):
            # Where nothing is left to be put in, it names a resource, as for Fn::GetAtt.
            filled = _filled(argument, bound)
            return filled if "${" not in filled else {function: filled}
    made: dict[str, Any] = {}
    for name, member in value.items():
        for key, one in (
            _turns(name, member, bound, members)
            if name.startswith(_PREFIX)
            else [(_filled(name, bound), _expanded(member, bound, members))]
        ):
            if key in made:
                raise invalid(f"Transform {TRANSFORM} failed with: Duplicate key {key}")
            made[key] = one
    return made


def _turns(
    name: str, loop: Any, bound: Mapping[str, str], members: Members
) -> Iterable[tuple[str, Any]]:
    """What a loop makes, name by name."""
    match loop:
        case [str(identifier), collection, dict(body)] if identifier:
            for value in members(identifier, _expanded(collection, bound, members)):
                turn = {**bound, identifier: text(value)}
                yield from _expanded(body, turn, members).items()
        case _:
            raise invalid(f"Transform {TRANSFORM} failed with: {name} layout is incorrect")


def _filled(value: str, bound: Mapping[str, str]) -> str:
    def replacement(match: re.Match[str]) -> str:
        known = bound.get(match[2])
        if known is None:
            return match[0]
        return known if match[1] == "$" else re.sub("[^A-Za-z0-9]", "", known)

    return _VARIABLE.sub(replacement, value) if bound else value
