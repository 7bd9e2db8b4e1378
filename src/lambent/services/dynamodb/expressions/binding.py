"""Puts a request's names into a syntax tree, and finds what that tree asks of its values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lambent.services.dynamodb.errors import invalid
from lambent.services.dynamodb.expressions.operands import (
    CONTAINERS,
    ORDERED,
    PREFIXED,
    SIZED,
    Check,
    Values,
    bounds,
    distinct,
    needs_path,
    takes,
    type_name,
    wrong_count,
)
from lambent.services.dynamodb.expressions.paths import bind_path
from lambent.services.dynamodb.expressions.tree import (
    Action,
    Arithmetic,
    Between,
    Both,
    Comparison,
    Condition,
    Either,
    Function,
    Literal,
    Negation,
    Operand,
    Path,
    PathNode,
    ValueNode,
    Within,
)


class Binder:
    """Walks a tree once: replaces names, notes what is used, collects faults and checks."""

    def __init__(self, kind: str, names: Mapping[str, str]) -> None:
        self.kind = kind
        self._names = names
        self.used_names: set[str] = set()
        self.used_values: dict[str, None] = {}
        self.attributes: set[str] = set()
        self.nested: set[str] = set()
        self.faults: list[str] = []
        self.checks: list[Check] = []

    def error(self, message: str) -> Exception:
        """The ValidationException for a fault in this expression."""
        return invalid(f"Invalid {self.kind}: {message}")

    def path(self, path: Path) -> Path:
        """A path with its names put in; notes its attribute."""
        try:
            bound = bind_path(path, self._names)
        except KeyError as missing:
            raise self.error(
                "An expression attribute name used in the document path is not defined; "
                f"attribute name: {missing.args[0]}"
            ) from None
        self.used_names.update(
            part for part in path if isinstance(part, str) and part.startswith("#")
        )
        self.attributes.add(str(bound[0]))
        if len(bound) > 1:
            self.nested.add(str(bound[0]))
        return bound

    def operand(self, node: Operand) -> Operand:
        """A bound operand."""
        if isinstance(node, PathNode):
            return PathNode(self.path(node.path))
        if isinstance(node, ValueNode):
            self.used_values[node.name] = None
            return node
        if isinstance(node, Literal):
            return node
        if isinstance(node, Function):
            return self.function(node)
        bound = Arithmetic(node.operator, self.operand(node.left), self.operand(node.right))
        self._take(node.operator, (bound.left, bound.right), frozenset({"N"}))
        return bound

    def function(self, node: Function) -> Function:
        """A bound function call."""
        bound = Function(node.name, tuple(self.operand(each) for each in node.arguments))
        fault = wrong_count(bound) or needs_path(bound)
        if fault is not None:
            self.faults.append(fault)
            return bound
        arguments = bound.arguments
        if bound.name == "size":
            self._take(bound.name, arguments, SIZED)
        elif bound.name == "attribute_type":
            self.checks.append(type_name(arguments[1]))
        elif bound.name == "begins_with":
            self._take(bound.name, arguments, PREFIXED)
            self._distinct(bound.name, arguments[0], arguments[1:])
        elif bound.name == "contains":
            self._take(bound.name, arguments[:1], CONTAINERS)
            self._distinct(bound.name, arguments[0], arguments[1:])
        elif bound.name == "list_append":
            self._take(bound.name, arguments, frozenset({"L"}))
        return bound

    def condition(self, node: Condition) -> Condition:
        """A bound condition."""
        if isinstance(node, Comparison):
            left, right = self.operand(node.left), self.operand(node.right)
            if node.operator not in ("=", "<>"):
                self._take(node.operator, (left, right), ORDERED)
            self._distinct(node.operator, left, (right,))
            return Comparison(node.operator, left, right)
        if isinstance(node, Both):
            return Both(self.condition(node.left), self.condition(node.right))
        if isinstance(node, Either):
            return Either(self.condition(node.left), self.condition(node.right))
        if isinstance(node, Negation):
            return Negation(self.condition(node.condition))
        if isinstance(node, Between):
            operand = self.operand(node.operand)
            low, high = self.operand(node.low), self.operand(node.high)
            self._take("BETWEEN", (operand, low, high), ORDERED)
            self._distinct("BETWEEN", operand, (low, high))
            if (check := bounds(low, high)) is not None:
                self.checks.append(check)
            return Between(operand, low, high)
        if isinstance(node, Within):
            operand = self.operand(node.operand)
            choices = tuple(self.operand(each) for each in node.choices)
            if len(choices) > 100:
                self.faults.append(
                    "Incorrect number of operands for operator or function; "
                    f"operator or function: IN, number of operands: {len(choices)}"
                )
            self._distinct("IN", operand, choices)
            return Within(operand, choices)
        return self.function(node)

    def action(self, node: Action) -> Action:
        """A bound update clause."""
        path = self.path(node.path)
        if node.operand is None:
            return Action(node.section, path, None)
        operand = self.operand(node.operand)
        if node.section in ("ADD", "DELETE"):
            self.checks.append(_set_operand(node.section, operand))
        return Action(node.section, path, operand)

    def _take(self, operator: str, operands: Sequence[Operand], kinds: frozenset[str]) -> None:
        for operand in operands:
            if (check := takes(operator, operand, kinds)) is not None:
                self.checks.append(check)

    def _distinct(self, operator: str, first: Operand, others: tuple[Operand, ...]) -> None:
        if (fault := distinct(operator, first, others)) is not None:
            self.faults.append(fault)


_LONG_NAMES = {
    "S": "STRING",
    "N": "NUMBER",
    "B": "BINARY",
    "BOOL": "BOOLEAN",
    "NULL": "NULL",
    "L": "LIST",
    "M": "MAP",
    "SS": "STRING_SET",
    "NS": "NUMBER_SET",
    "BS": "BINARY_SET",
}


def _set_operand(section: str, operand: Operand) -> Check:
    allowed = ("SS", "NS", "BS", "N") if section == "ADD" else ("SS", "NS", "BS")

    def check(values: Values) -> str | None:
        if not isinstance(operand, ValueNode):
            return None
        kind = next(iter(values[operand.name]))
        if kind in allowed:
            return None
        return (
            f"Incorrect operand type for operator or function; operator: {section}, "
            f"operand type: {_LONG_NAMES[kind]}, typeSet: ALLOWED_FOR_{section}_OPERAND"
        )

    return check


def conjuncts(node: Condition) -> Iterator[Condition]:
    """The conditions that are joined by AND, from left to right."""
    if isinstance(node, Both):
        yield from conjuncts(node.left)
        yield from conjuncts(node.right)
    else:
        yield node
