"""Text to tokens, and where in the text a syntax error lies."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

NAME: Final = "name"
PLACEHOLDER: Final = "#name"
VALUE: Final = ":value"
NUMBER: Final = "number"
SYMBOL: Final = "symbol"
BAD: Final = "bad"
END: Final = "end"

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<name>[A-Za-z][A-Za-z0-9_]*)
      | (?P<placeholder>\#[A-Za-z0-9_]+)
      | (?P<value>:[A-Za-z0-9_]+)
      | (?P<number>[0-9]+)
      | (?P<symbol><>|<=|>=|[=<>()\[\].,+-])
      | (?P<bad>\S)
    )""",
    re.VERBOSE,
)
_KINDS: Final = {
    "name": NAME,
    "placeholder": PLACEHOLDER,
    "value": VALUE,
    "number": NUMBER,
    "symbol": SYMBOL,
    "bad": BAD,
}
_KEYWORDS = frozenset({"AND", "OR", "NOT", "IN", "BETWEEN", "SET", "REMOVE", "ADD", "DELETE"})


class Token(NamedTuple):
    """A token; `keyword` is its upper-case form when it is a keyword, else ""."""

    kind: str
    text: str
    start: int
    end: int
    keyword: str


def tokenize(text: str) -> list[Token]:
    """All tokens, closed by one of kind END. What is no token becomes one of kind BAD."""
    tokens: list[Token] = []
    position = 0
    while match := _TOKEN.match(text, position):
        position = match.end()
        group = match.lastgroup or "bad"
        word = match[group]
        upper = word.upper() if group == "name" else ""
        tokens.append(
            Token(
                _KINDS[group],
                word,
                match.start(group),
                position,
                upper if upper in _KEYWORDS else "",
            )
        )
    tokens.append(Token(END, "<EOF>", len(text), len(text), ""))
    return tokens


def syntax_error(text: str, tokens: list[Token], index: int) -> str:
    """AWS's message: the token, and the text from the token before it to the one after."""
    token = tokens[index]
    start = tokens[index - 1].start if index else token.start
    end = tokens[index + 1].end if index + 1 < len(tokens) else token.end
    return f'Syntax error; token: "{token.text}", near: "{text[start:end].rstrip()}"'
