"""The parameters from before expressions: Expected, AttributeUpdates, KeyConditions, filters.

They are turned into the syntax trees of expressions and evaluated as those; only their
validation, and AttributeUpdates' own effects, are different.

Source: Amazon DynamoDB Developer Guide, "Legacy DynamoDB conditional parameters".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from lambent.services.dynamodb import numbers
from lambent.services.dynamodb.errors import invalid, invalid_parameter
from lambent.services.dynamodb.expressions import compiled
from lambent.services.dynamodb.expressions.application import without
from lambent.services.dynamodb.expressions.compiled import CompiledCondition
from lambent.services.dynamodb.expressions.tree import (
    Between,
    Both,
    Comparison,
    Condition,
    Either,
    Function,
    Literal,
    Negation,
    PathNode,
    Within,
)
from lambent.services.dynamodb.values import AttributeValue, Item, clean, kind_of, ordering

_COUNTS = {"NULL": 0, "NOT_NULL": 0, "BETWEEN": 2}
_SCALARS = frozenset({"S", "N", "B"})
_KINDS = {
    "LE": _SCALARS,
    "LT": _SCALARS,
    "GE": _SCALARS,
    "GT": _SCALARS,
    "BETWEEN": _SCALARS,
    "IN": _SCALARS,
    "BEGINS_WITH": frozenset({"S", "B"}),
    "CONTAINS": frozenset({"S", "N", "B", "BOOL", "NULL"}),
    "NOT_CONTAINS": frozenset({"S", "N", "B", "BOOL", "NULL"}),
}
_COMPARATORS = {"EQ": "=", "NE": "<>", "LE": "<=", "LT": "<", "GE": ">=", "GT": ">"}


def check_operands(name: str, operator: str, operands: Sequence[AttributeValue]) -> None:
    """Raise unless the operator takes these operands."""
    expected = _COUNTS.get(operator, 1)
    if len(operands) != expected and not (operator == "IN" and operands):
        raise invalid_parameter(
            f"Invalid number of argument(s) for the {operator} ComparisonOperator"
        )
    kinds = {kind_of(value) for value in operands}
    if len(kinds) > 1:
        raise invalid_parameter("AttributeValues inside AttributeValueList must be of same type")
    allowed = _KINDS.get(operator)
    for kind in kinds:
        if allowed is not None and kind not in allowed:
            raise invalid_parameter(
                f"ComparisonOperator {operator} is not valid for {kind} AttributeValue type"
            )
    if operator == "BETWEEN" and (ordering(operands[0], operands[1]) or 0) > 0:
        raise invalid(
            "The BETWEEN condition was provided a range where the lower bound is greater than "
            "the upper bound"
        )


def _tree(name: str, operator: str, operands: Sequence[AttributeValue]) -> Condition:
    path = PathNode((name,))
    literals = tuple(Literal(value) for value in operands)
    if operator in _COMPARATORS:
        return Comparison(_COMPARATORS[operator], path, literals[0])
    if operator == "NULL":
        return Function("attribute_not_exists", (path,))
    if operator == "NOT_NULL":
        return Function("attribute_exists", (path,))
    if operator == "BETWEEN":
        return Between(path, literals[0], literals[1])
    if operator == "IN":
        return Within(path, literals)
    if operator == "BEGINS_WITH":
        return Function("begins_with", (path, literals[0]))
    contains = Function("contains", (path, literals[0]))
    if operator == "CONTAINS":
        return contains
    return Both(Function("attribute_exists", (path,)), Negation(contains))


def _joined(kind: str, trees: Sequence[Condition], operator: str | None) -> CompiledCondition:
    join = Either if operator == "OR" else Both
    tree = reduce(lambda left, right: join(left, right), trees)
    return compiled.condition_of(kind, tree, {})


def _check_operator(params: Mapping[str, Any], source: str) -> None:
    if params.get("ConditionalOperator") is None:
        return
    conditions = params.get(source)
    if conditions is None or not conditions:
        raise invalid_parameter("ConditionalOperator cannot be used without Filter or Expected")
    if len(conditions) == 1:
        raise invalid_parameter(
            "ConditionalOperator can only be used when Filter or Expected has two or more elements"
        )


def expected(params: Mapping[str, Any]) -> CompiledCondition | None:
    """The condition in Expected and ConditionalOperator, or None."""
    _check_operator(params, "Expected")
    given: Mapping[str, Mapping[str, Any]] | None = params.get("Expected")
    if not given:
        return None
    trees = [_expectation(name, condition) for name, condition in given.items()]
    return _joined("Expected", trees, params.get("ConditionalOperator"))


def _expectation(name: str, condition: Mapping[str, Any]) -> Condition:
    value = condition.get("Value")
    values = condition.get("AttributeValueList")
    operator = condition.get("ComparisonOperator")
    exists = condition.get("Exists")
    if value is not None and values is not None:
        raise invalid_parameter(
            f"Value and AttributeValueList cannot be used together for Attribute: {name}"
        )
    if operator is not None:
        if exists is not None:
            raise invalid_parameter(
                f"Exists and ComparisonOperator cannot be used together for Attribute: {name}"
            )
        if operator not in ("NULL", "NOT_NULL") and value is None and values is None:
            raise invalid_parameter(
                "Value or AttributeValueList must be used with ComparisonOperator: "
                f"{operator} for Attribute: {name}"
            )
        given = values if values is not None else [value] if value is not None else []
        operands = [clean(each) for each in given]
        check_operands(name, operator, operands)
        return _tree(name, operator, operands)
    if values is not None:
        raise invalid_parameter(
            f"AttributeValueList can only be used with a ComparisonOperator for Attribute: {name}"
        )
    if exists is None or exists:
        if value is None:
            shown = "null" if exists is None else "true"
            raise invalid_parameter(
                f"Value must be provided when Exists is {shown} for Attribute: {name}"
            )
        return _tree(name, "EQ", [clean(value)])
    if value is not None:
        raise invalid_parameter(f"Value cannot be used when Exists is false for Attribute: {name}")
    return _tree(name, "NULL", [])


def conditions(given: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[str, list[Any]]]:
    """KeyConditions or a filter as operator and (cleaned, checked) operands by attribute."""
    result: dict[str, tuple[str, list[Any]]] = {}
    for name, condition in given.items():
        operator = condition["ComparisonOperator"]
        operands = [clean(value) for value in condition.get("AttributeValueList") or ()]
        check_operands(name, operator, operands)
        result[name] = (operator, operands)
    return result


def filtered(params: Mapping[str, Any], source: str) -> CompiledCondition | None:
    """The condition in QueryFilter or ScanFilter (`source`), or None."""
    _check_operator(params, source)
    given = params.get(source)
    if not given:
        return None
    trees = [_tree(name, *condition) for name, condition in conditions(given).items()]
    return _joined(source, trees, params.get("ConditionalOperator"))


Updates = dict[str, tuple[str, AttributeValue | None]]
"""Action and value by attribute."""


def attribute_updates(given: Mapping[str, Mapping[str, Any]]) -> Updates:
    """AttributeUpdates, checked."""
    result: Updates = {}
    for name, update in given.items():
        action = update.get("Action") or "PUT"
        value = update.get("Value")
        if value is None:
            if action != "DELETE":
                raise invalid_parameter(
                    "Only DELETE action is allowed when no attribute value is specified"
                )
            result[name] = (action, None)
            continue
        cleaned = clean(value)
        kind = kind_of(cleaned)
        if action == "ADD" and kind not in ("N", "SS", "NS", "BS", "L"):
            raise invalid_parameter(f"ADD action is not supported for the type {kind}")
        if action == "DELETE" and kind not in ("SS", "NS", "BS"):
            raise invalid_parameter(
                f"DELETE action with value is not supported for the type {kind}"
            )
        result[name] = (action, cleaned)
    return result


def apply_updates(updates: Updates, item: Mapping[str, AttributeValue]) -> Item:
    """The item after AttributeUpdates."""
    result = dict(item)
    for name, (action, value) in updates.items():
        present = item.get(name)
        if value is None:
            result.pop(name, None)
        elif action == "PUT":
            result[name] = value
        elif action == "ADD":
            result[name] = value if present is None else _added(present, value)
        elif present is not None:
            if kind_of(value) not in present:
                raise invalid("Type mismatch for attribute to update")
            rest = without(present, value)
            if rest is None:
                del result[name]
            else:
                result[name] = rest
    return result


def _added(present: AttributeValue, value: AttributeValue) -> AttributeValue:
    kind = kind_of(value)
    if kind not in present:
        raise invalid("Type mismatch for attribute to update")
    if kind == "N":
        return {"N": numbers.add(present["N"], value["N"])}
    if kind == "L":
        return {"L": present["L"] + value["L"]}
    return {kind: list(dict.fromkeys((*present[kind], *value[kind])))}
