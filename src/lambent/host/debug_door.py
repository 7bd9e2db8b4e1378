"""A debugger's way into an environment, and the time that stands still meanwhile.

A debugged function has one port of this machine's loopback for as long as the session lasts.
Behind it is whichever environment the session has: its process opens a port of its own, tells
it here (`Door.address`), and waits; bytes are passed between the two. So a debugger may
attach before there is a process, and what is attached is known without asking the process.

While one is attached, no time counts: `Door.wait` is `Clock.wait` with that exception.
"""

from __future__ import annotations

import asyncio
import contextlib

from lambent.core.clock import Clock

_CHUNK = 1 << 16


class Door:
    """The port that debuggers connect to. `patience`: seconds that a fresh process waits."""

    def __init__(self, clock: Clock, patience: float) -> None:
        self._clock = clock
        self.patience = patience
        self.port = 0
        self.address = ""
        """Where a process tells its own port: `HOST:PORT`, which takes one line of text."""
        self._attached = 0
        self._changed = asyncio.Event()
        self._inner: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._servers: list[asyncio.Server] = []
        self._passing: set[asyncio.Task[None]] = set()

    async def open(self, port: int) -> None:
        """Listen on a port of the loopback; 0 takes a free one. OSError when it is taken."""
        outer = await asyncio.start_server(self._enter, "127.0.0.1", port)
        self._servers.append(outer)
        told = await asyncio.start_server(self._told, "127.0.0.1", 0)
        self._servers.append(told)
        self.port = outer.sockets[0].getsockname()[1]
        self.address = f"127.0.0.1:{told.sockets[0].getsockname()[1]}"

    @property
    def attached(self) -> bool:
        """Whether a debugger is connected to the process now."""
        return self._attached > 0

    async def wait(self, event: asyncio.Event, timeout: float) -> bool:
        """Wait until `event` is set; False when `timeout` seconds passed in which no debugger
        was attached."""
        left = timeout
        while not event.is_set() and left > 0:
            self._changed.clear()
            counts, began = not self.attached, self._clock.monotonic()
            waits: list[asyncio.Future[object]] = [
                asyncio.ensure_future(event.wait()),
                asyncio.ensure_future(self._changed.wait()),
            ]
            if counts:
                waits.append(asyncio.ensure_future(self._clock.sleep(left)))
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
            if counts:
                left -= self._clock.monotonic() - began
        return event.is_set()

    def renew(self) -> None:
        """Forget the process behind the door: another one will come."""
        for task in self._passing:
            task.cancel()
        if self._inner.done():
            self._inner = asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        """Close the door and end every connection through it."""
        for server in self._servers:
            server.close()
        self._inner.cancel()
        self.renew()
        while self._passing:
            await asyncio.wait(self._passing)

    async def _told(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ValueError, OSError):
            port = int(await reader.readline())
            if not self._inner.done():
                self._inner.set_result(port)
        writer.close()

    async def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        try:
            port = await asyncio.shield(self._inner)
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        except (asyncio.CancelledError, OSError):
            self._passing.discard(task)
            writer.close()
            return
        self._attached += 1
        self._changed.set()
        ways = [
            asyncio.ensure_future(_pass_on(reader, inner_writer)),
            asyncio.ensure_future(_pass_on(inner_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            pass
        finally:
            for way in ways:
                way.cancel()
            writer.close()
            inner_writer.close()
            self._passing.discard(task)
            self._attached -= 1
            self._changed.set()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
