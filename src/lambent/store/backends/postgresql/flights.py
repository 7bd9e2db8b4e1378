"""Statements that share a flight with another: what begins a transaction travels with its first
statement, what ends it with its last, so neither costs a round trip.

asyncpg sends one statement and waits for its answer. The server takes any number up to a
*sync* and answers them in order; after an error it passes over all that is left before that.
So a `COMMIT` behind a statement is reached only if the statement went well. asyncpg's messages
pass a `Gate`, which puts ours before or behind what ends with a sync. Of the answers asyncpg
notes the last completion, the rows (ours have none), the first error, and whether a
transaction is open then, which is for whoever asked to look at.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Any, Final

_SYNC: Final = b"S\x00\x00\x00\x04"


def alone(sql: str) -> bytes:
    """The messages of a statement without arguments and rows, but for the sync."""
    return b"".join(
        kind + struct.pack(">i", 4 + len(content)) + content
        for kind, content in (
            (b"P", b"\0" + sql.encode() + b"\0\0\0"),
            (b"B", b"\0\0" + struct.pack(">hhh", 0, 0, 0)),
            (b"E", b"\0" + struct.pack(">i", 0)),
        )
    )


class Gate:
    """A transport that adds `before` and `behind` to the next message that ends with a sync."""

    __slots__ = ("before", "behind", "inner")

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.before = b""
        self.behind = b""

    def write(self, data: Any) -> None:
        if self.before or self.behind:
            whole = bytes(data)
            if whole.endswith(_SYNC):
                data = self.before + whole[: -len(_SYNC)] + self.behind + _SYNC
                self.before = self.behind = b""
            else:
                data = whole
        self.inner.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class GatedLoop:
    """An event loop whose connections have gates. A protocol is given its gate as it is made;
    what comes in reaches it directly."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop: Any = loop

    async def create_connection(
        self, factory: Callable[[], Any], *arguments: Any, **named: Any
    ) -> tuple[Gate, Any]:
        joint = _Joint(factory)
        await self._loop.create_connection(lambda: joint, *arguments, **named)
        return joint.let_go()

    async def create_unix_connection(
        self, factory: Callable[[], Any], *arguments: Any, **named: Any
    ) -> tuple[Gate, Any]:
        joint = _Joint(factory)
        await self._loop.create_unix_connection(lambda: joint, *arguments, **named)
        return joint.let_go()

    async def start_tls(self, gate: Gate, *arguments: Any, **named: Any) -> Gate:
        return Gate(await self._loop.start_tls(gate.inner, *arguments, **named))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


class _Joint(asyncio.Protocol):
    """Stands before a protocol until that is connected."""

    def __init__(self, factory: Callable[[], Any]) -> None:
        self._protocol = factory()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._gate = Gate(transport)
        self._protocol.connection_made(self._gate)

    def data_received(self, data: bytes) -> None:
        self._protocol.data_received(data)

    def eof_received(self) -> Any:
        return self._protocol.eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        self._protocol.connection_lost(error)

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    def let_go(self) -> tuple[Gate, Any]:
        self._gate.set_protocol(self._protocol)
        return self._gate, self._protocol
