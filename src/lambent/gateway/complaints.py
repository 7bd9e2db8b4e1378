"""What the log says of requests that the store could not serve: not a line for each, as a full disk
refuses thousands a second, and lines need room too."""

from __future__ import annotations

import logging
from typing import Final

from lambent.core.clock import Clock

EVERY_SECONDS: Final = 5.0
_KINDS: Final = 100
_log = logging.getLogger("lambent.gateway")


class Complaints:
    """One line for each service and reason within `EVERY_SECONDS`, with how many requests it
    stands for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told: dict[tuple[str, str], tuple[float, int]] = {}

    def store_unavailable(self, service: str, request_id: str, error: Exception) -> None:
        """A request was told to come again."""
        now = self._clock.monotonic()
        kind = service, str(error)
        at, untold = self._told.get(kind, (-EVERY_SECONDS, 0))
        if now - at < EVERY_SECONDS:
            self._told[kind] = at, untold + 1
            return
        if len(self._told) >= _KINDS:
            self._told.clear()
        self._told[kind] = now, 0
        more = f" ({untold} requests more were told so before)" if untold else ""
        _log.warning("%s %s: the store is not available: %s%s", service, request_id, error, more)
