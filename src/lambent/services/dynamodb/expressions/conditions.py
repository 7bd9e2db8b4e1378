"""Parses condition, filter and key condition expressions.

    condition  = and { OR and }
    and        = not { AND not }
    not        = NOT not | comparison
    comparison = primary [ comparator primary | BETWEEN primary AND primary
                         | IN "(" operand { "," operand } ")" ]
    primary    = "(" condition ")" | function | path | :value

A parenthesis may hold a condition or an operand, which is known only once it is read; so
a primary may be either, and each place asks for the one it needs.
"""

from __future__ import annotations

from lambent.services.dynamodb.expressions.parser import (
    CONDITION_FUNCTIONS,
    OPERAND_FUNCTIONS,
    Parser,
    is_value,
)
from lambent.services.dynamodb.expressions.tree import (
    Between,
    Both,
    Comparison,
    Condition,
    Either,
    Function,
    Literal,
    Negation,
    Operand,
    PathNode,
    ValueNode,
    Within,
)

_COMPARATORS = frozenset({"=", "<>", "<", "<=", ">", ">="})


class ConditionParser(Parser):
    """Parses one condition."""

    allowed_functions = CONDITION_FUNCTIONS | OPERAND_FUNCTIONS

    def parse(self) -> Condition:
        """The whole text as one condition."""
        condition = self._condition(self._either())
        self.expect_end()
        self.raise_faults()
        return condition

    def _either(self) -> Condition | Operand:
        left = self._both()
        while self.token.keyword == "OR":
            left = self._condition(left)
            self.index += 1
            self.operators += 1
            left = Either(left, self._condition(self._both()))
        return left

    def _both(self) -> Condition | Operand:
        left = self._not()
        while self.token.keyword == "AND":
            left = self._condition(left)
            self.index += 1
            self.operators += 1
            left = Both(left, self._condition(self._not()))
        return left

    def _not(self) -> Condition | Operand:
        if self.take("NOT"):
            self.operators += 1
            return Negation(self._condition(self._not()))
        return self._comparison()

    def _comparison(self) -> Condition | Operand:
        left = self._primary()
        token = self.token
        if token.text in _COMPARATORS:
            left = self._operand(left)
            self.index += 1
            self.operators += 1
            return Comparison(token.text, left, self._operand(self._primary()))
        if token.keyword == "BETWEEN":
            left = self._operand(left)
            self.index += 1
            self.operators += 1
            low = self._operand(self._primary())
            self.expect("AND")
            return Between(left, low, self._operand(self._primary()))
        if token.keyword == "IN":
            left = self._operand(left)
            self.index += 1
            self.operators += 1
            self.expect("(")
            choices = [self._operand(self._primary())]
            while self.take(","):
                choices.append(self._operand(self._primary()))
            self.expect(")")
            return Within(left, tuple(choices))
        return left

    def _primary(self) -> Condition | Operand:
        token = self.token
        if token.text == "(":
            return self._parenthesised()
        if self.at_function():
            return self.call(as_operand=False)
        if is_value(token):
            self.index += 1
            return ValueNode(token.text)
        return PathNode(self.path())

    def _parenthesised(self) -> Condition | Operand:
        self.index += 1
        self.open()
        opened_twice = self.token.text == "("
        start = self.index
        inner = self._either()
        closed_by = self.index - 1
        self.expect(")")
        self.nesting -= 1
        # "((...))" is redundant, "((a) OR (b))" is not: the inner pair must be all there is.
        if opened_twice and self._closes(start) == closed_by:
            self.fault("parentheses", "The expression has redundant parentheses;")
        return inner

    def _closes(self, opening: int) -> int:
        depth = 0
        for index in range(opening, len(self.tokens)):
            text = self.tokens[index].text
            depth += (text == "(") - (text == ")")
            if depth == 0:
                return index
        return -1

    def _condition(self, node: Condition | Operand) -> Condition:
        """The node where a condition must stand; a path or a value is a syntax error."""
        if isinstance(node, Function):
            if node.name in OPERAND_FUNCTIONS:
                self._misused(node.name)
            return node
        if isinstance(node, Comparison | Between | Within | Both | Either | Negation):
            return node
        raise self.fail()

    def _operand(self, node: Condition | Operand) -> Operand:
        """The node where an operand must stand; a condition there is a syntax error."""
        if isinstance(node, Function):
            if node.name in CONDITION_FUNCTIONS:
                self._misused(node.name)
            return node
        if isinstance(node, PathNode | ValueNode | Literal):
            return node
        raise self.fail()

    def _misused(self, name: str) -> None:
        self.fault(
            "misused",
            f"The function is not allowed to be used this way in an expression; function: {name}",
        )

    def argument(self) -> Operand:
        """A path, a value, or `size(...)`."""
        return self._operand(self._primary())
