"""A response that is sent in pieces: how it is framed, and the bytes that go out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import NamedTuple

from lambent.core.streams import BrokenOff, StreamingResult
from lambent.gateway.response import BODILESS
from lambent.protocol.contract import WireResponse


class Framing(NamedTuple):
    """How a client is told where the body ends. `line` is the header that says so; without
    one, `closes`, the connection's end does. `bodiless`: only the head is sent."""

    line: str = ""
    chunked: bool = False
    closes: bool = False
    bodiless: bool = False


def framing(response: WireResponse, length: int | None, method: str, version: str) -> Framing:
    """How a response of `length` bytes (None: nobody knows) to a request is framed."""
    bodiless = method == "HEAD" or response.status in BODILESS
    if length is not None:
        framed = Framing(f"Content-Length: {length}\r\n", bodiless=bodiless)
    elif version == "1.0":
        framed = Framing(closes=True, bodiless=bodiless)
    else:
        framed = Framing("Transfer-Encoding: chunked\r\n", True, bodiless=bodiless)
    if response.status in BODILESS or (method == "HEAD" and has_length(response)):
        framed = framed._replace(line="")
    return framed


def has_length(response: WireResponse) -> bool:
    """Whether its own headers say how long it is."""
    return any(name.lower() == "content-length" for name, _ in response.headers)


async def pieces(head: bytes, result: StreamingResult, chunked: bool) -> AsyncGenerator[bytes]:
    """What goes out, in order. The head waits for the first bytes, so that both share a packet.
    ValueError when the body is not as long as it was said to be."""
    sent = 0
    try:
        async for chunk in result.chunks:
            if not chunk:
                continue
            sent += len(chunk)
            if head:
                yield head
                head = b""
            yield b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunked else chunk
    except BrokenOff:
        if head:
            yield head
        raise
    if result.length is not None and sent != result.length:
        raise ValueError(f"a streaming response of {result.length} bytes gave {sent}")
    yield head + (b"0\r\n\r\n" if chunked else b"")


async def discard(chunks: AsyncIterator[bytes]) -> None:
    """Have no more of a response's bytes."""
    close = getattr(chunks, "aclose", None)
    if close is not None:
        await close()
