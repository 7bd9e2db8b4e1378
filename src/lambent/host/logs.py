"""Where functions' log lines go: the sink's contract, and CloudWatch Logs as one.

Writing never waits: lines are buffered within a fixed limit and put in batches soon after,
so an invocation's answer is not delayed by its log. The log service is an ordinary
operation of the registry.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from lambent.core.clock import Clock
from lambent.core.context import Params, RequestContext
from lambent.core.errors import AwsError, LambentError
from lambent.core.ids import Ids
from lambent.core.registry import Registry
from lambent.host.output import LogEvent

MAX_BUFFERED = 32 * 1024 * 1024
"""Bytes of all streams that may wait to be put; what comes on top is dropped, visibly."""
_LINGER = 0.02
"""Seconds that lines wait for others."""
_SHARE = 9.0
"""They wait this many times as long as the last were put for, so that writing logs takes at
most a tenth of the time, however slow the disk is."""
_LONGEST_LINGER = 0.5
_BATCH_EVENTS = 10_000
_BATCH_BYTES = 1_048_576
_EVENT_OVERHEAD = 26
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LogStream:
    """Where one environment's lines go."""

    account: str
    region: str
    group: str
    name: str


class LogSink(Protocol):
    """Takes the log of all environments."""

    def write(self, stream: LogStream, events: Sequence[LogEvent]) -> None:
        """Take events; never waits, never raises."""
        ...

    async def flush(self) -> None:
        """Return once everything written before is where it belongs."""
        ...

    async def close(self) -> None:
        """Flush, then stop."""
        ...


def stream_name(now: float, version: str, unique: str, function: str = "") -> str:
    """`YYYY/MM/DD/[$LATEST]<32 hex digits>`, as Lambda names its log streams; with the function
    before the version in a group that is not the function's own."""
    return f"{time.strftime('%Y/%m/%d', time.gmtime(now))}/{function}[{version}]{unique}"


def batches(events: Sequence[LogEvent]) -> list[list[LogEvent]]:
    """Events in batches that PutLogEvents takes: in order of time, within its limits. What
    one event has beyond them is cut off."""
    result: list[list[LogEvent]] = []
    size = _BATCH_BYTES
    for event in sorted(events, key=lambda event: event[0]):
        cost = len(text := event[1].encode("utf-8", "replace")) + _EVENT_OVERHEAD
        if cost > _BATCH_BYTES:
            cut = text[: _BATCH_BYTES - _EVENT_OVERHEAD].decode("utf-8", "ignore")
            event, cost = (event[0], cut), _BATCH_BYTES
        if size + cost > _BATCH_BYTES or len(result[-1]) >= _BATCH_EVENTS:
            result.append([])
            size = 0
        result[-1].append(event)
        size += cost
    return result


class CloudWatchLogs:
    """Puts lines into the node's own CloudWatch Logs; makes groups and streams as needed."""

    def __init__(
        self, registry: Registry, clock: Clock, ids: Ids, endpoint: Callable[[], str]
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._ids = ids
        self._endpoint = endpoint
        self._waiting: dict[LogStream, list[LogEvent]] = {}
        self._buffered = 0
        self._known: set[LogStream] = set()
        self._writer: asyncio.Task[None] | None = None
        self._flush_now = asyncio.Event()

    def write(self, stream: LogStream, events: Sequence[LogEvent]) -> None:
        size = sum(len(text) for _, text in events)
        if self._buffered > MAX_BUFFERED:
            return
        self._buffered += size
        waiting = self._waiting.setdefault(stream, [])
        waiting.extend(events)
        if self._buffered > MAX_BUFFERED and events:
            waiting.append(
                (events[-1][0], "[Lines lost here: they came faster than they are kept]\n")
            )
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())

    async def flush(self) -> None:
        while self._writer is not None:
            self._flush_now.set()
            await self._writer

    async def close(self) -> None:
        await self.flush()

    async def _write(self) -> None:
        """Put what waits until nothing does; each round takes all that came meanwhile."""
        linger = _LINGER
        try:
            while self._waiting:
                await self._clock.wait(self._flush_now, linger)
                taken, self._waiting, self._buffered = self._waiting, {}, 0
                began = self._clock.monotonic()
                # Together, so that one commit serves all streams.
                await asyncio.gather(*(self._try_to_put(*each) for each in taken.items()))
                took = self._clock.monotonic() - began
                linger = min(max(_LINGER, _SHARE * took), _LONGEST_LINGER)
        finally:
            self._writer = None
            self._flush_now.clear()

    async def _try_to_put(self, stream: LogStream, events: list[LogEvent]) -> None:
        try:
            await self._put(stream, events)
        except LambentError as error:
            _log.warning("Log lines of %s were lost: %s", stream.group, error)

    async def _put(self, stream: LogStream, events: Sequence[LogEvent]) -> None:
        if stream not in self._known:
            await self._make(stream)
        for batch in batches(events):
            params: Params = {
                "logGroupName": stream.group,
                "logStreamName": stream.name,
                "logEvents": [
                    {"timestamp": int(when * 1000), "message": text} for when, text in batch if text
                ],
            }
            try:
                await self._call(stream, "PutLogEvents", params)
            except AwsError as error:
                if error.code != "ResourceNotFoundException":
                    raise
                await self._make(stream)  # someone deleted it
                await self._call(stream, "PutLogEvents", params)

    async def _make(self, stream: LogStream) -> None:
        group: Params = {"logGroupName": stream.group}
        for operation, params in (
            ("CreateLogGroup", group),
            ("CreateLogStream", {**group, "logStreamName": stream.name}),
        ):
            try:
                await self._call(stream, operation, params)
            except AwsError as error:
                if error.code != "ResourceAlreadyExistsException":
                    raise
        self._known.add(stream)

    async def _call(self, stream: LogStream, operation: str, params: Params) -> None:
        context = RequestContext(
            account=stream.account,
            region=stream.region,
            request_id=self._ids.uuid(),
            now=self._clock.now(),
            endpoint=self._endpoint(),
            principal="lambda.amazonaws.com",
        )
        await self._registry.call(context, "logs", operation, params)
