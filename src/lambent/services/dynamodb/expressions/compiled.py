"""Expressions ready for use: parsed once by text, bound once by text and names.

Applications send the same few expressions over and over with other values, so both steps
are remembered; per request only the values are looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lambent.services.dynamodb.errors import invalid
from lambent.services.dynamodb.expressions.binding import Binder
from lambent.services.dynamodb.expressions.conditions import ConditionParser
from lambent.services.dynamodb.expressions.evaluation import Test, tester
from lambent.services.dynamodb.expressions.operands import Check, Values
from lambent.services.dynamodb.expressions.paths import Projector, overlap
from lambent.services.dynamodb.expressions.projections import ProjectionParser
from lambent.services.dynamodb.expressions.tree import (
    Action,
    Condition,
    Path,
    Projection,
    Update,
)
from lambent.services.dynamodb.expressions.updates import UpdateParser

Names = tuple[tuple[str, str], ...]
"""ExpressionAttributeNames in a form that can be a cache's key."""

_CACHE = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """What all kinds of expression have: what they use, and what they ask of the values.

    Compared by identity, so that what is worked out from one can be cached by it.
    """

    kind: str
    names: frozenset[str]
    values: tuple[str, ...]
    faults: tuple[str, ...]
    checks: tuple[Check, ...]
    attributes: frozenset[str]

    def check(self, values: Values) -> None:
        """Raise the ValidationException that these values cause, if any."""
        for name in self.values:
            if name not in values:
                raise self.error(
                    "An expression attribute value used in expression is not defined; "
                    f"attribute value: {name}"
                )
        for fault in self.faults:
            raise self.error(fault)
        for check in self.checks:
            if (found := check(values)) is not None:
                raise self.error(found)

    def error(self, message: str) -> Exception:
        """The ValidationException for a fault in this expression."""
        return invalid(f"Invalid {self.kind}: {message}")


@dataclass(frozen=True, slots=True, eq=False)
class CompiledCondition(Compiled):
    """A condition: its bound tree, and `test(item, values)`."""

    tree: Condition
    nested: frozenset[str]
    test: Test


@dataclass(frozen=True, slots=True, eq=False)
class CompiledUpdate(Compiled):
    """An update: its bound clauses, and a projector for the attributes it touches."""

    actions: tuple[Action, ...]
    touched: Projector


@dataclass(frozen=True, slots=True, eq=False)
class CompiledProjection(Compiled):
    """A projection: its bound paths, and `project(item)`."""

    paths: tuple[Path, ...]
    project: Projector


@lru_cache(_CACHE)
def _parse_condition(kind: str, text: str) -> Condition:
    return ConditionParser(kind, text).parse()


@lru_cache(_CACHE)
def _parse_update(text: str) -> Update:
    return UpdateParser("UpdateExpression", text).parse()


@lru_cache(_CACHE)
def _parse_projection(text: str) -> Projection:
    return ProjectionParser("ProjectionExpression", text).parse()


@lru_cache(_CACHE)
def condition(kind: str, text: str, names: Names) -> CompiledCondition:
    """Compile a condition; `kind` is the parameter's name, for messages."""
    return condition_of(kind, _parse_condition(kind, text), dict(names))


def condition_of(kind: str, tree: Condition, names: Mapping[str, str]) -> CompiledCondition:
    """Compile a condition's syntax tree."""
    binder = Binder(kind, names)
    bound = binder.condition(tree)
    return CompiledCondition(
        **_common(binder),
        tree=bound,
        nested=frozenset(binder.nested),
        test=tester(bound) if not binder.faults else lambda item, values: False,
    )


@lru_cache(_CACHE)
def update(text: str, names: Names) -> CompiledUpdate:
    """Compile an update expression."""
    return update_of(_parse_update(text), dict(names))


def update_of(actions: Iterable[Action], names: Mapping[str, str]) -> CompiledUpdate:
    """Compile an update's clauses."""
    binder = Binder("UpdateExpression", names)
    bound = tuple(binder.action(action) for action in actions)
    paths = [action.path for action in bound]
    if paths and (fault := overlap(paths)) is not None:
        binder.checks.append(lambda values: fault)
    return CompiledUpdate(**_common(binder), actions=bound, touched=Projector(paths))


@lru_cache(_CACHE)
def projection(text: str, names: Names) -> CompiledProjection:
    """Compile a projection expression."""
    binder = Binder("ProjectionExpression", dict(names))
    paths = tuple(binder.path(path) for path in _parse_projection(text))
    if (fault := overlap(paths)) is not None:
        binder.checks.append(lambda values: fault)
    return CompiledProjection(**_common(binder), paths=paths, project=Projector(paths))


def _common(binder: Binder) -> dict[str, Any]:
    return {
        "kind": binder.kind,
        "names": frozenset(binder.used_names),
        "values": tuple(binder.used_values),
        "faults": tuple(binder.faults),
        "checks": tuple(binder.checks),
        "attributes": frozenset(binder.attributes),
    }
