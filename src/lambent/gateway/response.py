"""A response's head as bytes: status line, headers, framing."""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

_STATUS: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus
}

BODILESS: Final = frozenset({204, 304})
"""Statuses whose responses never have a body."""


class DateHeader:
    """The Date header's line, made anew once a second."""

    __slots__ = ("_line", "_second")

    def __init__(self) -> None:
        self._second = -1
        self._line = ""

    def line(self, now: float) -> str:
        """The line for `now` (seconds since the epoch)."""
        second = int(now)
        if second != self._second:
            self._second = second
            self._line = f"Date: {formatdate(second, usegmt=True)}\r\n"
        return self._line


def head(
    status: int,
    headers: Sequence[tuple[str, str]],
    date: str,
    framing: str,
    keep_alive: bool,
) -> bytes:
    """The head, up to and with the empty line.

    `framing` is the Content-Length or Transfer-Encoding line. Any Content-Length among
    `headers` gives way to it, except when it is empty. A line break in a value, which would
    let a stored value add headers of its own, becomes a space.
    """
    parts = [_STATUS.get(status) or f"HTTP/1.1 {status} Unknown\r\n", date]
    for name, value in headers:
        if framing and name.lower() == "content-length":
            continue
        if "\n" in value or "\r" in value:
            value = value.replace("\r", " ").replace("\n", " ")
        parts.append(f"{name}: {value}\r\n")
    parts.append(framing)
    parts.append("\r\n" if keep_alive else "Connection: close\r\n\r\n")
    text = "".join(parts)
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8")
