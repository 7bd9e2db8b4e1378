"""Ids and randomness, injected. The only module that may ask for randomness.

`SystemIds` uses the operating system's generator. `SeededIds` repeats exactly, so a
seed replays a failure.
"""

from __future__ import annotations

import os
import random
from typing import Protocol
from weakref import WeakSet


class Ids(Protocol):
    """What Lambent asks of randomness."""

    def uuid(self) -> str:
        """A random UUID in its 36-character form."""
        ...

    def uuids(self, count: int) -> list[str]:
        """So many of them (one at least), in less time than each alone takes."""
        ...

    def hex(self, length: int) -> str:
        """`length` random lower-case hexadecimal digits."""
        ...

    def token(self, length: int, alphabet: str) -> str:
        """`length` characters drawn from `alphabet`."""
        ...

    def random(self) -> float:
        """A number in [0, 1)."""
        ...


class _FromBytes:
    """The shapes of ids, over a source of random bytes."""

    def _bytes(self, count: int) -> bytes:
        raise NotImplementedError

    def uuid(self) -> str:
        """A random (version 4) UUID in its 36-character form."""
        return _uuid(self._bytes(16).hex())

    def uuids(self, count: int) -> list[str]:
        """So many of them, which begin alike and count up in their last two digits."""
        made: list[str] = []
        while len(made) < count:
            beginning = self.uuid()[:-2]
            made += [beginning + end for end in _ENDS[: count - len(made)]]
        return made

    def hex(self, length: int) -> str:
        """`length` random lower-case hexadecimal digits."""
        return self._bytes((length + 1) // 2).hex()[:length]

    def token(self, length: int, alphabet: str) -> str:
        """`length` characters drawn evenly from `alphabet` (at most 256 characters)."""
        limit = 256 - 256 % len(alphabet)
        out: list[str] = []
        while len(out) < length:
            out.extend(
                alphabet[byte % len(alphabet)] for byte in self._bytes(length) if byte < limit
            )
        return "".join(out[:length])

    def random(self) -> float:
        """A number in [0, 1)."""
        return (int.from_bytes(self._bytes(7), "big") >> 3) / (1 << 53)


_ENDS = [f"{number:02x}" for number in range(256)]
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def _uuid(digits: str) -> str:
    return (
        f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-"
        f"{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:]}"
    )


class SystemIds(_FromBytes):
    """Randomness of the operating system, drawn in blocks to keep the hot path short."""

    def __init__(self) -> None:
        self._pool = b""
        self._offset = 0
        _pooled.add(self)

    def _bytes(self, count: int) -> bytes:
        begin = self._offset
        end = self._offset = begin + count
        if end > len(self._pool):
            self._pool = os.urandom(max(4096, count))
            begin, end = 0, count
            self._offset = count
        return self._pool[begin:end]

    def forget(self) -> None:
        """Draw anew from now on."""
        self._pool = b""


_pooled: WeakSet[SystemIds] = WeakSet()


def _forget_all() -> None:
    for ids in tuple(_pooled):
        ids.forget()


# A forked child must not repeat its parent's pool.
os.register_at_fork(after_in_child=_forget_all)


class SeededIds(_FromBytes):
    """Randomness that repeats for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatability is the point

    def _bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)
