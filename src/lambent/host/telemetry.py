"""Delivery of an environment's events to a telemetry subscriber inside it.

Events are buffered as the subscription says and sent in order, a batch at a time; a batch
that is not taken is sent again after a while. Memory is bounded: what comes while the buffer
is full is dropped, and the subscriber is told so (`platform.logsDropped`).

Source: Lambda Developer Guide, "Lambda Telemetry API".
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from lambent.core.clock import Clock
from lambent.host.platform_events import PlatformEvent

_FIRST_DELAY = 0.1
_LAST_DELAY = 5.0
_ANSWER_BYTES = 1 << 16
Reach = Callable[[int], AbstractAsyncContextManager[socket.socket]]
"""Connects to a port of the environment's; OSError when nobody listens there."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,9})", re.IGNORECASE)
_BEHIND = "Consumer seems to have fallen behind as it has not acknowledged receipt of logs."
_NEWER = frozenset({"platform.initRuntimeDone", "platform.initReport"})
_OLDER = frozenset({"platform.end", "platform.fault", "platform.logsSubscription"})


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the subscriber listens in the environment."""

    protocol: str
    port: int
    path: str = "/"
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a subscriber wants, and how its events are buffered; `timeout` in seconds."""

    types: tuple[str, ...]
    schema: str
    destination: Destination
    max_items: int
    max_bytes: int
    timeout: float


def wants(subscription: Subscription, event: PlatformEvent) -> bool:
    """Whether the subscriber is sent the event, by its type and the schema's version."""
    if event.type.partition(".")[0] not in subscription.types:
        return False
    if subscription.schema == "2020-08-15":
        return event.type not in _NEWER and event.type != "platform.runtimeDone"
    if subscription.schema == "2021-03-18":
        return event.type not in _NEWER
    return event.type not in _OLDER


class Delivery:
    """One subscriber's buffer and its sender (a `journal.Subscriber`)."""

    def __init__(
        self,
        subscription: Subscription,
        clock: Clock,
        reach: Reach,
        sent: Callable[[], None],
    ) -> None:
        self._subscription = subscription
        self._clock = clock
        self._reach = reach
        self._sent = sent
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._dropped = [0, 0]
        self._flush_now = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None
        self._closed = False

    def told(self, event: PlatformEvent) -> None:
        if self._closed or not wants(self._subscription, event):
            return
        document = json.dumps(event.document(), separators=(",", ":")).encode()
        most = self._subscription.max_bytes * 2
        if self._size + len(document) > most or len(self._waiting) >= 2 * self._items:
            self._dropped[0] += 1
            self._dropped[1] += len(document)
            return
        self._waiting.append(document)
        self._size += len(document)
        if self._size >= self._subscription.max_bytes or len(self._waiting) >= self._items:
            self._flush_now.set()
        if self._sender is None:
            self._sender = asyncio.create_task(self._send_all())

    @property
    def _items(self) -> int:
        return self._subscription.max_items

    def flush(self) -> None:
        """Send what waits, without waiting for more."""
        self._flush_now.set()

    @property
    def idle(self) -> bool:
        """Whether everything was taken."""
        return self._sender is None

    async def close(self) -> None:
        """Send no more."""
        self._closed = True
        if self._sender is not None:
            self._sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sender

    async def _send_all(self) -> None:
        """Send until nothing waits."""
        delay = _FIRST_DELAY
        while self._waiting:
            await self._rest(self._subscription.timeout)
            batch = self._batch()
            while not await self._send(batch):
                await self._rest(delay)
                delay = min(delay * 2, _LAST_DELAY)
            delay = _FIRST_DELAY
        self._sender = None
        self._sent()

    async def _rest(self, seconds: float) -> None:
        """Wait until it is time to send. The listener is a real process, which may wait for
        this before it is done, so this goes by the machine's time."""
        timer = asyncio.get_running_loop().call_later(seconds, self._flush_now.set)
        await self._flush_now.wait()
        timer.cancel()
        self._flush_now.clear()

    def _batch(self) -> list[bytes]:
        """What is sent next, and no longer waits."""
        batch: list[bytes] = []
        size = 0
        if self._dropped[0]:
            records, octets = self._dropped
            self._dropped = [0, 0]
            record = {"reason": _BEHIND, "droppedRecords": records, "droppedBytes": octets}
            event = PlatformEvent(self._clock.now(), "platform.logsDropped", record)
            batch.append(json.dumps(event.document(), separators=(",", ":")).encode())
        while self._waiting and len(batch) < self._items:
            if batch and size + len(self._waiting[0]) > self._subscription.max_bytes:
                break
            document = self._waiting.popleft()
            size += len(document)
            batch.append(document)
        self._size -= size
        return batch

    async def _send(self, batch: list[bytes]) -> bool:
        """Send a batch; whether it was taken."""
        destination = self._subscription.destination
        loop = asyncio.get_running_loop()
        try:
            async with self._reach(destination.port) as made:
                if destination.protocol == "TCP":
                    await loop.sock_sendall(made, b"\n".join(batch) + b"\n")
                    return True
                await loop.sock_sendall(made, _request(destination, batch))
                return await _taken(made)
        except (OSError, ValueError, IndexError):
            return False


def _request(destination: Destination, batch: list[bytes]) -> bytes:
    body = b"[" + b",".join(batch) + b"]"
    head = (
        f"{destination.method} {destination.path} HTTP/1.1\r\n"
        f"Host: sandbox.localdomain:{destination.port}\r\n"
        "Content-Type: application/json\r\nConnection: close\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _taken(made: socket.socket) -> bool:
    """Read an answer, of which only the status matters: whether it is one of success.
    ValueError or IndexError when it is no answer."""
    loop = asyncio.get_running_loop()
    answer = b""
    wanted: int | None = None
    while wanted is None or len(answer) < wanted:
        data = await loop.sock_recv(made, _ANSWER_BYTES)
        answer += data
        if wanted is None and (end := answer.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(answer, 0, end + 2)
            wanted = end + 4 + (int(length[1]) if length else 0)
        if not data or len(answer) > _ANSWER_BYTES:
            break
    return wanted is not None and answer.split(b" ", 2)[1][:1] == b"2"
