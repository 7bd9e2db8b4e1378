"""From statements to plans: which item a WHERE clause names, and what else it demands."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

from lambent.services.dynamodb.errors import invalid
from lambent.services.dynamodb.expressions import compiled
from lambent.services.dynamodb.expressions.binding import conjuncts
from lambent.services.dynamodb.expressions.compiled import CompiledCondition
from lambent.services.dynamodb.expressions.tree import (
    Between,
    Both,
    Comparison,
    Condition,
    Function,
    Literal,
    Operand,
    PathNode,
    Within,
)
from lambent.services.dynamodb.key_conditions import KeyTest
from lambent.services.dynamodb.model import KeySchema, Table
from lambent.services.dynamodb.partiql.statements import Delete, Exists, Insert, Update
from lambent.services.dynamodb.values import MAX_ITEM, AttributeValue, Item, item_size
from lambent.services.dynamodb.writes import Check, Plan, Put
from lambent.services.dynamodb.writes import Delete as DeletePlan
from lambent.services.dynamodb.writes import Update as UpdatePlan

_FLIPPED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def compile_all(conditions: Sequence[Condition]) -> CompiledCondition | None:
    """The conditions joined by AND; None when there are none."""
    if not conditions:
        return None
    tree = reduce(lambda left, right: Both(left, right), conditions)
    condition = compiled.condition_of("WhereClause", tree, {})
    condition.check({})
    return condition


class Named(NamedTuple):
    """The key that a WHERE clause names, and its other conditions."""

    key: Item
    rest: list[Condition]


def named_item(where: Condition, schema: KeySchema) -> Named | None:
    """Equalities on all key attributes give the key; None when one is not there."""
    key: Item = {}
    rest: list[Condition] = []
    for condition in conjuncts(where):
        found = comparison(condition)
        if (
            found is not None
            and found[1].operator == "="
            and found[0] in schema.attributes
            and found[0] not in key
        ):
            key[found[0]] = found[1].operands[0]
        else:
            rest.append(condition)
    return Named(key, rest) if len(key) == len(schema.attributes) else None


def _must_name(where: Condition, schema: KeySchema) -> Named:
    named = named_item(where, schema)
    if named is None:
        raise invalid("Where clause does not contain a mandatory equality on all key attributes")
    return named


def comparison(condition: Condition) -> tuple[str, KeyTest] | None:
    """A comparison of one attribute with literals, as a test of a key; None if it is none."""
    operands: tuple[Operand, ...]
    if isinstance(condition, Comparison) and condition.operator in _FLIPPED:
        operator, operands = condition.operator, (condition.left, condition.right)
        if isinstance(condition.right, PathNode):
            operator, operands = _FLIPPED[operator], (condition.right, condition.left)
    elif isinstance(condition, Between):
        operator = "BETWEEN"
        operands = (condition.operand, condition.low, condition.high)
    elif isinstance(condition, Function) and condition.name == "begins_with":
        operator, operands = "begins_with", condition.arguments
    else:
        return None
    name = _attribute(operands[0])
    literals = [operand.value for operand in operands[1:] if isinstance(operand, Literal)]
    if name is None or len(literals) != len(operands) - 1:
        return None
    return name, KeyTest(operator, literals)


def _attribute(operand: Operand) -> str | None:
    if isinstance(operand, PathNode) and len(operand.path) == 1:
        return str(operand.path[0])
    return None


def choices(condition: Condition, name: str) -> list[AttributeValue] | None:
    """The values that `name = x` or `name IN (...)` allows; None for other conditions."""
    found = comparison(condition)
    if found is not None and found[0] == name and found[1].operator == "=":
        return [found[1].operands[0]]
    if isinstance(condition, Within) and _attribute(condition.operand) == name:
        literals = [each.value for each in condition.choices if isinstance(each, Literal)]
        if len(literals) == len(condition.choices):
            return [each for at, each in enumerate(literals) if each not in literals[:at]]
    return None


def plan(
    statement: Insert | Update | Delete | Exists, table: Table, *, give_old: bool = False
) -> Plan:
    """A writing statement (or a check) as a plan.

    `give_old` when a failed condition is to give the item as it is.
    """
    hash_path = (PathNode((table.key.hash,)),)
    if isinstance(statement, Insert):
        absent = compile_all([Function("attribute_not_exists", hash_path)])
        size = item_size(statement.item)
        if size > MAX_ITEM:
            raise invalid("Item size has exceeded the maximum allowed size")
        return Put(statement.item, absent, {}, give_old, size)
    there = Function("attribute_exists", hash_path)
    if isinstance(statement, Exists):
        if statement.select.where is None:
            raise invalid(
                "Where clause does not contain a mandatory equality on all key attributes"
            )
        named = _must_name(statement.select.where, table.key)
        return Check(named.key, compile_all([there, *named.rest]), {}, give_old)
    named = _must_name(statement.where, table.key)
    if isinstance(statement, Delete):
        return DeletePlan(named.key, compile_all(named.rest), {}, give_old)
    update = compiled.update_of(statement.actions, {})
    update.check({})
    return UpdatePlan(named.key, compile_all([there, *named.rest]), {}, give_old, update, {})
