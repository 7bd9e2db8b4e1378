"""Sends many requests to one node over a few connections, and keeps what must not be answered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from tests.breaking.wire_requests import Wire

CONNECTIONS = 8
SECONDS = 20.0
"""How long one answer may take."""


async def answers(
    endpoint: str, service: str, account: str, requests: Iterable[Wire]
) -> list[tuple[int, Wire, bytes]]:
    """The status and body of each request; 0 when none came in time or the connection ended."""
    place = urlsplit(endpoint)
    assert place.hostname
    found: list[tuple[int, Wire, bytes]] = []
    left = iter(requests)

    async def send_all() -> None:
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        for wire in left:
            writer.write(_encoded(wire, place.netloc, service, account))
            try:
                status, headers, body = await asyncio.wait_for(_answer(reader, wire), SECONDS)
            except (TimeoutError, asyncio.IncompleteReadError, ConnectionError) as error:
                status, headers, body = 0, {"connection": "close"}, repr(error).encode()
            found.append((status, wire, body))
            if headers.get("connection") == "close":
                writer.close()
                reader, writer = await asyncio.open_connection(place.hostname, place.port)
        writer.close()

    await asyncio.gather(*(send_all() for _ in range(CONNECTIONS)))
    return found


def _encoded(wire: Wire, host: str, service: str, account: str) -> bytes:
    scope = f"{account}/20260101/us-east-1/{service}/aws4_request"
    lines = [
        f"{wire.method} {wire.path or '/'} HTTP/1.1",
        f"Host: {host}",
        f"Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        f"Content-Length: {len(wire.body)}",
        *(
            f"{name}: {value}"
            for name, value in wire.headers.items()
            if name.lower() not in ("content-length", "expect", "host")
        ),
    ]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "replace") + wire.body


async def _answer(reader: asyncio.StreamReader, wire: Wire) -> tuple[int, Mapping[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    status = int(head[0].split(" ")[1])
    headers = {
        name.lower(): value.strip().lower()
        for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    body = b""
    if wire.method == "HEAD" or status in (204, 304):
        pass
    elif headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return status, headers, body
