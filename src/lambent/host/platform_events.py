"""What the platform says of an environment's life, as events: pure.

Each event has a time, a type ("platform.start") and a record, as the Telemetry API and
CloudWatch Logs in JSON format show it, and a level by which the latter filters. The text that
CloudWatch Logs shows otherwise is made by `report`.

Sources: Lambda Developer Guide, "Lambda Telemetry API Event schema reference" and "Log-level
filtering" (the table of system log events and levels).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_SYNONYMS = {"WARNING": "WARN", "CRITICAL": "FATAL"}
_KNOWN = re.compile(r"(?:Runtime|Function|Extension|Sandbox)\.[A-Z][A-Za-z]+")
_QUIET = frozenset({"platform.initRuntimeDone", "platform.runtimeDone"})


@dataclass(frozen=True, slots=True)
class PlatformEvent:
    """One event; `time` in seconds since the epoch. A `record` is text in few older ones."""

    time: float
    type: str
    record: Mapping[str, Any] | str

    def document(self) -> dict[str, Any]:
        """The event as the Telemetry API gives it."""
        return {"time": instant(self.time), "type": self.type, "record": self.record}


def instant(when: float) -> str:
    """As in events: ISO 8601 with milliseconds, in UTC."""
    milliseconds = round(when * 1000)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(milliseconds // 1000))
    return f"{text}.{milliseconds % 1000:03d}Z"


def milliseconds(seconds: float) -> float:
    """A duration as in events."""
    return round(seconds * 1000, 3)


def metrics(
    duration: float, billed: float, memory: int, used: int, init: float | None
) -> dict[str, Any]:
    """The metrics of a report. Durations in seconds, memory in MiB."""
    shown: dict[str, Any] = {
        "durationMs": milliseconds(duration),
        "billedDurationMs": round(billed * 1000),
        "memorySizeMB": memory,
        "maxMemoryUsedMB": used,
    }
    if init is not None:
        shown["initDurationMs"] = milliseconds(init)
    return shown


def level(event: PlatformEvent) -> str:
    """The level at which CloudWatch Logs shows the event."""
    record = event.record if isinstance(event.record, Mapping) else {}
    if event.type == "platform.logsDropped":
        return "WARN"
    if event.type == "platform.initStart":
        return "INFO" if "runtimeVersion" in record else "DEBUG"
    if event.type == "platform.extension":
        return "WARN" if "errorType" in record else "INFO"
    if record.get("status", "success") != "success":
        return "WARN"
    if event.type == "platform.initReport":
        return "DEBUG" if record.get("initializationType") == "on-demand" else "INFO"
    return "DEBUG" if event.type in _QUIET else "INFO"


def at_least(level: str, least: str) -> bool:
    """Whether a line of this level is shown where `least` is wanted; an unknown level counts
    as INFO."""
    rank = LEVELS.index(level) if level in LEVELS else LEVELS.index("INFO")
    return rank >= LEVELS.index(least)


def line(event: PlatformEvent) -> str:
    """The event as CloudWatch Logs shows it in JSON format."""
    return json.dumps(event.document(), separators=(",", ":"), ensure_ascii=False) + "\n"


def line_level(text: str) -> str | None:
    """The level of a function's own line, when it is a JSON object: INFO if it names none or
    no known one. None for other lines."""
    if not text.startswith("{"):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    if not isinstance(value, dict):
        return None
    named = str(value.get("level", "INFO")).upper()
    named = _SYNONYMS.get(named, named)
    return named if named in LEVELS else "INFO"


def error_type(told: str) -> str:
    """The type of a function's error as events show it: names of a function's own making are
    not passed on."""
    return told if _KNOWN.fullmatch(told) else "Function.Unknown"
