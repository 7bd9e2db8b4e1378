"""What a Query asks of the keys: from expression or KeyConditions to a range of sort keys.

A query names the hash key's value and may narrow the range key by one comparison.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from lambent.services.dynamodb import keys
from lambent.services.dynamodb.errors import invalid, invalid_parameter
from lambent.services.dynamodb.expressions.binding import conjuncts
from lambent.services.dynamodb.expressions.compiled import CompiledCondition
from lambent.services.dynamodb.expressions.operands import Values, literal
from lambent.services.dynamodb.expressions.tree import (
    Between,
    Comparison,
    Condition,
    Either,
    Function,
    Negation,
    Operand,
    PathNode,
    Within,
)
from lambent.services.dynamodb.model import KeySchema
from lambent.services.dynamodb.values import AttributeValue, Item


class KeyTest(NamedTuple):
    """One comparison of a key attribute: =, <, <=, >, >=, BETWEEN or begins_with."""

    operator: str
    operands: Sequence[AttributeValue]


Tests = Mapping[str, KeyTest]

_FLIPPED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_LEGACY = {
    "EQ": "=",
    "LT": "<",
    "LE": "<=",
    "GT": ">",
    "GE": ">=",
    "BETWEEN": "BETWEEN",
    "BEGINS_WITH": "begins_with",
}


class _Shape(NamedTuple):
    """A comparison of a key attribute before the values are known."""

    name: str
    operator: str
    operands: tuple[Operand, ...]


def from_expression(condition: CompiledCondition, values: Values) -> Tests:
    """The comparisons in a KeyConditionExpression, by attribute."""
    return {
        shape.name: KeyTest(
            shape.operator,
            [value for each in shape.operands if (value := literal(each, values)) is not None],
        )
        for shape in _shapes(condition)
    }


@lru_cache(4096)
def _shapes(condition: CompiledCondition) -> tuple[_Shape, ...]:
    shapes: dict[str, _Shape] = {}
    for part in conjuncts(condition.tree):
        shape = _shape(part)
        if shape.name in shapes:
            raise invalid("KeyConditionExpressions must only contain one condition per key")
        shapes[shape.name] = shape
    return tuple(shapes.values())


def _shape(node: Condition) -> _Shape:
    if isinstance(node, Either):
        raise _operator("OR")
    if isinstance(node, Negation):
        raise _operator("NOT")
    if isinstance(node, Within):
        raise _operator("IN")
    if isinstance(node, Comparison):
        if node.operator == "<>":
            raise _operator("<>")
        if isinstance(node.right, PathNode) and not isinstance(node.left, PathNode):
            return _split(_FLIPPED[node.operator], (node.right, node.left))
        return _split(node.operator, (node.left, node.right))
    if isinstance(node, Between):
        return _split("BETWEEN", (node.operand, node.low, node.high))
    if isinstance(node, Function) and node.name == "begins_with":
        return _split("begins_with", node.arguments)
    raise _operator(node.name if isinstance(node, Function) else "AND")


def _operator(name: str) -> Exception:
    return invalid(f"Invalid operator used in KeyConditionExpression: {name}")


def _split(operator: str, operands: tuple[Operand, ...]) -> _Shape:
    if any(isinstance(operand, Function) for operand in operands):
        raise invalid("KeyConditionExpressions cannot contain nested operations")
    paths = [operand for operand in operands if isinstance(operand, PathNode)]
    if not paths or operands[0] is not paths[0]:
        raise invalid("Invalid condition in KeyConditionExpression: No key attribute specified")
    if len(paths) > 1:
        raise invalid(
            "Invalid condition in KeyConditionExpression: "
            "Multiple attribute names used in one condition"
        )
    path = paths[0].path
    if len(path) > 1:
        raise invalid("KeyConditionExpressions cannot have conditions on nested attributes")
    return _Shape(str(path[0]), operator, operands[1:])


def from_legacy(conditions: Mapping[str, tuple[str, Sequence[AttributeValue]]]) -> Tests:
    """The comparisons in KeyConditions (checked already), by attribute."""
    if not 1 <= len(conditions) <= 2:
        raise invalid("Conditions can be of length 1 or 2 only")
    tests: dict[str, KeyTest] = {}
    for name, (operator, operands) in conditions.items():
        if operator not in _LEGACY:
            raise invalid("Attempted conditional constraint is not an indexable operation")
        tests[name] = KeyTest(_LEGACY[operator], operands)
    return tests


class Selection(NamedTuple):
    """The hash key's value, and the range key's comparison or None."""

    hash: AttributeValue
    range: KeyTest | None


def select(schema: KeySchema, tests: Tests) -> Selection:
    """Fit the comparisons to the schema; ValidationException when they do not."""
    of_hash = tests.get(schema.hash)
    if of_hash is None:
        raise invalid(f"Query condition missed key schema element: {schema.hash}")
    of_range: KeyTest | None = None
    if len(tests) > 1:
        if not schema.range:
            raise invalid("Query key condition not supported")
        of_range = tests.get(schema.range)
        if of_range is None:
            raise invalid(f"Query condition missed key schema element: {schema.range}")
        if len(tests) > 2:
            raise invalid("Query key condition not supported")
    _check(schema.hash, schema.hash_type, of_hash, is_hash=True)
    if of_hash.operator != "=":
        raise invalid("Query key condition not supported")
    if of_range is not None:
        _check(schema.range, schema.range_type, of_range, is_hash=False)
        if of_range.operator == "begins_with" and schema.range_type == "N":
            raise invalid("Query key condition not supported")
    return Selection(of_hash.operands[0], of_range)


def _check(name: str, kind: str, test: KeyTest, *, is_hash: bool) -> None:
    for value in test.operands:
        if kind not in value:
            raise invalid_parameter("Condition parameter type does not match schema type")
        keys.check_value(name, kind, value, is_hash)


class Bounds(NamedTuple):
    """start ≤ sort < end; `end` None is the partition's end."""

    start: bytes
    end: bytes | None


EVERYTHING = Bounds(b"", None)


def bounds(test: KeyTest | None, kind: str, *, in_index: bool) -> Bounds:
    """The range of sort keys that a comparison of the range key allows."""
    if test is None:
        return EVERYTHING
    encoded = [keys.encode(kind, value) for value in test.operands]
    if in_index:
        encoded = [keys.escape(each) for each in encoded]
        close, after = keys.CLOSE, keys.AFTER
    else:
        # The next key after X in byte order is X and a zero byte.
        close, after = b"", b"\x00"
    first = encoded[0]
    match test.operator:
        case "=":
            return Bounds(first + close, first + after)
        case "<":
            return Bounds(b"", first + close)
        case "<=":
            return Bounds(b"", first + after)
        case ">":
            return Bounds(first + after, None)
        case ">=":
            return Bounds(first + close, None)
        case "BETWEEN":
            return Bounds(first + close, encoded[1] + after)
        case _:
            return Bounds(first, _past_prefix(first))


def _past_prefix(prefix: bytes) -> bytes | None:
    """The least bytes that are greater than all that begin with `prefix`."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes((stem[-1] + 1,)) if stem else None


def holds(test: KeyTest | None, kind: str, item: Item, name: str) -> bool:
    """Whether an item's range key is within the comparison (for starting keys)."""
    if test is None:
        return True
    encoded = keys.encode(kind, item[name])
    start, end = bounds(test, kind, in_index=False)
    return encoded >= start and (end is None or encoded < end)
