"""What the parsers of all expression kinds share: the cursor, paths, calls, found faults."""

from __future__ import annotations

from lambent.services.dynamodb.errors import invalid
from lambent.services.dynamodb.expressions.lexer import (
    END,
    NAME,
    NUMBER,
    PLACEHOLDER,
    VALUE,
    Token,
    syntax_error,
    tokenize,
)
from lambent.services.dynamodb.expressions.reserved import RESERVED
from lambent.services.dynamodb.expressions.tree import Function, Operand, Path, PathPart

MAX_LENGTH = 4096
MAX_OPERATORS = 300
MAX_DEPTH = 32
MAX_INDEX = 99_999_999
MAX_NESTING = 64
"""Of parentheses and calls; keeps the parser within the interpreter's stack."""

CONDITION_FUNCTIONS = frozenset(
    {"attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains"}
)
OPERAND_FUNCTIONS = frozenset({"size"})
UPDATE_FUNCTIONS = frozenset({"if_not_exists", "list_append"})
_FUNCTIONS = CONDITION_FUNCTIONS | OPERAND_FUNCTIONS | UPDATE_FUNCTIONS

# Faults that do not stop parsing are told in this order, whatever their place in the text.
_ORDER = ("operators", "section", "parentheses", "unknown", "misused", "reserved", "depth")


class Parser:
    """A cursor over tokens. `kind` is the parameter's name, as in "ConditionExpression"."""

    allowed_functions: frozenset[str] = frozenset()
    not_allowed = "The function is not allowed in a condition expression; function: "

    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        self.text = text
        length = len(text) if text.isascii() else len(text.encode())
        if length > MAX_LENGTH:
            raise self.error(
                f"Expression size has exceeded the maximum allowed size; expression size: {length}"
            )
        self.tokens = tokenize(text)
        if len(self.tokens) == 1:
            raise self.error("The expression can not be empty;")
        self.index = 0
        self.operators = 0
        self.nesting = 0
        self.faults: dict[str, str] = {}

    def error(self, message: str) -> Exception:
        """The ValidationException for a fault in this expression."""
        return invalid(f"Invalid {self.kind}: {message}")

    def fault(self, category: str, message: str) -> None:
        """Note a fault that a syntax error further on would come before."""
        self.faults.setdefault(category, message)

    def raise_faults(self) -> None:
        """Raise the foremost fault, if any."""
        if self.operators > MAX_OPERATORS:
            self.fault(
                "operators",
                f"The expression contains too many operators; operator count: {self.operators}",
            )
        for category in _ORDER:
            if category in self.faults:
                raise self.error(self.faults[category])

    @property
    def token(self) -> Token:
        """The token at the cursor."""
        return self.tokens[self.index]

    def fail(self) -> Exception:
        """The syntax error for the token at the cursor."""
        return self.error(syntax_error(self.text, self.tokens, self.index))

    def take(self, text: str) -> bool:
        """Go past the symbol or keyword if it is there."""
        token = self.tokens[self.index]
        if (token.keyword or token.text) == text:
            self.index += 1
            return True
        return False

    def expect(self, text: str) -> None:
        """Go past the symbol or keyword; a syntax error when it is not there."""
        if not self.take(text):
            raise self.fail()

    def expect_end(self) -> None:
        """A syntax error unless all tokens were used."""
        if self.token.kind is not END:
            raise self.fail()

    def open(self) -> None:
        """A parenthesis deeper; the caller counts `nesting` down when it is closed."""
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise self.error("The expression is nested too deeply;")

    def at_function(self) -> bool:
        """Whether the cursor is at a name followed by a parenthesis."""
        return (
            self.token.kind is NAME
            and not self.token.keyword
            and self.tokens[self.index + 1].text == "("
        )

    def path(self) -> Path:
        """A document path."""
        parts: list[PathPart] = [self._path_name()]
        while True:
            if self.take("."):
                parts.append(self._path_name())
            elif self.take("["):
                if self.token.kind is not NUMBER:
                    raise self.fail()
                index = int(self.token.text)
                if index > MAX_INDEX:
                    self.fault(
                        "depth",
                        f"List index is not within the allowable range; index: [{index}]",
                    )
                parts.append(index)
                self.index += 1
                self.expect("]")
            else:
                break
        if len(parts) > MAX_DEPTH:
            self.fault(
                "depth",
                f"The document path has too many nesting elements; nesting levels: {len(parts)}",
            )
        return tuple(parts)

    def _path_name(self) -> str:
        token = self.token
        if token.kind is NAME:
            if token.text.upper() in RESERVED:
                self.fault(
                    "reserved",
                    f"Attribute name is a reserved keyword; reserved keyword: {token.text}",
                )
        elif token.kind is not PLACEHOLDER:
            raise self.fail()
        self.index += 1
        return token.text

    def call(self, *, as_operand: bool) -> Function:
        """A function call at the cursor; `as_operand` where its result is compared or set."""
        name = self.token.text
        self.index += 2
        self.open()
        self.operators += 1
        if name not in _FUNCTIONS:
            self.fault("unknown", f"Invalid function name; function: {name}")
        elif name not in self.allowed_functions:
            self.fault("misused", self.not_allowed + name)
        elif as_operand and name in CONDITION_FUNCTIONS:
            self.fault(
                "misused",
                "The function is not allowed to be used this way in an expression; "
                f"function: {name}",
            )
        arguments = [self.argument()]
        while self.take(","):
            arguments.append(self.argument())
        self.expect(")")
        self.nesting -= 1
        return Function(name, tuple(arguments))

    def argument(self) -> Operand:
        """One argument of a function; each kind of expression has its own."""
        raise NotImplementedError


def is_value(token: Token) -> bool:
    """Whether the token is a value placeholder."""
    return token.kind is VALUE
