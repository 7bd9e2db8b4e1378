"""Where in its text a policy's statements stand. Pure.

Source: the AWS CLI's examples of `iam simulate-custom-policy`: lines count from 1, and a column
is that of the character behind the brace.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_decoder = json.JSONDecoder()


def places(text: str) -> list[dict[str, Any]]:
    """StartPosition and EndPosition of each statement of a policy's JSON, in order."""
    at = _after(text, 1 + text.index("{"))
    found: list[tuple[int, int]] = []
    while text[at] == '"':
        name, at = _decoder.raw_decode(text, at)
        at = _after(text, 1 + _after(text, at))  # the colon
        if name == "Statement":  # of several, the last counts, as to a reader of JSON
            found = _statements(text, at)
        _, at = _decoder.raw_decode(text, at)
        at = _after(text, at)
        if text[at] == ",":
            at = _after(text, at + 1)
    return [_place(text, *span) for span in found]


def _statements(text: str, at: int) -> list[tuple[int, int]]:
    if text[at] == "{":
        return [(at, _decoder.raw_decode(text, at)[1])]
    spans: list[tuple[int, int]] = []
    at = _after(text, at + 1)
    while text[at] != "]":
        _, end = _decoder.raw_decode(text, at)
        spans.append((at, end))
        at = _after(text, end)
        if text[at] == ",":
            at = _after(text, at + 1)
    return spans


def _after(text: str, at: int) -> int:
    """Where what follows spaces begins."""
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _place(text: str, start: int, end: int) -> dict[str, Any]:
    return {"StartPosition": _position(text, start + 1), "EndPosition": _position(text, end)}


def _position(text: str, behind: int) -> dict[str, int]:
    line = text.count("\n", 0, behind)
    return {"Line": line + 1, "Column": behind - text.rfind("\n", 0, behind)}
