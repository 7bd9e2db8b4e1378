"""Debuggers as tests use them: a client of the Debug Adapter Protocol.

Source: the protocol's specification (microsoft.github.io/debug-adapter-protocol).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

Message = dict[str, Any]


class Debugger:
    """A debugger that is attached to debugpy, the way an editor is."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._sent = 0
        self._unread: list[Message] = []

    @classmethod
    async def attach(
        cls, port: int, local: str, remote: str, breakpoints: list[int], module: str = "app"
    ) -> Debugger:
        """Attach, with breakpoints on these lines of `LOCAL/MODULE.py`; returns once the
        process goes on."""
        self = cls(*await asyncio.open_connection("127.0.0.1", port))
        await self.ask("initialize", adapterID="python", pathFormat="path", linesStartAt1=True)
        mappings = [{"localRoot": local, "remoteRoot": remote}]
        attached = self._send("attach", pathMappings=mappings, justMyCode=False)
        await self.event("initialized")
        await self.ask(
            "setBreakpoints",
            source={"path": f"{local}/{module}.py"},
            breakpoints=[{"line": line} for line in breakpoints],
        )
        await self.ask("configurationDone")
        await self._response(attached)
        return self

    async def stopped(self) -> Message:
        """The frame where the process stopped, once it has."""
        event = await self.event("stopped")
        trace = await self.ask("stackTrace", threadId=event["threadId"])
        frame: Message = trace["stackFrames"][0]
        return {**frame, "thread": event["threadId"]}

    async def value(self, frame: Message, expression: str) -> str:
        """What an expression is, there."""
        answer = await self.ask("evaluate", expression=expression, frameId=frame["id"])
        return str(answer["result"])

    async def go_on(self, frame: Message) -> None:
        """Let the process run; it may be gone before it answers."""
        self._send("continue", threadId=frame["thread"])
        await self._writer.drain()

    async def ask(self, command: str, **arguments: Any) -> Message:
        return await self._response(self._send(command, **arguments))

    async def event(self, name: str) -> Message:
        found = await self._until(lambda m: m["type"] == "event" and m["event"] == name)
        return dict(found.get("body", {}))

    async def leave(self) -> None:
        """Close the connection."""
        self._writer.close()
        await self._writer.wait_closed()

    def _send(self, command: str, **arguments: Any) -> int:
        self._sent += 1
        message = {
            "seq": self._sent,
            "type": "request",
            "command": command,
            "arguments": arguments,
        }
        body = json.dumps(message).encode()
        self._writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        return self._sent

    async def _response(self, number: int) -> Message:
        found = await self._until(lambda m: m["type"] == "response" and m["request_seq"] == number)
        assert found["success"], found
        return dict(found.get("body") or {})

    async def _until(self, fits: Callable[[Message], bool]) -> Message:
        while True:
            for message in self._unread:
                if fits(message):
                    self._unread.remove(message)
                    return message
            self._unread.append(await self._read())

    async def _read(self) -> Message:
        length = 0
        while line := (await self._reader.readline()).strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        assert length, "the debugged process ended"
        message: Message = json.loads(await self._reader.readexactly(length))
        return message
