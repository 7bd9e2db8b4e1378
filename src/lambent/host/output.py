"""What a function writes, taken apart into log events: pure decoding, bounded memory.

One stream carries plain lines (standard output and error) and the runtime clients' framed
log records (AWS's telemetry framing: type, length, microseconds, message), which may span
lines and stay one event. Carrying both in one stream keeps them in the order written.
"""

from __future__ import annotations

from collections.abc import Iterator

LogEvent = tuple[float, str]
"""When (seconds since the epoch) and what. The text keeps its line end."""

MAX_EVENT = 256 * 1024
"""Bytes of one event; longer lines are cut into several."""
MAX_OUTPUT = 8 * 1024 * 1024
"""Bytes that are kept of one invocation's output."""

_MAGIC = b"\xa5\x5a\x00"
_HEADER = 16
_DAY = 86_400.0
_FRAME_TYPES = frozenset(range(0x02, 0x20))


class OutputDecoder:
    """Feed it bytes as they arrive, take events."""

    def __init__(self) -> None:
        self._rest = b""
        self._taken = 0
        self._cut = False

    def begin(self) -> None:
        """A new invocation begins: its output has its own limit."""
        self._taken = 0
        self._cut = False

    def feed(self, data: bytes, now: float) -> list[LogEvent]:
        """The events that are complete with this data; lines are stamped `now`."""
        if self._cut:
            return []
        self._taken += len(data)
        if self._taken > MAX_OUTPUT:
            self._cut = True
            self._rest = b""
            notice = f"[Output cut here: more than {MAX_OUTPUT >> 20} MiB in one invocation]\n"
            return [(now, notice)]
        self._rest += data
        return list(self._events(now))

    def finish(self, now: float) -> list[LogEvent]:
        """The invocation ended: an unfinished line is an event, too."""
        rest, self._rest = self._rest, b""
        return [(now, _text(rest))] if rest else []

    def _events(self, now: float) -> Iterator[LogEvent]:
        data = self._rest
        position = 0
        while position < len(data):
            if data.startswith(_MAGIC, position):
                frame = _frame(data, position, now)
                if frame is not None:
                    length, when = frame
                    body = position + _HEADER
                    if body + length > len(data):
                        break
                    yield when, _text(data[body : body + length])
                    position = body + length
                    continue
            elif len(data) - position < len(_MAGIC) and _MAGIC.startswith(data[position:]):
                break
            newline = data.find(b"\n", position)
            end = newline + 1 if newline >= 0 else len(data)
            framed = data.find(_MAGIC, position + 1, end)
            if framed >= 0:
                end = framed
            elif newline < 0 and end - position < MAX_EVENT:
                break
            while end - position > MAX_EVENT:
                yield now, _text(data[position : position + MAX_EVENT])
                position += MAX_EVENT
            yield now, _text(data[position:end])
            position = end
        self._rest = data[position:]


def _frame(data: bytes, position: int, now: float) -> tuple[int, float] | None:
    """A frame's length and time; None when it only looks like one (binary output)."""
    header = data[position : position + _HEADER]
    if len(header) < _HEADER:
        return _HEADER + len(data), now  # wait for the rest
    length = int.from_bytes(header[4:8], "big")
    when = int.from_bytes(header[8:16], "big") / 1e6
    if header[3] not in _FRAME_TYPES or length > MAX_OUTPUT:
        return None
    # A clock that is not the function's own (virtual time) wins over the frame's.
    return length, when if abs(when - now) < _DAY else now


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
