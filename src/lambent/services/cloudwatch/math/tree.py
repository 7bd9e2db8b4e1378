"""Metric math as a tree, and the parser that makes it.

Source: CloudWatch User Guide, "Metric math syntax and functions". Operators from the loosest:
OR ||, AND &&, comparisons, + -, * /, ^, a sign. Text stands in single or double quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final


class Broken(Exception):
    """An expression that cannot be understood or evaluated; the message says why."""


@dataclass(frozen=True, slots=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted text."""

    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """The id of another query, or a word such as REPEAT."""

    value: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function's name and arguments."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """Two operands and what stands between them."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Several:
    """An array: `[m1, m2]`."""

    parts: tuple[Node, ...]


Node = Number | Text | Name | Call | Operation | Several

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+)|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<text>'[^']*'|\"[^\"]*\")|(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/^<>(),\[\]]))"
)
_LEVELS: Final = (
    ("OR", "||"),
    ("AND", "&&"),
    ("==", "!=", "<=", ">=", "<", ">"),
    ("+", "-"),
    ("*", "/"),
)
_DEEPEST: Final = 60


def parse(expression: str) -> Node:
    """The tree of an expression; Broken when it is not one."""
    return _Parser(_tokens(expression)).whole()


def names(node: Node) -> set[str]:
    """The ids that a tree refers to."""
    return {one.value for one in _nodes(node) if isinstance(one, Name)}


def calls(node: Node, function: str) -> list[Call]:
    """The calls of a function in a tree."""
    return [one for one in _nodes(node) if isinstance(one, Call) and one.function == function]


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    children: tuple[Node, ...] = ()
    if isinstance(node, Call):
        children = node.arguments
    elif isinstance(node, Operation):
        children = (node.left, node.right)
    elif isinstance(node, Several):
        children = node.parts
    for child in children:
        yield from _nodes(child)


def _tokens(expression: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at = 0
    text = expression.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise Broken(f"Unexpected character {text[at:].lstrip()[:1]!r}.")
        found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._level(0)
        if self._at < len(self._tokens):
            raise Broken(f"Unexpected {self._tokens[self._at][1]!r}.")
        return node

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _take(self, wanted: str) -> None:
        if self._peek() != wanted:
            raise Broken(f"{wanted!r} is missing.")
        self._at += 1

    def _level(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._power()
        node = self._level(level + 1)
        while self._peek().upper() in _LEVELS[level]:
            operator = self._peek().upper()
            self._at += 1
            operator = {"||": "OR", "&&": "AND"}.get(operator, operator)
            node = Operation(operator, node, self._level(level + 1))
        return node

    def _power(self) -> Node:
        node = self._signed()
        if self._peek() == "^":
            self._at += 1
            node = Operation("^", node, self._power())
        return node

    def _signed(self) -> Node:
        if self._peek() in ("-", "+"):
            sign = self._peek()
            self._at += 1
            node = self._signed()
            if isinstance(node, Number):
                return Number(-node.value if sign == "-" else node.value)
            return node if sign == "+" else Operation("-", Number(0.0), node)
        return self._one()

    def _one(self) -> Node:
        if self._at >= len(self._tokens):
            raise Broken("The expression ends too early.")
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Broken("The expression nests too deep.")
        kind, text = self._tokens[self._at]
        self._at += 1
        node: Node
        if kind == "number":
            node = Number(float(text))
        elif kind == "text":
            node = Text(text[1:-1])
        elif kind == "word" and self._peek() == "(":
            self._at += 1
            node = Call(text.upper(), self._list(")"))
        elif kind == "word":
            node = Name(text)
        elif text == "(":
            node = self._level(0)
            self._take(")")
        elif text == "[":
            node = Several(self._list("]"))
        else:
            raise Broken(f"Unexpected {text!r}.")
        self._depth -= 1
        return node

    def _list(self, end: str) -> tuple[Node, ...]:
        parts: list[Node] = []
        while self._peek() != end:
            if parts:
                self._take(",")
            parts.append(self._level(0))
        self._at += 1
        return tuple(parts)
