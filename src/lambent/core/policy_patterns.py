"""The patterns of policies: `*` and `?`, and variables such as `${aws:username}`. Pure.

Source: IAM User Guide, "IAM policy elements: Variables and tags" and "IAM JSON policy elements:
Resource".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

Keys = Mapping[str, tuple[str, ...]]
"""What a request carries: the values of each condition key, by its name in lower case."""

_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")
_SEGMENT: Final = re.compile(r"(?:\$\{[^}]*\}|[^:])*")
_ESCAPED: Final = ("*", "?", "$")
_ANY, _ONE = "**", "??"
"""Wildcards among single characters, of which none is two long."""


def matches(patterns: Iterable[Any], value: str, keys: Keys | None = None) -> bool:
    """Whether one of the patterns is the whole value; with `keys`, their variables are read."""
    return any(is_like(value, str(pattern), keys) for pattern in patterns)


def is_like(value: str, pattern: str, keys: Keys | None = None) -> bool:
    """Whether a pattern is the whole value. A variable that has no value makes it match nothing;
    wildcards that a variable's value has are plain characters."""
    if keys is not None and "${" in pattern:
        tokens = _tokens(pattern, keys)
        return tokens is not None and _covers(tokens, value, _ANY, _ONE)
    if "*" not in pattern and "?" not in pattern:
        return value == pattern
    return pattern == "*" or _covers(pattern, value, "*", "?")


def is_arn_like(value: str, pattern: str, keys: Keys | None = None) -> bool:
    """Whether a pattern of an ARN is the value, each of the six parts by itself."""
    if pattern == "*":
        return True
    wanted, parts = _split(pattern), value.split(":", 5)
    return len(wanted) == len(parts) == 6 and all(
        is_like(part, each, keys) for part, each in zip(parts, wanted, strict=True)
    )


def filled(text: str, keys: Keys | None) -> str | None:
    """A text with its variables' values; None when one has none."""
    if keys is None or "${" not in text:
        return text
    tokens = _tokens(text, keys)
    return None if tokens is None else "".join(one[:1] for one in tokens)


def variables(text: str) -> Iterator[str]:
    """The condition keys that a text names, as written there."""
    for found in _VARIABLE.findall(text):
        if found not in _ESCAPED:
            yield found.partition(",")[0].strip()


def _tokens(text: str, keys: Keys) -> list[str] | None:
    """A pattern's characters and wildcards, its variables filled in."""
    tokens: list[str] = []
    end = 0
    for found in _VARIABLE.finditer(text):
        tokens += _plain(text[end : found.start()])
        value = _value(found[1], keys)
        if value is None:
            return None
        tokens += value
        end = found.end()
    return tokens + _plain(text[end:])


def _plain(text: str) -> list[str]:
    return [_ANY if one == "*" else _ONE if one == "?" else one for one in text]


def _value(variable: str, keys: Keys) -> str | None:
    if variable in _ESCAPED:
        return variable
    name, comma, default = variable.partition(",")
    values = keys.get(name.strip().lower(), ())
    if len(values) == 1:
        return values[0]
    default = default.strip()
    quoted = len(default) > 1 and default[0] == default[-1] == "'"
    return default[1:-1] if comma and quoted and not values else None


def _split(pattern: str) -> list[str]:
    """A pattern's parts between colons, six at most; colons inside of variables part nothing."""
    parts: list[str] = []
    at = 0
    while len(parts) < 5:
        found = _SEGMENT.match(pattern, at)
        end = found.end() if found else at
        if end >= len(pattern):
            break
        parts.append(pattern[at:end])
        at = end + 1
    return [*parts, pattern[at:]]


def _covers(pattern: Sequence[str], value: str, many: str, one: str) -> bool:
    """Whether a pattern is the whole value, in time that grows with the product of their
    lengths at most: a stored pattern may be a hostile one."""
    at = place = 0
    star, tried = -1, 0  # the last wildcard for many, and how far it reaches so far
    while at < len(value):
        found = pattern[place] if place < len(pattern) else ""
        if found == many:
            star, tried = place, at
            place += 1
        elif found in (one, value[at]):
            at += 1
            place += 1
        elif star >= 0:
            tried += 1
            at, place = tried, star + 1
        else:
            return False
    return all(rest == many for rest in pattern[place:])
