"""Scalars as text: in headers, query strings, labels, forms and XML elements."""

from __future__ import annotations

import math
import re
from base64 import b64encode
from binascii import a2b_base64
from collections.abc import Callable
from typing import Any

from lambent.protocol.shapes import Shape
from lambent.protocol.timestamps import formatted, iso8601_millis, parse_timestamp

_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,20}\s*", re.ASCII)

FromText = Callable[[str], Any]
"""Raises ValueError for text that is no such value."""

ToText = Callable[[Any], str]


def from_text(shape: Shape) -> FromText:
    """Reads a scalar of the given shape."""
    return _FROM.get(shape.type, _string)


def to_text(shape: Shape, default_format: str, millis: bool = False) -> ToText:
    """Writes a scalar of the given shape; timestamps in `default_format` unless modelled."""
    if shape.type == "timestamp":
        form = shape.timestamp_format or default_format
        if millis and form == "iso8601":
            return iso8601_millis
        return lambda value: formatted(form, value)
    return _TO.get(shape.type, str)


def _string(text: str) -> str:
    return text


def integer(text: str) -> int:
    """A number of 32 bits."""
    return _whole(text, 31)


def _long(text: str) -> int:
    return _whole(text, 63)


def _whole(text: str, bits: int) -> int:
    # Python's int() also takes blanks, underscores and other scripts' digits.
    if _WHOLE.fullmatch(text) is None or not -(1 << bits) <= int(text) < 1 << bits:
        raise ValueError(f"not an integer: {text!r}")
    return int(text)


def _float(text: str) -> float:
    return float(text)


def _boolean(text: str) -> bool:
    word = text.strip().lower()
    if word not in ("true", "false", "1", "0"):
        raise ValueError(f"not a boolean: {text!r}")
    return word in ("true", "1")


def _blob(text: str) -> bytes:
    return a2b_base64("".join(text.split()), strict_mode=True)


_FROM: dict[str, FromText] = {
    "integer": integer,
    "long": _long,
    "float": _float,
    "double": _float,
    "boolean": _boolean,
    "blob": _blob,
    "timestamp": parse_timestamp,
}


def _write_boolean(value: Any) -> str:
    return "true" if value else "false"


def _write_float(value: Any) -> str:
    if value != value:
        return "NaN"
    if value in (math.inf, -math.inf):
        return "Infinity" if value > 0 else "-Infinity"
    return str(value)


def _write_blob(value: Any) -> str:
    return b64encode(value.encode() if isinstance(value, str) else value).decode("ascii")


_TO: dict[str, ToText] = {
    "boolean": _write_boolean,
    "float": _write_float,
    "double": _write_float,
    "blob": _write_blob,
}
