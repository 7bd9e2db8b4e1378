"""Which failures are the same failure: a plain rule from an error to a short fingerprint.

Two errors have one fingerprint when they differ only in what changes from run to run: ids,
numbers, times, addresses, quoted values, line numbers, temporary paths. What stays is the
error's type, the words of its message, and the functions of its stack.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

LENGTH = 12
"""Hexadecimal digits of a fingerprint."""

_LOOKED_AT = 4096
"""Characters of a message that count."""

_QUOTED = r"(?<!\w)'[^'\n]*'(?!\w)|\"[^\"\n]*\"|`[^`\n]*`"
_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), mark)
    for pattern, mark in (
        (r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>)\]]+", "<url>"),
        (r"\barn:[a-z-]+:[^\s'\"<>,)\]]+", "<arn>"),
        (r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", "<address>"),
        (
            r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)?",
            "<time>",
        ),
        (r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b", "<n>"),
        (r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b", "<address>"),
        (r"/tmp/[^\s'\":,)]+", "<path>"),  # noqa: S108 - a pattern, not a place
        (_QUOTED, "<text>"),
        (r"\w*\d\w*(?:[.,]\d+)*", "<n>"),
    )
)
_ONLY_QUOTED_NAME = re.compile(r"\s*(['\"`])([A-Za-z_][A-Za-z_.-]*)\1\s*\Z")
_PYTHON_FRAME = re.compile(r'\s*File "([^"]*)", line \d+, in (\S+)')
_POSITION = re.compile(r"(?::\d+)+(?=\)|\s|\Z)")


def normal(message: str) -> str:
    """A message without what changes from run to run."""
    message = " ".join(message[:_LOOKED_AT].split())
    if _ONLY_QUOTED_NAME.match(message):
        # KeyError: 'name'. Without the name nothing would be left.
        return message
    for pattern, mark in _RULES:
        message = pattern.sub(mark, message)
    return message


def frame(line: str) -> str:
    """A line of a stack without line numbers; for Python, the file and the function."""
    python = _PYTHON_FRAME.match(line)
    if python:
        return f"{python[1]} {python[2]}"
    return normal(_POSITION.sub("", line.split("\n", 1)[0]))


def of(type: str, message: str, stack: Sequence[str] = ()) -> str:
    """The fingerprint of an error: `LENGTH` hexadecimal digits."""
    frames: list[str] = []
    for line in stack:
        shown = frame(line)
        # How deep a recursion went says nothing.
        if shown and (not frames or frames[-1] != shown):
            frames.append(shown)
    text = "\n".join([type, normal(message), *frames])
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:LENGTH]
