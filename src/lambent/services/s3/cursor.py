"""Walking a collection in key order with jumps ahead, reading in stretches."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from lambent.services.s3.model import unpack
from lambent.store.contract import Transaction

S = TypeVar("S", bound=msgspec.Struct)
_READ = 256


class Cursor(Generic[S]):
    """One partition of a collection of structs of one kind, from its start."""

    def __init__(self, tx: Transaction, collection: str, partition: bytes, kind: type[S]) -> None:
        self._tx = tx
        self._collection = collection
        self._partition = partition
        self._kind = kind
        self._buffer: list[tuple[bytes, S]] = []
        self._start: bytes | None = b""

    def seek(self, start: bytes) -> None:
        """Go on at the first record with sort ≥ `start`, which lies ahead."""
        while self._buffer and self._buffer[-1][0] < start:
            self._buffer.pop()
        if not self._buffer and self._start is not None:
            self._start = max(start, self._start)

    async def peek(self) -> tuple[bytes, S] | None:
        """The record the cursor stands at; None at the end."""
        if not self._buffer and self._start is not None:
            records = await self._tx.scan(
                self._collection, self._partition, start=self._start, limit=_READ
            )
            self._buffer = [(r.sort, unpack(self._kind, r.value)) for r in reversed(records)]
            self._start = records[-1].sort + b"\0" if len(records) == _READ else None
        return self._buffer[-1] if self._buffer else None

    def step(self) -> None:
        """Leave the record the cursor stands at."""
        self._buffer.pop()
