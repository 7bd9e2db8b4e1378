"""CBOR data items (RFC 8949) to Python values and back: what RPC v2 CBOR needs of it.

Timestamps are tag 1, as `Epoch`; other tags are passed through. Undefined is null.
"""

from __future__ import annotations

import struct
from typing import Any

MAX_DEPTH = 256

_BREAK = object()


class Epoch(float):
    """Seconds since the epoch, encoded with tag 1."""


def decode(data: bytes) -> Any:
    """The one item that the bytes hold; ValueError when they hold anything else."""
    reader = _Reader(data)
    value = reader.item(0)
    if value is _BREAK or reader.place != len(data):
        raise ValueError("not one CBOR item")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.place = 0

    def _take(self, count: int) -> bytes:
        end = self.place + count
        if end > len(self._data):
            raise ValueError("CBOR ends too early")
        taken = self._data[self.place : end]
        self.place = end
        return taken

    def _head(self) -> tuple[int, int, int | None]:
        """Major type, additional information, and its argument (None: indefinite)."""
        first = self._take(1)[0]
        major, info = first >> 5, first & 0x1F
        if info < 24:
            return major, info, info
        if info < 28:
            return major, info, int.from_bytes(self._take(1 << (info - 24)), "big")
        if info == 31:
            return major, info, None
        raise ValueError("reserved CBOR length")

    def item(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise ValueError("CBOR nests too deep")
        major, info, argument = self._head()
        if major == 7:
            return self._simple(info, argument)
        if major in (2, 3):
            data = self._string(major, argument)
            return data if major == 2 else data.decode("utf-8")
        if major == 4:
            return self._list(argument, depth)
        if major == 5:
            return self._map(argument, depth)
        if argument is None:
            raise ValueError("an indefinite number")
        if major == 6:
            inner = self.item(depth + 1)
            if argument == 1 and isinstance(inner, int | float):
                return Epoch(inner)
            return inner
        return argument if major == 0 else -1 - argument

    def _string(self, major: int, length: int | None) -> bytes:
        if length is not None:
            return self._take(length)
        pieces = []
        while self._data[self.place : self.place + 1] != b"\xff":
            inner, _, size = self._head()
            if inner != major or size is None:
                raise ValueError("a broken indefinite string")
            pieces.append(self._take(size))
        self.place += 1
        return b"".join(pieces)

    def _list(self, length: int | None, depth: int) -> list[Any]:
        values: list[Any] = []
        while length is None or len(values) < length:
            value = self.item(depth + 1)
            if value is _BREAK:
                if length is None:
                    return values
                raise ValueError("a break where none belongs")
            values.append(value)
        return values

    def _map(self, length: int | None, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        count = 0
        while length is None or count < length:
            key = self.item(depth + 1)
            if key is _BREAK and length is None:
                return values
            value = self.item(depth + 1)
            if not isinstance(key, str) or value is _BREAK:
                raise ValueError("a map's key is no text")
            values[key] = value
            count += 1
        return values

    def _simple(self, info: int, argument: int | None) -> Any:
        if argument is None:
            return _BREAK
        if info == 25:
            return struct.unpack(">e", argument.to_bytes(2, "big"))[0]
        if info == 26:
            return struct.unpack(">f", argument.to_bytes(4, "big"))[0]
        if info == 27:
            return struct.unpack(">d", argument.to_bytes(8, "big"))[0]
        if argument not in (20, 21, 22, 23):
            raise ValueError("an unknown simple value")
        return {20: False, 21: True}.get(argument)


def encode(value: Any) -> bytes:
    """A value's bytes; None members must have been left out by the caller."""
    out = bytearray()
    _encode(value, out)
    return bytes(out)


def _encode(value: Any, out: bytearray) -> None:
    if value is None or isinstance(value, bool):
        out.append(0xF6 if value is None else 0xF5 if value else 0xF4)
    elif isinstance(value, int):
        _encode_head(0 if value >= 0 else 1, value if value >= 0 else -1 - value, out)
    elif isinstance(value, float):
        if isinstance(value, Epoch):
            out.append(0xC1)
        out += b"\xfb" + struct.pack(">d", value)
    elif isinstance(value, bytes):
        _encode_head(2, len(value), out)
        out += value
    elif isinstance(value, str):
        data = value.encode("utf-8", "replace")
        _encode_head(3, len(data), out)
        out += data
    elif isinstance(value, dict):
        _encode_head(5, len(value), out)
        for key, item in value.items():
            _encode(key, out)
            _encode(item, out)
    else:
        _encode_head(4, len(value), out)
        for item in value:
            _encode(item, out)


def _encode_head(major: int, argument: int, out: bytearray) -> None:
    if argument < 24:
        out.append(major << 5 | argument)
        return
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << (8 * size):
            out.append(major << 5 | info)
            out += argument.to_bytes(size, "big")
            return
    raise ValueError(f"too large for CBOR: {argument}")
