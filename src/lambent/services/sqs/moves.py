"""Tasks on a dead-letter queue's messages: what is stored of one, its handle, its pace. Pure.

AWS's own move task, and Lambent's replay and discard, which choose among the messages and can
be paused.

    PAUSED ⇄ RUNNING ──> COMPLETED | FAILED
       └────────┴─────> CANCELLING ──> CANCELLED

Source: SQS API reference, StartMessageMoveTask and ListMessageMoveTasks.
"""

from __future__ import annotations

import base64
import json
from typing import Any, Final

import msgspec

from lambent.core.arns import Arn
from lambent.services.sqs import errors
from lambent.services.sqs.recovery.selection import EVERYTHING, Selection

COLLECTION: Final = "sqs.move_tasks"
"""Records by the source's ARN, in order of their start."""

MAX_RATE: Final = 500
MAX_KEPT: Final = 10
"""How many tasks of a source are remembered."""

_STEPS_PER_SECOND = 10
UNLIMITED = 100
"""Messages that one step of a task looks at, and moves if it has no rate."""

RUNNING, PAUSED, COMPLETED, CANCELLING, CANCELLED, FAILED = (
    "RUNNING",
    "PAUSED",
    "COMPLETED",
    "CANCELLING",
    "CANCELLED",
    "FAILED",
)
ACTIVE = (RUNNING, CANCELLING)
"""A task that takes steps."""

LIVE = (*ACTIVE, PAUSED)
"""A task that has not ended."""

MOVE, REPLAY, DISCARD = "move", "replay", "discard"


class MoveTask(msgspec.Struct, frozen=True):
    """One task. `rate` in messages per second; `started` in seconds since the epoch.

    `after` is the last of the source's items that was looked at, and `until` the last that
    lay there when the task began: what fails again meanwhile is not moved in a circle.
    `held` are the FIFO groups that are passed over, as an earlier message of theirs is in
    flight. `incarnation` is the source's uid.

    What only Lambent's own tasks have: `selection` says which messages are meant; those that
    were replayed `cap` times are left. `capped` counts these, `passed` those in flight or
    behind one, `unroutable` those that could go nowhere.
    """

    id: str
    source: str
    incarnation: str
    destination: str | None
    rate: int | None
    started: float
    to_move: int
    until: int = 0
    after: int = 0
    moved: int = 0
    status: str = RUNNING
    failure: str | None = None
    held: tuple[str, ...] = ()
    action: str = MOVE
    selection: Selection = EVERYTHING
    cap: int | None = None
    capped: int = 0
    passed: int = 0
    unroutable: int = 0

    @property
    def key(self) -> tuple[bytes, bytes]:
        """Partition and sort key of the record."""
        return self.source.encode(), f"{int(self.started * 1000):015}/{self.id}".encode()

    @property
    def place(self) -> tuple[str, str]:
        """Account and region of the source."""
        arn = Arn.parse(self.source)
        return arn.account, arn.region

    @property
    def step(self) -> int:
        """How many messages are moved at a time."""
        return UNLIMITED if self.rate is None else max(1, self.rate // _STEPS_PER_SECOND)

    def pause(self, moved: int) -> float:
        """Seconds to wait after `moved` messages, so that the rate is kept."""
        return 0.0 if self.rate is None else moved / self.rate


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(MoveTask)


def encode(task: MoveTask) -> bytes:
    """The stored form."""
    return _encoder.encode(task)


def decode(data: bytes) -> MoveTask:
    """A task from its stored form."""
    return _decoder.decode(data)


def handle(task: MoveTask) -> str:
    """The TaskHandle: as AWS's, the base64 of the task's id and source."""
    text = json.dumps({"taskId": task.id, "sourceArn": task.source}, separators=(",", ":"))
    return base64.b64encode(text.encode()).decode()


def parse_handle(text: str) -> tuple[str, str]:
    """(task id, source ARN) of a TaskHandle; AwsError when it is none."""
    try:
        document = json.loads(base64.b64decode(text, validate=True))
        found = document["taskId"], document["sourceArn"]
    except (ValueError, TypeError, KeyError, RecursionError):
        found = None, None
    if not all(isinstance(part, str) for part in found):
        raise errors.invalid("Value for parameter TaskHandle is invalid.")
    return found


def wire(task: MoveTask) -> dict[str, Any]:
    """A task as ListMessageMoveTasks gives it."""
    return {
        "TaskHandle": handle(task) if task.status in (RUNNING, PAUSED) else None,
        "Status": RUNNING if task.status == PAUSED else task.status,
        "SourceArn": task.source,
        "DestinationArn": task.destination,
        "MaxNumberOfMessagesPerSecond": task.rate,
        "ApproximateNumberOfMessagesMoved": task.moved,
        "ApproximateNumberOfMessagesToMove": task.to_move,
        "FailureReason": task.failure,
        "StartedTimestamp": int(task.started * 1000),
    }
