"""What the head of a request says: its target and its headers, and which heads are refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote_from_bytes

_ASCII: Final = "".join(map(chr, range(33, 127)))
_UPGRADING: Final = ("upgrade", "connection", "http2-settings")
_NAMES: Final[dict[bytes, str]] = {}
"""Headers' names in lower case; remembered, since clients say the same few."""


class Refused(Exception):
    """A request that is well formed but not acceptable; raised through the parser."""

    def __init__(self, status: int, phrase: str) -> None:
        super().__init__(phrase)
        self.status = status
        self.phrase = phrase


def headers(lines: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by their names in lower case, read as Latin-1; those that come more than once
    are joined by commas."""
    found = {_NAMES.get(name) or _lower(name): value.decode("latin-1") for name, value in lines}
    if len(found) == len(lines):
        return found
    joined: dict[str, str] = {}
    for name, value in lines:
        key, text = _lower(name), value.decode("latin-1")
        joined[key] = f"{joined[key]},{text}" if key in joined else text
    return joined


def _lower(name: bytes) -> str:
    if len(_NAMES) >= 1024:
        _NAMES.clear()
    made = _NAMES[name] = name.decode("latin-1").lower()
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
