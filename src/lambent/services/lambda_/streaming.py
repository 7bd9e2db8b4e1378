"""Responses of streaming functions, as InvokeWithResponseStream and function URLs pass them on.

Source: Lambda API Reference, InvokeWithResponseStream; Lambda Developer Guide, "Response
streaming for Lambda functions" and "Building a custom runtime" (the prelude of an HTTP
response).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any

import msgspec

from lambent.core.streams import BrokenOff
from lambent.host.contract import Invocation
from lambent.host.streams import ResponseStream
from lambent.services.lambda_ import url_event
from lambent.services.lambda_.invoking import Invoked, Resolved, Runner
from lambent.services.lambda_.names import Reference

PRELUDE = "application/vnd.awslambda.http-integration-response"
"""The content type of a stream that begins with its HTTP status and headers."""
_PRELUDE_END = bytes(8)
_MOST_PRELUDE = 65_536
_CHUNK_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Streamed:
    """An invocation that answers. `content_type` is None when the function does not stream:
    then it is over, and its result holds the answer."""

    version: str
    content_type: str | None
    stream: ResponseStream
    invoked: asyncio.Task[Invoked]


async def start(
    runner: Runner,
    reference: Reference,
    invocation: Invocation,
    resolved: Resolved | None = None,
) -> Streamed:
    """Invoke; returns once the function begins to answer or is over. AwsError as
    `Runner.invoke`. A caller who goes away does not stop it."""
    resolved = resolved or await runner.resolve(reference)
    stream = ResponseStream()
    invocation = msgspec.structs.replace(invocation, stream=stream)
    invoked = asyncio.create_task(runner.invoke(reference, invocation, resolved, synchronous=True))
    invoked.add_done_callback(lambda _: stream.over())
    try:
        await stream.began.wait()
    except asyncio.CancelledError:
        stream.abandon()
        raise
    if stream.content_type is None:
        await invoked
    return Streamed(resolved.version.number, stream.content_type, stream, invoked)


async def events(streamed: Streamed, tail: bool) -> AsyncIterator[dict[str, Any]]:
    """The events of InvokeWithResponseStream, as the function gives them."""
    async with contextlib.aclosing(streamed.stream.chunks()) as chunks:
        async for piece in chunks:
            for event in _payload(piece):
                yield event
    result = (await streamed.invoked).result
    complete: dict[str, Any] = {}
    if tail:
        complete["LogResult"] = base64.b64encode(result.log_tail).decode()
    if result.error is not None:
        complete["ErrorCode"] = result.error
        complete["ErrorDetails"] = result.payload.decode(errors="replace")
    elif streamed.content_type is None:
        for event in _payload(result.payload):
            yield event
    yield {"InvokeComplete": complete}


async def whole(payload: bytes, error: str | None) -> AsyncIterator[dict[str, Any]]:
    """The events of an answer that does not stream."""
    complete: dict[str, Any] = {}
    if error is None:
        for event in _payload(payload):
            yield event
    else:
        complete = {"ErrorCode": error, "ErrorDetails": payload.decode(errors="replace")}
    yield {"InvokeComplete": complete}


def _payload(piece: bytes) -> list[dict[str, Any]]:
    return [
        {"PayloadChunk": {"Payload": piece[at : at + _CHUNK_BYTES]}}
        for at in range(0, len(piece), _CHUNK_BYTES)
    ]


@dataclass(frozen=True, slots=True)
class Head:
    """How an HTTP response begins: status, headers, and what came of the body with them."""

    status: int
    headers: list[tuple[str, str]]
    rest: bytes


async def head(streamed: Streamed, chunks: AsyncIterator[bytes]) -> Head:
    """The HTTP response that a stream means; reads its prelude, if it has one.
    `url_event.Malformed` when that is none."""
    assert streamed.content_type is not None
    if streamed.content_type.partition(";")[0].strip().lower() != PRELUDE:
        return Head(200, [("Content-Type", streamed.content_type)], b"")
    begun = b""
    async for piece in chunks:
        begun += piece
        end = begun.find(_PRELUDE_END)
        if end >= 0:
            try:
                value = json.loads(begun[:end])
            except ValueError:
                raise url_event.Malformed from None
            if not isinstance(value, dict):
                raise url_event.Malformed
            status, headers = url_event.head(value)
            return Head(status, headers, begun[end + len(_PRELUDE_END) :])
        if len(begun) > _MOST_PRELUDE:
            break
    raise url_event.Malformed


async def body(
    streamed: Streamed, begun: bytes, chunks: AsyncGenerator[bytes, None]
) -> AsyncIterator[bytes]:
    """The rest of an HTTP response. `BrokenOff` when the function failed within it."""
    async with contextlib.aclosing(chunks):
        if begun:
            yield begun
        async for piece in chunks:
            yield piece
    if (await streamed.invoked).result.error is not None:
        raise BrokenOff
