"""Parses PartiQL statements; parameters take the places of `?` as they are met."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from lambent.services.dynamodb.errors import invalid
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
    PathPart,
    Within,
)
from lambent.services.dynamodb.partiql.statements import (
    Delete,
    Exists,
    Insert,
    Select,
    Statement,
    Update,
)
from lambent.services.dynamodb.values import AttributeValue, clean, clean_item, kind_of

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<quoted>"(?:[^"]|"")*")
      | (?P<text>'(?:[^']|'')*')
      | (?P<number>[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+)
      | (?P<symbol><<|>>|<>|!=|<=|>=|[=<>()\[\]{}.,:*?+;-])
      | (?P<bad>\S)
    )""",
    re.VERBOSE,
)
_COMPARATORS = {
    "=": "=",
    "<>": "<>",
    "!=": "<>",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
}
_CONDITIONS = frozenset({"begins_with", "contains", "attribute_type"})
_RETURNING = {
    ("ALL", "OLD"): "ALL_OLD",
    ("ALL", "NEW"): "ALL_NEW",
    ("MODIFIED", "OLD"): "UPDATED_OLD",
    ("MODIFIED", "NEW"): "UPDATED_NEW",
}
_MAX_NESTING = 64


class _Token(NamedTuple):
    kind: str
    text: str


def parse(text: str, parameters: Sequence[AttributeValue]) -> Statement:
    """The statement in `text`; ValidationException when it is not well formed."""
    parser = _Parser(text, parameters)
    statement = parser.statement()
    parser.take(";")
    parser.end()
    return statement


class _Parser:
    def __init__(self, text: str, parameters: Sequence[AttributeValue]) -> None:
        self._tokens = [
            _Token(str(match.lastgroup), match[match.lastgroup or ""])
            for match in _TOKEN.finditer(text)
        ]
        self._tokens.append(_Token("end", ""))
        self._index = 0
        self._parameters = [clean(value) for value in parameters]
        self._used = 0
        self._nesting = 0

    # The cursor ------------------------------------------------------------------------

    @property
    def _token(self) -> _Token:
        return self._tokens[self._index]

    def _fail(self) -> Exception:
        what = f"Unexpected term: {self._token.text}" if self._token.text else "Unexpected end"
        return invalid(f"Statement wasn't well formed, can't be processed: {what}")

    def _at(self, *words: str) -> bool:
        tokens = self._tokens[self._index : self._index + len(words)]
        return [token.text.upper() for token in tokens if token.kind == "word"] == list(words)

    def _word(self, *words: str) -> bool:
        if self._at(*words):
            self._index += len(words)
            return True
        return False

    def _expect_word(self, *words: str) -> None:
        if not self._word(*words):
            raise self._fail()

    def take(self, symbol: str) -> bool:
        """Go past the symbol if it is there."""
        if self._token == _Token("symbol", symbol):
            self._index += 1
            return True
        return False

    def _expect(self, symbol: str) -> None:
        if not self.take(symbol):
            raise self._fail()

    def end(self) -> None:
        """Nothing may follow, and every parameter must have been used."""
        if self._token.kind != "end":
            raise self._fail()
        if self._used != len(self._parameters):
            raise invalid("Number of parameters in request and statement don't match.")

    def _deeper(self) -> None:
        self._nesting += 1
        if self._nesting > _MAX_NESTING:
            raise invalid("Statement wasn't well formed, can't be processed: Nested too deeply")

    # Statements ------------------------------------------------------------------------

    def statement(self) -> Statement:
        """Any statement."""
        if self._word("SELECT"):
            return self._select()
        if self._word("INSERT", "INTO"):
            return self._insert()
        if self._word("UPDATE"):
            return self._update()
        if self._word("DELETE", "FROM"):
            table = self._name()
            self._expect_word("WHERE")
            where, returning = self._condition(), self._returning()
            if returning not in ("", "ALL_OLD"):
                raise invalid("DELETE can only be used with RETURNING ALL OLD *")
            return Delete(table, where, returning)
        if self._word("EXISTS"):
            self._expect("(")
            self._expect_word("SELECT")
            select = self._select()
            self._expect(")")
            return Exists(select)
        raise invalid(
            "Statement wasn't well formed, can't be processed: Expected data manipulation"
        )

    def _select(self) -> Select:
        paths: list[Path] | None = None
        if not self.take("*"):
            paths = [self._path()]
            while self.take(","):
                paths.append(self._path())
        self._expect_word("FROM")
        table = self._name()
        index = self._name() if self.take(".") else None
        where = self._condition() if self._word("WHERE") else None
        order: tuple[str, bool] | None = None
        if self._word("ORDER", "BY"):
            key = self._name()
            descending = self._word("DESC")
            if not descending:
                self._word("ASC")
            order = (key, descending)
        return Select(table, index, tuple(paths) if paths is not None else None, where, order)

    def _insert(self) -> Insert:
        table = self._name()
        self._expect_word("VALUE")
        value = self._literal()
        if "M" not in value:
            raise self._fail()
        return Insert(table, clean_item(value["M"]))

    def _update(self) -> Update:
        table = self._name()
        actions: list[Action] = []
        while True:
            if self._word("SET"):
                actions.append(self._assignment())
                while self.take(","):
                    actions.append(self._assignment())
            elif self._word("REMOVE"):
                actions.append(Action("REMOVE", self._path(), None))
                while self.take(","):
                    actions.append(Action("REMOVE", self._path(), None))
            else:
                break
        if not actions:
            raise self._fail()
        self._expect_word("WHERE")
        return Update(table, tuple(actions), self._condition(), self._returning())

    def _assignment(self) -> Action:
        path = self._path()
        self._expect("=")
        for name, section in (("SET_ADD", "ADD"), ("SET_DELETE", "DELETE")):
            if self._at(name):
                self._index += 1
                self._expect("(")
                if self._path() != path:
                    raise invalid(f"{name.lower()} must change the attribute that it is set to")
                self._expect(",")
                operand = Literal(self._literal())
                self._expect(")")
                return Action(section, path, operand)
        left = self._operand()
        for operator in ("+", "-"):
            if self.take(operator):
                return Action("SET", path, Arithmetic(operator, left, self._operand()))
        return Action("SET", path, left)

    def _returning(self) -> str:
        if not self._word("RETURNING"):
            return ""
        for words, value in _RETURNING.items():
            if self._word(*words):
                self._expect("*")
                return value
        raise self._fail()

    # Conditions ------------------------------------------------------------------------

    def _condition(self) -> Condition:
        left = self._both()
        while self._word("OR"):
            left = Either(left, self._both())
        return left

    def _both(self) -> Condition:
        left = self._not()
        while self._word("AND"):
            left = Both(left, self._not())
        return left

    def _not(self) -> Condition:
        self._deeper()
        try:
            if self._word("NOT"):
                return Negation(self._not())
            if self.take("("):
                inner = self._condition()
                self._expect(")")
                return inner
            return self._comparison()
        finally:
            self._nesting -= 1

    def _comparison(self) -> Condition:
        if self._token.kind == "word" and self._token.text.lower() in _CONDITIONS:
            return self._call()
        left = self._operand()
        if self._token.kind == "symbol" and self._token.text in _COMPARATORS:
            operator = _COMPARATORS[self._token.text]
            self._index += 1
            return Comparison(operator, left, self._operand())
        if self._word("BETWEEN"):
            low = self._operand()
            self._expect_word("AND")
            return Between(left, low, self._operand())
        if self._word("IN"):
            closing = "]" if self.take("[") else ")"
            if closing == ")":
                self._expect("(")
            choices = [self._operand()]
            while self.take(","):
                choices.append(self._operand())
            self._expect(closing)
            return Within(left, tuple(choices))
        if self._word("IS"):
            negated = self._word("NOT")
            if self._word("MISSING"):
                name = "attribute_exists" if negated else "attribute_not_exists"
                return Function(name, (left,))
            self._expect_word("NULL")
            is_null = Comparison("=", left, Literal({"NULL": True}))
            return Negation(is_null) if negated else is_null
        raise self._fail()

    def _call(self) -> Function:
        name = self._token.text.lower()
        self._index += 1
        self._expect("(")
        arguments = [self._operand()]
        while self.take(","):
            arguments.append(self._operand())
        self._expect(")")
        return Function(name, tuple(arguments))

    def _operand(self) -> Operand:
        token = self._token
        if token.kind == "word" and self._tokens[self._index + 1].text == "(":
            if token.text.lower() not in ("size", "list_append", "if_not_exists"):
                raise self._fail()
            self._deeper()
            call = self._call()
            self._nesting -= 1
            return call
        if token.kind == "quoted" or (
            token.kind == "word" and token.text.upper() not in ("TRUE", "FALSE", "NULL")
        ):
            return PathNode(self._path())
        return Literal(self._literal())

    # Names and values ------------------------------------------------------------------

    def _name(self) -> str:
        token = self._token
        if token.kind == "quoted":
            self._index += 1
            return token.text[1:-1].replace('""', '"')
        if token.kind == "word":
            self._index += 1
            return token.text
        raise self._fail()

    def _path(self) -> Path:
        parts: list[PathPart] = [self._name()]
        while True:
            if self.take("."):
                parts.append(self._name())
            elif self.take("["):
                token = self._token
                if token.kind != "number" or not token.text.isdigit():
                    raise self._fail()
                self._index += 1
                parts.append(int(token.text))
                self._expect("]")
            else:
                return tuple(parts)

    def _literal(self) -> AttributeValue:
        self._deeper()
        value = clean(self._raw_literal())
        self._nesting -= 1
        return value

    def _raw_literal(self) -> AttributeValue:
        token = self._token
        if self.take("?"):
            self._used += 1
            if self._used > len(self._parameters):
                raise invalid("Number of parameters in request and statement don't match.")
            return self._parameters[self._used - 1]
        if token.kind == "text":
            self._index += 1
            return {"S": token.text[1:-1].replace("''", "'")}
        if self.take("-"):
            number = self._token
            if number.kind != "number":
                raise self._fail()
            self._index += 1
            return {"N": "-" + number.text}
        if token.kind == "number":
            self._index += 1
            return {"N": token.text}
        for word, value in (
            ("TRUE", {"BOOL": True}),
            ("FALSE", {"BOOL": False}),
            ("NULL", {"NULL": True}),
        ):
            if self._word(word):
                return value
        if self.take("["):
            return {"L": self._members("]")}
        if self.take("<<"):
            return _as_set(self._members(">>"))
        if self.take("{"):
            return {"M": self._map()}
        raise self._fail()

    def _members(self, closing: str) -> list[AttributeValue]:
        members: list[AttributeValue] = []
        while not self.take(closing):
            if members:
                self._expect(",")
            members.append(self._literal())
        return members

    def _map(self) -> dict[str, Any]:
        members: dict[str, Any] = {}
        while not self.take("}"):
            if members:
                self._expect(",")
            token = self._token
            if token.kind not in ("text", "quoted"):
                raise self._fail()
            self._index += 1
            self._expect(":")
            members[token.text[1:-1]] = self._literal()
        return members


def _as_set(members: list[AttributeValue]) -> AttributeValue:
    kinds = {kind_of(member) for member in members}
    if len(kinds) != 1 or not kinds <= {"S", "N", "B"}:
        raise invalid("Statement wasn't well formed, can't be processed: Sets have one scalar type")
    kind = kinds.pop()
    return {kind + "S": [member[kind] for member in members]}
