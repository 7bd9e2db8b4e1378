"""The models' regular expressions, which are Java's, as Python's.

A value must match as a whole. The differences that occur in the models are Unicode
categories (`\\p{L}`) and POSIX classes; a pattern that Python cannot take even so is not
checked, which is lenient where AWS would be strict.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Any

_CATEGORY = re.compile(r"\\([pP])\{(?:Is)?(\w+)\}|\\([pP])([A-Z])")
_POSIX = {
    "ASCII": r"\x00-\x7f",
    "Alnum": "a-zA-Z0-9",
    "Alpha": "a-zA-Z",
    "Digit": "0-9",
    "Lower": "a-z",
    "Upper": "A-Z",
    "Graph": "!-~",
    "Print": " -~",
    "Punct": r"!-/:-@\[-`{-~",
    "Space": r" \t-\r",
    "Blank": r" \t",
    "XDigit": "0-9a-fA-F",
    "Cntrl": r"\x00-\x1f\x7f",
}


def compile_pattern(pattern: str) -> Callable[[Any], bool] | None:
    """Whether a string matches the whole pattern; None when Python cannot tell.

    The expression itself is compiled at its first use: most never are.
    """

    def matches(value: Any) -> bool:
        expression = _expression(pattern)
        return expression is None or expression.fullmatch(value) is not None

    return matches


@cache
def _expression(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(_translated(pattern))
    except (re.error, OverflowError, RecursionError, ValueError):
        return None


def _translated(pattern: str) -> str:
    out, place, depth = [], 0, 0
    while place < len(pattern):
        found = _CATEGORY.match(pattern, place)
        if found:
            negative = "P" in (found[1], found[3])
            ranges = _ranges(found[2] or found[4])
            if depth and negative:
                raise ValueError("a negated category within a class has no Python form")
            out.append(ranges if depth else f"[{'^' if negative else ''}{ranges}]")
            place = found.end()
            continue
        char = pattern[place]
        if char == "\\":
            out.append(pattern[place : place + 2])
            place += 2
            continue
        if char == "[":
            if depth and not pattern.startswith("[:", place):
                raise ValueError("a class within a class has no Python form")
            depth += 1
        elif char == "]" and depth:
            depth -= 1
        out.append(char)
        place += 1
    return "".join(out)


@cache
def _ranges(name: str) -> str:
    """The characters of a Unicode category as the inside of a character class."""
    if name in _POSIX:
        return _POSIX[name]
    ranges: list[str] = []
    start = None
    for code in range(sys.maxunicode + 2):
        inside = code <= sys.maxunicode and unicodedata.category(chr(code)).startswith(name)
        if inside and start is None:
            start = code
        elif not inside and start is not None:
            ranges.append(f"\\U{start:08x}-\\U{code - 1:08x}")
            start = None
    if not ranges:
        raise ValueError(f"no such category: {name}")
    return "".join(ranges)
