"""What the head of a request says: its target and its headers, and which heads are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote_from_bytes

_ASCII: Final = "".join(map(chr, range(33, 127)))
_UPGRADING: Final = ("upgrade", "connection", "http2-settings")
NAMES: Final[dict[bytes, str]] = {}
"""Headers' names in lower case; remembered by `lower`, since clients say the same few."""


class Refused(Exception):
    """A request that is well formed but not acceptable; raised through the parser."""

    def __init__(self, status: int, phrase: str) -> None:
        super().__init__(phrase)
        self.status = status
        self.phrase = phrase


def lower(name: bytes) -> str:
    """A header's name in lower case."""
    if len(NAMES) >= 1024:
        NAMES.clear()
    made = NAMES[name] = name.decode("latin-1").lower()
    return made


def target(url: bytes) -> str:
    """The path and query that are asked for, percent-encoded where they had to be; of
    `http://host/path?query`, as a proxy is asked, without its beginning."""
    text = url.decode("ascii") if url.isascii() else quote_from_bytes(url, _ASCII)
    if text[:1] == "/":
        return text
    _, found, rest = text.partition("://")
    slash = rest.find("/")
    return rest[slash:] if found and slash >= 0 else "/"


def size(url: bytes, headers: Mapping[str, str]) -> int:
    """About how many bytes of the head were the client's to choose."""
    return len(url) + sum(len(name) + len(value) + 4 for name, value in headers.items())


def without_upgrade(method: bytes, url: bytes, headers: Mapping[str, str]) -> bytes:
    """A head that asked for an upgrade, without the asking."""
    lines = [b"%b %b HTTP/1.1" % (method, url)]
    lines += [
        f"{name}: {value}".encode("latin-1")
        for name, value in headers.items()
        if name not in _UPGRADING
    ]
    return b"\r\n".join([*lines, b"", b""])
