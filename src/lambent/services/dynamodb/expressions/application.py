"""Applies a compiled update to an item.

All operands are read from the item as it was; then the clauses write. Containers along a
written path are copied, so the old image stays as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambent.services.dynamodb import numbers
from lambent.services.dynamodb.errors import invalid
from lambent.services.dynamodb.expressions.compiled import CompiledUpdate
from lambent.services.dynamodb.expressions.operands import Values
from lambent.services.dynamodb.expressions.paths import lookup
from lambent.services.dynamodb.expressions.tree import (
    Arithmetic,
    Function,
    Literal,
    Operand,
    Path,
    PathNode,
    ValueNode,
)
from lambent.services.dynamodb.values import AttributeValue, Item, kind_of

_WRONG_TYPE = "An operand in the update expression has an incorrect data type"
_NO_ATTRIBUTE = "The provided expression refers to an attribute that does not exist in the item"
_BAD_PATH = "The document path provided in the update expression is invalid for update"


def apply_update(
    update: CompiledUpdate, item: Mapping[str, AttributeValue], values: Values
) -> Item:
    """The item after the update; ValidationException when a clause cannot be carried out."""
    writes: list[tuple[Path, AttributeValue]] = []
    removals: list[Path] = []
    for action in update.actions:
        path = action.path
        if action.operand is None:
            removals.append(path)
            continue
        if action.section == "SET":
            writes.append((path, _evaluate(action.operand, item, values)))
            continue
        operand = _evaluate(action.operand, item, values)
        present = lookup(item, path)
        if action.section == "ADD":
            writes.append((path, operand if present is None else added(present, operand)))
        elif present is not None:
            rest = without(present, operand)
            if rest is None:
                removals.append(path)
            else:
                writes.append((path, rest))
        elif len(path) > 1:
            _check_parent(item, path)
    return _Writer(item).write(writes, removals)


def _evaluate(
    operand: Operand, item: Mapping[str, AttributeValue], values: Values
) -> AttributeValue:
    if isinstance(operand, ValueNode):
        return values[operand.name]
    if isinstance(operand, Literal):
        return operand.value
    if isinstance(operand, PathNode):
        value = lookup(item, operand.path)
        if value is None:
            raise invalid(_NO_ATTRIBUTE)
        return value
    if isinstance(operand, Arithmetic):
        left = _evaluate(operand.left, item, values)
        right = _evaluate(operand.right, item, values)
        if "N" not in left or "N" not in right:
            raise invalid(_WRONG_TYPE)
        compute = numbers.add if operand.operator == "+" else numbers.subtract
        return {"N": compute(left["N"], right["N"])}
    return _call(operand, item, values)


def _call(function: Function, item: Mapping[str, AttributeValue], values: Values) -> AttributeValue:
    first, second = function.arguments
    if function.name == "if_not_exists":
        present = lookup(item, first.path) if isinstance(first, PathNode) else None
        return present if present is not None else _evaluate(second, item, values)
    left, right = _evaluate(first, item, values), _evaluate(second, item, values)
    if "L" not in left or "L" not in right:
        raise invalid(_WRONG_TYPE)
    return {"L": left["L"] + right["L"]}


def added(present: AttributeValue, operand: AttributeValue) -> AttributeValue:
    """ADD: a sum of numbers, or a union of sets."""
    kind = kind_of(operand)
    if kind not in present:
        raise invalid(_WRONG_TYPE)
    if kind == "N":
        return {"N": numbers.add(present["N"], operand["N"])}
    return {kind: list(dict.fromkeys((*present[kind], *operand[kind])))}


def without(present: AttributeValue, operand: AttributeValue) -> AttributeValue | None:
    """DELETE: a difference of sets; None when nothing is left, as there are no empty sets."""
    kind = kind_of(operand)
    if kind not in present:
        raise invalid(_WRONG_TYPE)
    gone = set(operand[kind])
    rest = [member for member in present[kind] if member not in gone]
    return {kind: rest} if rest else None


def _check_parent(item: Mapping[str, AttributeValue], path: Path) -> None:
    parent = lookup(item, path[:-1])
    if parent is None or ("L" if isinstance(path[-1], int) else "M") not in parent:
        raise invalid(_BAD_PATH)


class _Writer:
    """Writes into a copy of an item; each container is copied once."""

    def __init__(self, item: Mapping[str, AttributeValue]) -> None:
        self._item: Item = dict(item)
        self._own: dict[Path, Any] = {}

    def write(self, writes: list[tuple[Path, AttributeValue]], removals: list[Path]) -> Item:
        # An index past a list's end appends; the lower index first, whatever was written first.
        appended = [(path, value) for path, value in writes if isinstance(path[-1], int)]
        for path, value in writes:
            if not isinstance(path[-1], int):
                self._container(path)[path[-1]] = value
        for path, value in sorted(appended, key=lambda each: int(each[0][-1])):
            elements = self._container(path)
            index = int(path[-1])
            if index < len(elements):
                elements[index] = value
            else:
                elements.append(value)
        for path in removals:
            container = self._container(path)
            if not isinstance(path[-1], int):
                container.pop(path[-1], None)
        # Indexes mean the list as it was, so the highest goes first.
        indexed = [path for path in removals if isinstance(path[-1], int)]
        for path in sorted(indexed, key=lambda each: int(each[-1]), reverse=True):
            elements = self._container(path)
            if int(path[-1]) < len(elements):
                del elements[int(path[-1])]
        return self._item

    def _container(self, path: Path) -> Any:
        """The copied map or list that holds the last part of `path`."""
        if len(path) == 1:
            return self._item
        container = self._copied(path[:-1])
        if isinstance(container, list) != isinstance(path[-1], int):
            raise invalid(_BAD_PATH)
        return container

    def _copied(self, path: Path) -> Any:
        known = self._own.get(path)
        if known is not None:
            return known
        holder = self._container(path)
        last = path[-1]
        if isinstance(last, int):
            value = holder[last] if last < len(holder) else None
        else:
            value = holder.get(last)
        if value is None or not ("M" in value or "L" in value):
            raise invalid(_BAD_PATH)
        kind = kind_of(value)
        copy = value[kind].copy()
        holder[last] = {kind: copy}
        self._own[path] = copy
        return copy
