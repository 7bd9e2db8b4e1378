"""AWS::Include: pieces of templates that lie in S3 are put where the template asks for them.

Source: AWS CloudFormation Template Reference, "AWS::Include transform". `Fn::Transform` beside
other members adds the piece's members to them; `Transform` of the whole template adds sections.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from lambent.core.errors import AwsError
from lambent.services.cloudformation import template
from lambent.services.cloudformation.intrinsics import Scope, resolve

TRANSFORM = "AWS::Include"
MEMBER = "Fn::Transform"

Fetch = Callable[[str], Awaitable[str]]
"""The text at an `s3://` location; AwsError when there is none."""


def asked(value: Any) -> bool:
    """Whether there is a transform inside the template."""
    if isinstance(value, dict):
        return MEMBER in value or any(asked(member) for member in value.values())
    return isinstance(value, list) and any(asked(member) for member in value)


def without(parsed: dict[str, Any]) -> dict[str, Any]:
    """The template as far as it can be seen before anything is put in."""
    return {
        section: {name: one for name, one in members.items() if name != MEMBER}
        if isinstance(members, dict)
        else members
        for section, members in parsed.items()
        if section != MEMBER
    }


async def expand(parsed: dict[str, Any], scope: Scope, fetch: Fetch) -> dict[str, Any]:
    """The template with all pieces in it. AwsError ValidationError when one cannot be had."""
    found: dict[str, Any] = await _expanded(parsed, scope, fetch)
    declared = parsed.get("Transform") or []
    left = []
    for one in declared if isinstance(declared, list) else [declared]:
        if isinstance(one, dict) and one.get("Name") == TRANSFORM:
            piece = await _piece(one, scope, fetch)
            for section, members in piece.items():
                held = found.get(section)
                if isinstance(held, dict) and isinstance(members, dict):
                    found[section] = {**held, **members}
                else:
                    found[section] = members
        else:
            left.append(one)
    if declared:
        found["Transform"] = left
    return found


async def _expanded(value: Any, scope: Scope, fetch: Fetch) -> Any:
    if isinstance(value, list):
        return [await _expanded(member, scope, fetch) for member in value]
    if not isinstance(value, dict):
        return value
    made: dict[str, Any] = {}
    for name, member in value.items():
        if name == MEMBER:
            for one in member if isinstance(member, list) else [member]:
                piece = await _piece(one, scope, fetch)
                made.update(await _expanded(piece, scope, fetch))
        else:
            made[name] = await _expanded(member, scope, fetch)
    return made


async def _piece(asked: Any, scope: Scope, fetch: Fetch) -> dict[str, Any]:
    if not isinstance(asked, dict) or not isinstance(asked.get("Name"), str):
        raise template.invalid(
            "Template format error: every Fn::Transform object requires a Name and Parameters."
        )
    if asked["Name"] != TRANSFORM:
        raise template.invalid(f"No transform named {asked['Name']} found.")
    location = resolve((asked.get("Parameters") or {}).get("Location"), scope)
    if not isinstance(location, str) or not location.startswith("s3://"):
        raise template.invalid(
            f"Transform {TRANSFORM} failed with: The location parameter is not a valid S3 uri."
        )
    try:
        return template.parse(await fetch(location))
    except AwsError as error:
        raise template.invalid(f"Transform {TRANSFORM} failed with: {error.message}") from None
