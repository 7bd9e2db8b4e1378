"""Logging: one line per event, for people on a terminal and as JSON otherwise.

Nothing that is logged may hold a secret. Requests are logged by method and path without
their query, since presigned URLs carry their signature there.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import TextIO


class _Human(logging.Formatter):
    """`12:00:00 INFO  lambent.gateway  message`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-5s %(name)s  %(message)s", "%H:%M:%S")


class _Json(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def set_up(level: str = "WARNING", stream: TextIO | None = None) -> None:
    """Send Lambent's log to `stream` (standard error), from `level` on."""
    out = stream or sys.stderr
    handler = logging.StreamHandler(out)
    handler.setFormatter(_Human() if out.isatty() else _Json())
    logger = logging.getLogger("lambent")
    logger.handlers = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
