"""Evaluates an expression's tree with the series of other queries."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

from lambent.services.cloudwatch.math.functions import FUNCTIONS
from lambent.services.cloudwatch.math.tree import (
    Broken,
    Call,
    Name,
    Node,
    Number,
    Operation,
    Several,
    Text,
)
from lambent.services.cloudwatch.math.values import Series, Value, many, number, pairwise

WORDS: Final = ("REPEAT", "LINEAR", "ASC", "DESC", "AVG", "MIN", "MAX", "SUM")


def _divided(left: float, right: float) -> float | None:
    return left / right if right else None


def _raised(left: float, right: float) -> float | None:
    try:
        power = left**right
    except (OverflowError, ZeroDivisionError):
        return None
    return power if isinstance(power, float) and math.isfinite(power) else None


_OPERATORS: Final[dict[str, Callable[[float, float], float | None]]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": _divided,
    "^": _raised,
    "==": lambda left, right: float(left == right),
    "!=": lambda left, right: float(left != right),
    "<=": lambda left, right: float(left <= right),
    ">=": lambda left, right: float(left >= right),
    "<": lambda left, right: float(left < right),
    ">": lambda left, right: float(left > right),
    "AND": lambda left, right: float(bool(left) and bool(right)),
    "OR": lambda left, right: float(bool(left) or bool(right)),
}


def evaluate(
    node: Node,
    known: Mapping[str, Value],
    metrics: Mapping[str, Series],
    times: tuple[int, ...],
    period: int,
    searched: Mapping[Call, list[Series]],
) -> Value:
    """The value of an expression. `known` are the values of other queries by id, `metrics`
    those of them that are metrics (for METRICS()), `times` what the query covers, `searched`
    what its SEARCH calls found. Broken when it has none."""

    def value(node: Node) -> Value:
        if isinstance(node, Number):
            return node.value
        if isinstance(node, Text):
            return node.value
        if isinstance(node, Name):
            if node.value in known:
                return known[node.value]
            if node.value.upper() in WORDS:
                return node.value.upper()
            raise Broken(f"There is no query with the id {node.value}.")
        if isinstance(node, Several):
            return [series for part in node.parts for series in many(value(part))]
        if isinstance(node, Operation):
            return pairwise(value(node.left), value(node.right), _OPERATORS[node.operator])
        return called(node)

    def called(node: Call) -> Value:
        if node.function == "METRICS":
            wanted = value(node.arguments[0]) if node.arguments else ""
            return [one for id, one in metrics.items() if str(wanted) in id]
        if node in searched:
            return searched[node]
        arguments = [value(argument) for argument in node.arguments]
        if node.function == "TIME_SERIES" and len(arguments) == 1:
            constant = number(arguments[0])
            return Series(dict.fromkeys(times, constant), "", period, times)
        function = FUNCTIONS.get(node.function)
        if function is None:
            raise Broken(f"The function {node.function} is not supported.")
        return function(arguments)

    try:
        return value(node)
    except (ArithmeticError, ValueError, IndexError) as error:
        raise Broken(f"It cannot be calculated: {error}.") from error
