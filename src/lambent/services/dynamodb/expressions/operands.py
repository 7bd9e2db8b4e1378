"""The types that each operator and function takes, and the faults that follow.

These rules need the values of the request, not the item: what stands as a placeholder is
checked before anything is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lambent.services.dynamodb.expressions.tree import (
    Function,
    Literal,
    Operand,
    PathNode,
    ValueNode,
    show,
)
from lambent.services.dynamodb.values import AttributeValue, kind_of, ordering

Values = Mapping[str, AttributeValue]
Check = Callable[[Values], str | None]
"""Given the request's values: what is wrong, or None."""

ORDERED = frozenset({"S", "N", "B"})
SIZED = frozenset({"S", "B", "SS", "NS", "BS", "L", "M"})
CONTAINERS = frozenset({"S", "B", "SS", "NS", "BS", "L"})
PREFIXED = frozenset({"S", "B"})
_TYPES = ("B", "NULL", "SS", "BOOL", "L", "BS", "N", "NS", "S", "M")

ARGUMENTS = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
    "size": 1,
    "if_not_exists": 2,
    "list_append": 2,
}
_PATH_FIRST = frozenset(
    {"attribute_exists", "attribute_not_exists", "attribute_type", "if_not_exists"}
)


def wrong_count(function: Function) -> str | None:
    """The fault when a function has too few or too many arguments."""
    if len(function.arguments) == ARGUMENTS[function.name]:
        return None
    return (
        "Incorrect number of operands for operator or function; "
        f"operator or function: {function.name}, number of operands: {len(function.arguments)}"
    )


def needs_path(function: Function) -> str | None:
    """The fault when a function that asks about a path is given something else."""
    if function.name not in _PATH_FIRST or isinstance(function.arguments[0], PathNode):
        return None
    return f"Operator or function requires a document path; operator or function: {function.name}"


def literal(operand: Operand, values: Values) -> AttributeValue | None:
    """The value of a placeholder or a literal; None for what depends on the item."""
    if isinstance(operand, ValueNode):
        return values[operand.name]
    return operand.value if isinstance(operand, Literal) else None


def wrong_type(operator: str, kind: str, label: str = "operator or function") -> str:
    """The message for an operand of a type that the operator does not take."""
    return (
        "Incorrect operand type for operator or function; "
        f"{label}: {operator}, operand type: {kind}"
    )


def takes(operator: str, operand: Operand, kinds: frozenset[str]) -> Check | None:
    """A check that a literal operand is of one of `kinds`; None when it is no literal."""
    if isinstance(operand, Function):
        if operand.name == "size" and "N" not in kinds:
            return lambda values: wrong_type(operator, "N")
        return None
    if not isinstance(operand, ValueNode | Literal):
        return None

    def check(values: Values) -> str | None:
        value = literal(operand, values)
        if value is None or (kind := kind_of(value)) in kinds:
            return None
        return wrong_type(operator, kind)

    return check


def type_name(operand: Operand) -> Check:
    """A check of attribute_type's second argument."""

    def check(values: Values) -> str | None:
        value = literal(operand, values)
        if value is None:
            return None
        if "S" not in value:
            return wrong_type("attribute_type", kind_of(value))
        if value["S"] not in _TYPES:
            return (
                f"Invalid attribute type name found; type: {value['S']}, "
                f"valid types: {{{','.join(_TYPES)}}}"
            )
        return None

    return check


def distinct(operator: str, first: Operand, others: tuple[Operand, ...]) -> str | None:
    """The fault when a path is compared with itself."""
    if isinstance(first, PathNode) and first in others:
        return (
            "The first operand must be distinct from the remaining operands for this operator "
            f"or function; operator: {operator}, first operand: {show(first.path)}"
        )
    return None


def bounds(low: Operand, high: Operand) -> Check | None:
    """A check that BETWEEN's bounds fit together; None when one depends on the item."""
    if not isinstance(low, ValueNode | Literal) or not isinstance(high, ValueNode | Literal):
        return None

    def check(values: Values) -> str | None:
        lower, upper = literal(low, values), literal(high, values)
        if lower is None or upper is None:
            return None
        shown = (
            f"lower bound operand: AttributeValue: {_show_value(lower)}, "
            f"upper bound operand: AttributeValue: {_show_value(upper)}"
        )
        if kind_of(lower) != kind_of(upper):
            return (
                "The BETWEEN operator requires same data type for lower and upper bounds; " + shown
            )
        if (ordering(lower, upper) or 0) > 0:
            return (
                "The BETWEEN operator requires upper bound to be greater than or equal to lower "
                "bound; " + shown
            )
        return None

    return check


def _show_value(value: AttributeValue) -> str:
    kind = kind_of(value)
    content = value[kind]
    if isinstance(content, bytes):
        return f"{{B:java.nio.HeapByteBuffer[pos=0 lim={len(content)} cap={len(content)}]}}"
    return f"{{{kind}:{content}}}"
