"""What an event carries with it of its own past: plain data, in the event's stored form.

So it moves to a dead-letter queue in the transaction that moves the message, and is gone when
the message is.
"""

from __future__ import annotations

import msgspec

KEPT = 10
"""How many failures of one event are kept: the last ones."""


class Failure(msgspec.Struct, frozen=True, array_like=True):
    """One delivery that failed.

    `time` is when it ended, in seconds since the epoch, and `seconds` how long it took. `log`
    is the log group in which `request_id` is found. `stack` is shortened, as the function
    gave it; its `fingerprint` is the same for failures of one kind.
    """

    time: float
    function: str
    version: str
    request_id: str
    type: str
    message: str
    stack: tuple[str, ...]
    fingerprint: str
    seconds: float = 0.0
    log: str = ""


class History(msgspec.Struct, frozen=True, array_like=True):
    """What happened to an event before: its last failures, the oldest first.

    `replays` counts how often it was brought back from a dead-letter queue, `died` when it
    last came to one (seconds since the epoch). `origin` is the ARN of the function that it
    was for, when that was invoked by itself and not from a queue.
    """

    failures: tuple[Failure, ...] = ()
    replays: int = 0
    died: float | None = None
    origin: str | None = None

    def and_then(self, failure: Failure) -> History:
        """With one failure more; the oldest beyond `KEPT` are forgotten."""
        return msgspec.structs.replace(self, failures=(*self.failures, failure)[-KEPT:])


NOTHING = History()
