"""Parses update expressions.

update  = { SET set {"," set} | REMOVE path {"," path}
          | ADD path :value {...} | DELETE path :value {...} }
set     = path "=" sum
sum     = operand [ ("+" | "-") operand ]
operand = path | :value | function | "(" sum ")"
"""

from __future__ import annotations

from lambent.services.dynamodb.expressions.lexer import END
from lambent.services.dynamodb.expressions.parser import UPDATE_FUNCTIONS, Parser, is_value
from lambent.services.dynamodb.expressions.tree import (
    Action,
    Arithmetic,
    Operand,
    PathNode,
    Update,
    ValueNode,
)

_SECTIONS = frozenset({"SET", "REMOVE", "ADD", "DELETE"})


class UpdateParser(Parser):
    """Parses one update."""

    allowed_functions = UPDATE_FUNCTIONS
    not_allowed = "The function is not allowed in an update expression; function: "

    def parse(self) -> Update:
        """The whole text as one update."""
        actions: list[Action] = []
        seen: set[str] = set()
        while self.token.kind is not END:
            section = self.token.keyword
            if section not in _SECTIONS:
                raise self.fail()
            if section in seen:
                self.fault(
                    "section",
                    f'The "{section}" section can only be used once in an update expression;',
                )
            seen.add(section)
            self.index += 1
            actions.append(self._action(section))
            while self.take(","):
                actions.append(self._action(section))
        self.raise_faults()
        return tuple(actions)

    def _action(self, section: str) -> Action:
        self.operators += 1
        path = self.path()
        if section == "REMOVE":
            return Action(section, path, None)
        if section == "SET":
            self.expect("=")
            return Action(section, path, self._sum())
        if not is_value(self.token):
            raise self.fail()
        self.index += 1
        return Action(section, path, ValueNode(self.tokens[self.index - 1].text))

    def _sum(self) -> Operand:
        left = self.argument()
        operator = self.token.text
        if operator not in ("+", "-"):
            return left
        self.index += 1
        self.operators += 1
        return Arithmetic(operator, left, self.argument())

    def argument(self) -> Operand:
        """One operand of SET."""
        token = self.token
        if is_value(token):
            self.index += 1
            return ValueNode(token.text)
        if token.text == "(":
            self.index += 1
            self.open()
            redundant = self.token.text == "("
            inner = self._sum()
            self.expect(")")
            self.nesting -= 1
            if redundant and self.tokens[self.index - 2].text == ")":
                self.fault("parentheses", "The expression has redundant parentheses;")
            return inner
        if self.at_function():
            return self.call(as_operand=True)
        return PathNode(self.path())
