"""The syntax tree of expressions.

Paths are made of raw parts as written: names, `#placeholders` and list indexes. Binding
(see `bind`) puts the request's names in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PathPart = str | int
Path = tuple[PathPart, ...]


@dataclass(frozen=True, slots=True)
class PathNode:
    """A document path: `a.b[1].#c`."""

    path: Path


@dataclass(frozen=True, slots=True)
class ValueNode:
    """A value placeholder, with its colon."""

    name: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that stands in the tree itself (from legacy conditions and PartiQL)."""

    value: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Function:
    """A function call, as a condition (`contains`) or as an operand (`size`)."""

    name: str
    arguments: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`left + right` or `left - right`, in SET alone."""

    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left < right`; operators are = <> < <= > >=."""

    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class Between:
    """`operand BETWEEN low AND high`."""

    operand: Operand
    low: Operand
    high: Operand


@dataclass(frozen=True, slots=True)
class Within:
    """`operand IN (choices)`."""

    operand: Operand
    choices: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Both:
    """`left AND right`."""

    left: Condition
    right: Condition


@dataclass(frozen=True, slots=True)
class Either:
    """`left OR right`."""

    left: Condition
    right: Condition


@dataclass(frozen=True, slots=True)
class Negation:
    """`NOT condition`."""

    condition: Condition


Operand = PathNode | ValueNode | Literal | Function | Arithmetic
Condition = Comparison | Between | Within | Both | Either | Negation | Function


@dataclass(frozen=True, slots=True)
class Action:
    """One clause of an update. `operand` is None for REMOVE."""

    section: str
    path: Path
    operand: Operand | None


Update = tuple[Action, ...]
Projection = tuple[Path, ...]


def show(path: Path) -> str:
    """A path as AWS shows it in messages: `[a, [1], b]`."""
    return "[" + ", ".join(f"[{part}]" if isinstance(part, int) else part for part in path) + "]"
