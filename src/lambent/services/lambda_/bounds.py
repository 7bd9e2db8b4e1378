"""Numbers and choices within what Lambda allows, also where a template gave them.

A request's parameters were held against the model before they reach an operation; those of a
CloudFormation resource were not.
"""

from __future__ import annotations

from collections.abc import Collection

from lambent.core.context import Params
from lambent.services.lambda_ import errors


def check_number(params: Params, member: str, shown: str, least: int, most: int) -> None:
    """ValidationException when the member is there and is no number from `least` to `most`."""
    value = params.get(member)
    if value is None:
        return
    if not isinstance(value, int):
        raise errors.validation(value, shown, "Member must be an integer")
    if value < least:
        raise errors.validation(
            value, shown, f"Member must have value greater than or equal to {least}"
        )
    if value > most:
        raise errors.validation(
            value, shown, f"Member must have value less than or equal to {most}"
        )


def check_choices(params: Params, member: str, shown: str, choices: Collection[str]) -> None:
    """ValidationException when one of the member's values is none of the choices."""
    given = params.get(member) or ()
    if any(value not in choices for value in given):
        known = ", ".join(sorted(choices))
        raise errors.validation(
            f"[{', '.join(map(str, given))}]",
            shown,
            "Member must satisfy constraint: [Member must satisfy enum value set: "
            f"[{known}], Member must not be null]",
        )
