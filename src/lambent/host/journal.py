"""An environment's log: what the function, its extensions and the platform say, in order.

Owns the log's format (text or JSON), its levels, the tail that a caller asked for, and who
else listens (telemetry subscribers). Knows neither processes nor invocations.

Source: Lambda Developer Guide, "Configuring advanced logging controls for Lambda functions".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from lambent.core.clock import Clock
from lambent.host import platform_events, report
from lambent.host.contract import FunctionSpec
from lambent.host.logs import LogSink, LogStream
from lambent.host.output import LogEvent
from lambent.host.platform_events import PlatformEvent


class Subscriber(Protocol):
    """Someone else who is told everything."""

    def told(self, event: PlatformEvent) -> None:
        """Take an event, whatever its type; never waits."""
        ...


class Journal:
    """One environment's log."""

    def __init__(self, spec: FunctionSpec, stream: LogStream, sink: LogSink, clock: Clock) -> None:
        self._spec = spec
        self._stream = stream
        self._sink = sink
        self._clock = clock
        self._json = spec.log_format == "JSON"
        self._tail: Tail | None = None
        self._subscribers: list[Subscriber] = []
        self._history: list[PlatformEvent] | None = []

    @property
    def group(self) -> str:
        """The log group's name."""
        return self._stream.group

    @property
    def name(self) -> str:
        """The log stream's name."""
        return self._stream.name

    @property
    def plain(self) -> bool:
        """Whether lines of text are all that anyone sees."""
        return not (self._json or self._subscribers or self._history is not None)

    # Who listens -------------------------------------------------------------------------

    def subscribe(self, subscriber: Subscriber) -> None:
        """Tell this one everything, from the environment's beginning on."""
        for event in self._history or ():
            subscriber.told(event)
        self._subscribers.append(subscriber)

    def unsubscribe_all(self) -> None:
        """A new process begins: those who listened are gone, later ones hear it from here."""
        self._subscribers.clear()
        self._history = []

    def forget_history(self) -> None:
        """Nobody subscribes from now on."""
        self._history = None

    def begin_tail(self) -> None:
        """Keep the last of what is written from now on."""
        self._tail = Tail()

    def end_tail(self) -> bytes:
        """What was kept; nothing when nobody asked."""
        tail, self._tail = self._tail, None
        return tail.bytes() if tail is not None else b""

    # What is written ---------------------------------------------------------------------

    def function(self, events: Sequence[LogEvent]) -> None:
        """Lines of the function's."""
        self._lines("function", events)

    def extension(self, events: Sequence[LogEvent]) -> None:
        """Lines of an extension's."""
        self._lines("extension", events)

    def platform(self, type: str, record: Mapping[str, Any] | str, text: str | None = None) -> None:
        """An event of the platform's; `text` is its line in text format, if it has one."""
        event = PlatformEvent(self._clock.now(), type, record)
        self._tell(event)
        if not self._json:
            self._write([(event.time, text)] if text is not None else ())
        elif platform_events.at_least(platform_events.level(event), self._spec.system_log_level):
            self._write([(event.time, platform_events.line(event))])

    def older(self, type: str, record: Mapping[str, Any] | str) -> None:
        """An event that only the older Logs API shows."""
        self._tell(PlatformEvent(self._clock.now(), type, record))

    def text(self, *lines: str) -> None:
        """Lines of the platform's that have no event: only in text format."""
        if not self._json:
            now = self._clock.now()
            self._write([(now, line) for line in lines])

    def _lines(self, type: str, events: Sequence[LogEvent]) -> None:
        if not events:
            return
        if self._subscribers or self._history is not None:
            for when, text in events:
                self._tell(PlatformEvent(when, type, text.removesuffix("\n")))
        if self._json and self._spec.application_log_level not in ("", "TRACE"):
            least = self._spec.application_log_level
            events = [
                event
                for event in events
                if (named := platform_events.line_level(event[1])) is None
                or platform_events.at_least(named, least)
            ]
        self._write(events)

    def _tell(self, event: PlatformEvent) -> None:
        if self._history is not None:
            self._history.append(event)
        for subscriber in self._subscribers:
            subscriber.told(event)

    def _write(self, events: Sequence[LogEvent]) -> None:
        if not events:
            return
        self._sink.write(self._stream, events)
        if self._tail is not None:
            self._tail.add(events)


class Tail:
    """The last bytes of an invocation's log."""

    def __init__(self) -> None:
        self._texts: deque[str] = deque()
        self._size = 0

    def add(self, events: Sequence[LogEvent]) -> None:
        """Take events; what the tail surely does not reach is let go."""
        for _, text in events:
            self._texts.append(text)
            self._size += len(text)
            while self._size - len(self._texts[0]) > report.TAIL_BYTES:
                self._size -= len(self._texts.popleft())

    def bytes(self) -> bytes:
        """The tail itself, beginning with a whole character."""
        cut = "".join(self._texts).encode()[-report.TAIL_BYTES :]
        return cut.decode("utf-8", "ignore").encode()
