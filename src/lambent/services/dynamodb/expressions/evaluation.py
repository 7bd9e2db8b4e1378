"""Turns a condition's tree into a function of an item and the request's values.

A comparison of different types, or with an attribute that is not there, is false; only
`<>` is true then. Type faults that need no item were found before (see `operands`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lambent.services.dynamodb.expressions.operands import SIZED, Values
from lambent.services.dynamodb.expressions.paths import lookup
from lambent.services.dynamodb.expressions.tree import (
    Between,
    Both,
    Comparison,
    Condition,
    Either,
    Function,
    Literal,
    Negation,
    Operand,
    PathNode,
    ValueNode,
    Within,
)
from lambent.services.dynamodb.values import AttributeValue, equal, kind_of, ordering

Document = Mapping[str, AttributeValue]
Test = Callable[[Document, Values], bool]
Read = Callable[[Document, Values], AttributeValue | None]


def reader(operand: Operand) -> Read:
    """A function that gives a bound operand's value, or None."""
    if isinstance(operand, PathNode):
        path = operand.path
        if len(path) == 1:
            name: Any = path[0]
            return lambda item, values: item.get(name)
        return lambda item, values: lookup(item, path)
    if isinstance(operand, ValueNode):
        placeholder = operand.name
        return lambda item, values: values[placeholder]
    if isinstance(operand, Literal):
        constant = operand.value
        return lambda item, values: constant
    if isinstance(operand, Function) and operand.name == "size":
        return _size(reader(operand.arguments[0]))
    raise TypeError(f"not an operand of a condition: {operand!r}")


def _size(read: Read) -> Read:
    def size(item: Document, values: Values) -> AttributeValue | None:
        value = read(item, values)
        if value is None or (kind := kind_of(value)) not in SIZED:
            return None
        content = value[kind]
        # Strings are as long as their UTF-16 has units, as in Java.
        if kind == "S" and not content.isascii():
            return {"N": str(len(content.encode("utf-16-le")) // 2)}
        return {"N": str(len(content))}

    return size


def tester(condition: Condition) -> Test:
    """A function that tells whether a bound condition holds."""
    if isinstance(condition, Comparison):
        return _comparison(condition.operator, reader(condition.left), reader(condition.right))
    if isinstance(condition, Both):
        first, second = tester(condition.left), tester(condition.right)
        return lambda item, values: first(item, values) and second(item, values)
    if isinstance(condition, Either):
        first, second = tester(condition.left), tester(condition.right)
        return lambda item, values: first(item, values) or second(item, values)
    if isinstance(condition, Negation):
        inner = tester(condition.condition)
        return lambda item, values: not inner(item, values)
    if isinstance(condition, Between):
        return _between(reader(condition.operand), reader(condition.low), reader(condition.high))
    if isinstance(condition, Within):
        return _within(reader(condition.operand), [reader(each) for each in condition.choices])
    return _FUNCTIONS[condition.name](*map(reader, condition.arguments))


def _comparison(operator: str, left: Read, right: Read) -> Test:
    def equals(item: Document, values: Values) -> bool:
        a, b = left(item, values), right(item, values)
        return a is not None and b is not None and equal(a, b)

    if operator == "=":
        return equals
    if operator == "<>":
        return lambda item, values: not equals(item, values)
    accept = _ACCEPTED[operator]

    def compare(item: Document, values: Values) -> bool:
        a, b = left(item, values), right(item, values)
        return a is not None and b is not None and ordering(a, b) in accept

    return compare


_ACCEPTED: dict[str, tuple[int, ...]] = {
    "<": (-1,),
    "<=": (-1, 0),
    ">": (1,),
    ">=": (0, 1),
}


def _between(read: Read, low: Read, high: Read) -> Test:
    above, below = _comparison(">=", read, low), _comparison("<=", read, high)
    return lambda item, values: above(item, values) and below(item, values)


def _within(read: Read, choices: list[Read]) -> Test:
    def within(item: Document, values: Values) -> bool:
        value = read(item, values)
        if value is None:
            return False
        candidates = (choice(item, values) for choice in choices)
        return any(each is not None and equal(value, each) for each in candidates)

    return within


def _exists(read: Read) -> Test:
    return lambda item, values: read(item, values) is not None


def _not_exists(read: Read) -> Test:
    return lambda item, values: read(item, values) is None


def _is_type(read: Read, kind: Read) -> Test:
    def is_type(item: Document, values: Values) -> bool:
        value, wanted = read(item, values), kind(item, values)
        return value is not None and wanted is not None and wanted.get("S") in value

    return is_type


def _begins_with(read: Read, prefix: Read) -> Test:
    def begins_with(item: Document, values: Values) -> bool:
        value, start = read(item, values), prefix(item, values)
        if value is None or start is None:
            return False
        kind = kind_of(start)
        return kind in ("S", "B") and kind in value and value[kind].startswith(start[kind])

    return begins_with


def contains(whole: AttributeValue, part: AttributeValue) -> bool:
    """Whether a string has a substring, a set a member, or a list an element."""
    kind, content = next(iter(whole.items()))
    if kind == "L":
        return any(equal(element, part) for element in content)
    if kind in ("S", "B"):
        return kind in part and part[kind] in content
    return len(kind) == 2 and kind[0] in part and part[kind[0]] in content


def _contains(read: Read, member: Read) -> Test:
    def test(item: Document, values: Values) -> bool:
        whole, part = read(item, values), member(item, values)
        return whole is not None and part is not None and contains(whole, part)

    return test


_FUNCTIONS: dict[str, Callable[..., Test]] = {
    "attribute_exists": _exists,
    "attribute_not_exists": _not_exists,
    "attribute_type": _is_type,
    "begins_with": _begins_with,
    "contains": _contains,
}
