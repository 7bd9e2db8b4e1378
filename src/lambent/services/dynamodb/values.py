"""Attribute values: validation, size, equality, order.

A value stays in AWS's own form, a mapping of one type code to its content ({"S": "x"}),
from the request to the store and back; binary content is bytes, numbers are normalised
text (see `numbers`).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from lambent.services.dynamodb import numbers
from lambent.services.dynamodb.errors import invalid, invalid_parameter

AttributeValue = dict[str, Any]
Item = dict[str, AttributeValue]

MAX_ITEM = 400 * 1024
MAX_NESTING = 32

EMPTY = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
CROWDED = (
    "Supplied AttributeValue has more than one datatypes set, "
    "must contain exactly one of the supported datatypes"
)


def clean(value: AttributeValue, depth: int = 0) -> AttributeValue:
    """The value with its numbers normalised; ValidationException when it is not valid."""
    if len(value) != 1:
        raise invalid(CROWDED if value else EMPTY)
    for kind, content in value.items():
        if kind == "S":
            return value
        if kind == "N":
            number = numbers.normalise(content)
            return value if number == content else {"N": number}
        cleaner = _CLEANERS.get(kind)
        return cleaner(value, content, depth) if cleaner else value
    raise AssertionError("unreachable")


def clean_item(item: Mapping[str, AttributeValue]) -> Item:
    """All attributes cleaned; a new mapping."""
    return {name: clean(value) for name, value in item.items()}


def _clean_null(value: AttributeValue, content: Any, depth: int) -> AttributeValue:
    if content is not True:
        raise invalid_parameter("Null attribute value types must have the value of true")
    return value


def _clean_list(value: AttributeValue, content: Any, depth: int) -> AttributeValue:
    _check_depth(depth)
    return {"L": [clean(element, depth + 1) for element in content]}


def _clean_map(value: AttributeValue, content: Any, depth: int) -> AttributeValue:
    _check_depth(depth)
    return {"M": {name: clean(element, depth + 1) for name, element in content.items()}}


def _check_depth(depth: int) -> None:
    if depth >= MAX_NESTING:
        raise invalid(
            "Nesting Levels have exceeded supported limits: "
            "Attributes nested too deeply; maximum nesting level is 32"
        )


def _clean_strings(value: AttributeValue, content: Any, depth: int) -> AttributeValue:
    if not content:
        raise invalid_parameter("An string set  may not be empty")
    if len(set(content)) != len(content):
        raise invalid_parameter(f"Input collection [{', '.join(content)}] contains duplicates.")
    return value


def _clean_numbers(value: AttributeValue, content: Any, depth: int) -> AttributeValue:
    if not content:
        raise invalid_parameter("An number set  may not be empty")
    normalised = [numbers.normalise(member) for member in content]
    if len(set(normalised)) != len(normalised):
        raise invalid("Input collection contains duplicates")
    return {"NS": normalised}


def _clean_binaries(value: AttributeValue, content: Any, depth: int) -> AttributeValue:
    if not content:
        raise invalid_parameter("Binary sets should not be empty")
    if len(set(content)) != len(content):
        shown = ", ".join(base64.b64encode(member).decode() for member in content)
        raise invalid_parameter(f"Input collection [{shown}]of type BS contains duplicates.")
    return value


_CLEANERS: dict[str, Callable[[AttributeValue, Any, int], AttributeValue]] = {
    "NULL": _clean_null,
    "L": _clean_list,
    "M": _clean_map,
    "SS": _clean_strings,
    "NS": _clean_numbers,
    "BS": _clean_binaries,
}


def kind_of(value: AttributeValue) -> str:
    """The value's type code."""
    for kind in value:
        return kind
    raise AssertionError("a cleaned value has a type")


def utf8_length(text: str) -> int:
    """Bytes of the text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def size(value: AttributeValue) -> int:
    """Bytes that a value counts for, by the rules of "DynamoDB item sizes and formats"."""
    for kind, content in value.items():
        if kind == "S":
            return len(content) if content.isascii() else len(content.encode())
        if kind == "N":
            return numbers.size(content)
        if kind == "B":
            return len(content)
        if kind == "M":
            return 3 + sum(utf8_length(name) + size(part) + 1 for name, part in content.items())
        if kind == "L":
            return 3 + sum(size(part) + 1 for part in content)
        if kind == "SS":
            return sum(map(utf8_length, content))
        if kind == "NS":
            return sum(map(numbers.size, content))
        if kind == "BS":
            return sum(map(len, content))
    return 1


def item_size(item: Mapping[str, AttributeValue]) -> int:
    """Bytes that an item counts for: names and values."""
    return sum(utf8_length(name) + size(value) for name, value in item.items())


def equal(left: AttributeValue, right: AttributeValue) -> bool:
    """Whether two values are the same; the order of set members does not matter."""
    if left == right:
        return True
    kind = kind_of(left)
    if kind not in right:
        return False
    a, b = left[kind], right[kind]
    if kind in ("SS", "NS", "BS"):
        return set(a) == set(b)
    if kind == "L":
        return len(a) == len(b) and all(map(equal, a, b))
    if kind == "M":
        return a.keys() == b.keys() and all(equal(part, b[name]) for name, part in a.items())
    return False


def ordering(left: AttributeValue, right: AttributeValue) -> int | None:
    """Negative, zero, or positive as left is less, equal, or greater; None if not comparable.

    Only strings (by UTF-8 bytes, which is by code point), numbers and binaries of the same
    type have an order.
    """
    kind = kind_of(left)
    if kind not in right:
        return None
    a, b = left[kind], right[kind]
    if kind == "N":
        a, b = Decimal(a), Decimal(b)
    elif kind not in ("S", "B"):
        return None
    return int(a > b) - int(a < b)
