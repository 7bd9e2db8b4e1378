"""User metadata outside ASCII, as S3 stores and shows it: words of RFC 2047. Pure.

Source: "Working with object metadata", user-defined metadata: values in RFC 2047's form are
decoded before they are stored, and whatever is not ASCII is encoded so when it is shown.
Which of the two encodings is taken follows from the text, as in the mail library behind S3:
`Q` where most of it is ASCII, `B` otherwise.
"""

from __future__ import annotations

import base64
import re
from quopri import decodestring
from typing import Final

_WORD: Final = re.compile(r"=\?([\w-]+)\?([BbQq])\?([^?]*)\?=")
_BETWEEN: Final = re.compile(r"(\?=)\s+(=\?)")
_PLAIN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")


def decoded(header: str) -> str:
    """The text that a header's value (read as Latin-1) means."""
    if header.isascii():
        if "=?" not in header:
            return header
        return _WORD.sub(_decode, _BETWEEN.sub(r"\1\2", header))
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header


def encoded(text: str) -> str:
    """The text as a header may carry it."""
    if text.isascii():
        return text
    data = text.encode("utf-8", "surrogatepass")
    ascii_letters = sum(letter.isascii() for letter in text)
    if ascii_letters > len(text) - ascii_letters:
        return f"=?UTF-8?Q?{''.join(map(_quoted, data))}?="
    return f"=?UTF-8?B?{base64.b64encode(data).decode()}?="


def _quoted(byte: int) -> str:
    if byte in _PLAIN:
        return chr(byte)
    return "_" if byte == 0x20 else f"={byte:02X}"


def _decode(found: re.Match[str]) -> str:
    charset, kind, content = found.groups()
    try:
        if kind in "Bb":
            data = base64.b64decode(content, validate=True)
        else:
            data = decodestring(content.replace("_", " ").encode("ascii"))
        return data.decode(charset)
    except (ValueError, LookupError):
        return found[0]
