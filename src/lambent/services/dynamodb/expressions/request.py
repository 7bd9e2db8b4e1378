"""The expression parameters of one request, and the rules that span them.

Placeholders must be well formed, defined where they are used and used where they are
defined, and old-style parameters must not be mixed with expressions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from lambent.core.errors import AwsError
from lambent.services.dynamodb.errors import invalid
from lambent.services.dynamodb.expressions import compiled
from lambent.services.dynamodb.expressions.compiled import (
    Compiled,
    CompiledCondition,
    CompiledProjection,
    CompiledUpdate,
    Names,
)
from lambent.services.dynamodb.values import AttributeValue, clean

_NAME = re.compile(r"#[A-Za-z0-9_]+\Z")
_VALUE = re.compile(r":[A-Za-z0-9_]+\Z")


def check_mixing(params: Mapping[str, Any], old: Iterable[str], new: Iterable[str]) -> None:
    """Refuse old-style parameters beside expressions."""
    used_old = [name for name in old if params.get(name) is not None]
    if not used_old:
        return
    used_new = [name for name in new if params.get(name) is not None]
    if used_new:
        raise invalid(
            "Can not use both expression and non-expression parameters in the same request: "
            f"Non-expression parameters: {{{', '.join(used_old)}}} "
            f"Expression parameters: {{{', '.join(used_new)}}}"
        )


def _refuse_without_expressions(
    params: Mapping[str, Any], names: object, values: object, kinds: tuple[str, ...]
) -> None:
    if names is not None and all(params.get(kind) is None for kind in kinds):
        raise invalid("ExpressionAttributeNames can only be specified when using expressions")
    kinds = tuple(kind for kind in kinds if kind != "ProjectionExpression")
    if values is not None and all(params.get(kind) is None for kind in kinds):
        verb = "is" if len(kinds) == 1 else "are"
        reason = f": {' and '.join(kinds)} {verb} null" if kinds else ""
        raise invalid(
            f"ExpressionAttributeValues can only be specified when using expressions{reason}"
        )


class Expressions:
    """A request's expressions over its placeholders. Made per request; holds what was used."""

    __slots__ = ("_names", "_names_key", "_used_names", "_used_values", "values")

    def __init__(self, params: Mapping[str, Any], kinds: tuple[str, ...]) -> None:
        """`kinds` are the expression parameters that the operation has."""
        names: Mapping[str, str] | None = params.get("ExpressionAttributeNames")
        values: Mapping[str, AttributeValue] | None = params.get("ExpressionAttributeValues")
        self._names: Mapping[str, str] = names or {}
        self._names_key: Names = tuple(names.items()) if names else ()
        self.values: dict[str, AttributeValue] = {}
        self._used_names: set[str] = set()
        self._used_values: set[str] = set()
        if names is None and values is None:
            return
        _refuse_without_expressions(params, names, values, kinds)
        if names is not None:
            self._check_names(names)
        if values is not None:
            self._take_values(values)

    def _check_names(self, names: Mapping[str, str]) -> None:
        if not names:
            raise invalid("ExpressionAttributeNames must not be empty")
        for name in names:
            if not _NAME.match(name):
                raise invalid(
                    f'ExpressionAttributeNames contains invalid key: Syntax error; key: "{name}"'
                )

    def _take_values(self, values: Mapping[str, AttributeValue]) -> None:
        if not values:
            raise invalid("ExpressionAttributeValues must not be empty")
        for name, value in values.items():
            if not _VALUE.match(name):
                raise invalid(
                    f'ExpressionAttributeValues contains invalid key: Syntax error; key: "{name}"'
                )
            try:
                self.values[name] = clean(value)
            except AwsError as error:
                raise invalid(
                    f"ExpressionAttributeValues contains invalid value: {error.message} "
                    f"for key {name}"
                ) from None

    def _use(self, expression: Compiled) -> None:
        self._used_names |= expression.names
        self._used_values.update(expression.values)
        expression.check(self.values)

    def condition(self, kind: str, text: str | None) -> CompiledCondition | None:
        """The condition in `text`, checked against the values; None without text."""
        if text is None:
            return None
        expression = compiled.condition(kind, text, self._names_key)
        self._use(expression)
        return expression

    def update(self, text: str | None) -> CompiledUpdate | None:
        """The update in `text`, checked against the values; None without text."""
        if text is None:
            return None
        expression = compiled.update(text, self._names_key)
        self._use(expression)
        return expression

    def projection(self, text: str | None) -> CompiledProjection | None:
        """The projection in `text`; None without text."""
        if text is None:
            return None
        expression = compiled.projection(text, self._names_key)
        self._use(expression)
        return expression

    def finish(self) -> None:
        """Refuse placeholders that nothing used."""
        if len(self._used_names) != len(self._names):
            unused = [name for name in self._names if name not in self._used_names]
            raise invalid(
                "Value provided in ExpressionAttributeNames unused in expressions: "
                f"keys: {{{', '.join(unused)}}}"
            )
        if len(self._used_values) != len(self.values):
            unused = [name for name in self.values if name not in self._used_values]
            raise invalid(
                "Value provided in ExpressionAttributeValues unused in expressions: "
                f"keys: {{{', '.join(unused)}}}"
            )
