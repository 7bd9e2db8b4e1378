"""PutItem, UpdateItem, DeleteItem and ConditionCheck as plans.

A plan is made of a request before the store is asked (all that is wrong with the request
alone is found then), and is carried out inside a transaction; so single writes and the
members of a TransactWriteItems share everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambent.services.dynamodb import capacity, keys, legacy
from lambent.services.dynamodb.changes import Stored, apply_change, read_item
from lambent.services.dynamodb.errors import condition_failed, invalid, invalid_parameter
from lambent.services.dynamodb.expressions.application import apply_update
from lambent.services.dynamodb.expressions.compiled import CompiledCondition, CompiledUpdate
from lambent.services.dynamodb.expressions.operands import Values
from lambent.services.dynamodb.expressions.paths import Projector
from lambent.services.dynamodb.expressions.request import Expressions, check_mixing
from lambent.services.dynamodb.keys import StoreKey
from lambent.services.dynamodb.model import Table
from lambent.services.dynamodb.statistics import Statistics
from lambent.services.dynamodb.values import (
    MAX_ITEM,
    Item,
    clean_item,
    item_size,
)
from lambent.store.contract import Transaction

_NOTHING: Item = {}


@dataclass(frozen=True, slots=True)
class Change:
    """What a plan did: the images before and after."""

    old: Item | None
    new: Item | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A write that was found sound as a request. `item` is a put's item or else the key."""

    item: Item
    condition: CompiledCondition | None
    values: Values
    return_old_on_failure: bool

    def locate(self, table: Table) -> StoreKey:
        """Where the item lies; ValidationException when it does not fit the table."""
        keys.check_key(table.key, self.item)
        return keys.store_key(table.key, self.item)

    def desired(self, table: Table, old: Stored | None) -> Stored | None:
        """The item after the write; None when there is none."""
        raise NotImplementedError

    def check(self, old: Stored | None) -> None:
        """Raise ConditionalCheckFailedException when the condition does not hold."""
        condition = self.condition
        if condition is None or condition.test(old.item if old else _NOTHING, self.values):
            return
        raise condition_failed(old.item if old and self.return_old_on_failure else None)

    async def run(
        self,
        tx: Transaction,
        table: Table,
        key: StoreKey,
        statistics: Statistics,
        meter: capacity.Meter,
        *,
        factor: int = 1,
    ) -> Change:
        """Check the condition and make the change."""
        old = await read_item(tx, table, key)
        self.check(old)
        new = self.desired(table, old)
        await apply_change(tx, table, key, old, new, statistics, meter, factor=factor)
        return Change(old.item if old else None, new.item if new else None)


@dataclass(frozen=True, slots=True)
class Put(Plan):
    """Replaces the whole item, which counts for `size` bytes."""

    size: int

    def locate(self, table: Table) -> StoreKey:
        keys.check_item(table, self.item)
        return keys.store_key(table.key, self.item)

    def desired(self, table: Table, old: Stored | None) -> Stored | None:
        return Stored(self.item, self.size)


class Delete(Plan):
    """Removes the item."""

    __slots__ = ()

    def desired(self, table: Table, old: Stored | None) -> Stored | None:
        return None


class Check(Plan):
    """Leaves the item as it is (ConditionCheck)."""

    __slots__ = ()

    def desired(self, table: Table, old: Stored | None) -> Stored | None:
        return old


@dataclass(frozen=True, slots=True)
class Update(Plan):
    """Changes some attributes, by an expression or by AttributeUpdates."""

    update: CompiledUpdate | None
    old_style: legacy.Updates

    def locate(self, table: Table) -> StoreKey:
        keys.check_key(table.key, self.item)
        for name in table.key.attributes:
            if name in self.old_style or (
                self.update is not None
                and any(action.path[0] == name for action in self.update.actions)
            ):
                raise invalid_parameter(
                    f"Cannot update attribute {name}. This attribute is part of the key"
                )
        return keys.store_key(table.key, self.item)

    @property
    def touched(self) -> Projector:
        """Cuts an item down to what the update is about."""
        if self.update is not None:
            return self.update.touched
        return Projector((name,) for name in self.old_style)

    def desired(self, table: Table, old: Stored | None) -> Stored | None:
        base = old.item if old else self.item
        if self.update is not None:
            new = apply_update(self.update, base, self.values)
        else:
            new = legacy.apply_updates(self.old_style, base)
        self._check_indexes(table, base, new)
        size = item_size(new)
        if size > MAX_ITEM:
            raise invalid("Item size to update has exceeded the maximum allowed size")
        return Stored(new, size)

    def _check_indexes(self, table: Table, base: Item, new: Item) -> None:
        for index in table.indexes:
            schema = index.key
            if all(new.get(name) is base.get(name) for name in schema.attributes):
                continue
            if self.update is None:
                keys.check_index_key(index, new)
                continue
            for name, kind in (
                (schema.hash, schema.hash_type),
                (schema.range, schema.range_type),
            ):
                value = new.get(name)
                if value is None:
                    continue
                if kind not in value:
                    raise invalid(
                        "The update expression attempted to update the secondary index key to "
                        "unsupported type"
                    )
                if kind != "N" and not value[kind]:
                    word = "string" if kind == "S" else "binary"
                    raise invalid(
                        "The update expression attempted to update the secondary index key to a "
                        "value that is not supported. The AttributeValue for a key attribute "
                        f"cannot contain an empty {word} value."
                    )
            keys.check_index_key(index, new)


def plan_put(params: Mapping[str, Any], *, in_transaction: bool = False) -> Put:
    """A PutItem request's plan."""
    check_mixing(params, ("Expected", "ConditionalOperator"), ("ConditionExpression",))
    expressions = Expressions(params, ("ConditionExpression",))
    item = clean_item(params["Item"])
    if not in_transaction:
        _check_return_values(params)
    size = item_size(item)
    if size > MAX_ITEM:
        raise invalid("Item size has exceeded the maximum allowed size")
    return Put(item, *_condition(params, expressions), size)


def plan_delete(params: Mapping[str, Any], *, in_transaction: bool = False) -> Delete:
    """A DeleteItem request's plan."""
    check_mixing(params, ("Expected", "ConditionalOperator"), ("ConditionExpression",))
    expressions = Expressions(params, ("ConditionExpression",))
    key = clean_item(params["Key"])
    if not in_transaction:
        _check_return_values(params)
    return Delete(key, *_condition(params, expressions))


def plan_check(params: Mapping[str, Any]) -> Check:
    """A ConditionCheck's plan."""
    expressions = Expressions(params, ("ConditionExpression",))
    return Check(clean_item(params["Key"]), *_condition(params, expressions))


def plan_update(params: Mapping[str, Any]) -> Update:
    """An UpdateItem request's plan."""
    check_mixing(
        params,
        ("AttributeUpdates", "Expected", "ConditionalOperator"),
        ("UpdateExpression", "ConditionExpression"),
    )
    expressions = Expressions(params, ("UpdateExpression", "ConditionExpression"))
    key = clean_item(params["Key"])
    old_style = legacy.attribute_updates(params.get("AttributeUpdates") or {})
    condition = legacy.expected(params)
    update = expressions.update(params.get("UpdateExpression"))
    if condition is None:
        condition = expressions.condition("ConditionExpression", params.get("ConditionExpression"))
    expressions.finish()
    return Update(key, condition, expressions.values, _wants_old(params), update, old_style)


def _check_return_values(params: Mapping[str, Any]) -> None:
    if params.get("ReturnValues") not in (None, "NONE", "ALL_OLD"):
        raise invalid("ReturnValues can only be ALL_OLD or NONE")


def _wants_old(params: Mapping[str, Any]) -> bool:
    return params.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"


def _condition(
    params: Mapping[str, Any], expressions: Expressions
) -> tuple[CompiledCondition | None, Values, bool]:
    condition = legacy.expected(params)
    if condition is None:
        condition = expressions.condition("ConditionExpression", params.get("ConditionExpression"))
    expressions.finish()
    return condition, expressions.values, _wants_old(params)
