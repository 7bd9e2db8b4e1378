"""What is stored of durable executions.

| collection | partition | sort |
| --- | --- | --- |
| lambda.executions | account/region/function | id (ids grow with their start) |
| lambda.execution-names | account/region/function | the execution's name → id |
| lambda.execution-data | account/region/function/id | "input", "result" |
| lambda.execution-operations | account/region/function/id | the operation's id |
| lambda.execution-order | account/region/function/id | order, in eight digits → its id |

The history is a log, `lambda.execution-history/account/region/function/id`. What is due to be
run is work of the function's queue, and what becomes due is work of `TIMERS`.
Times are in seconds since the epoch.
"""

from __future__ import annotations

from typing import Any

import msgspec

EXECUTIONS = "lambda.executions"
NAMES = "lambda.execution-names"
DATA = "lambda.execution-data"
OPERATIONS = "lambda.execution-operations"
ORDER = "lambda.execution-order"
HISTORY = "lambda.execution-history"
TIMERS = "lambda.execution-timers"

RUNNING = "RUNNING"
PAUSING = "PAUSING"
PAUSED = "PAUSED"
SUCCEEDED = "SUCCEEDED"
FAILED = "FAILED"
TIMED_OUT = "TIMED_OUT"
STOPPED = "STOPPED"
ENDED = frozenset({SUCCEEDED, FAILED, TIMED_OUT, STOPPED})

Error = dict[str, Any]
"""An ErrorObject: ErrorMessage, ErrorType, ErrorData, StackTrace, as far as there are any."""


class Key(msgspec.Struct, frozen=True):
    """Which execution."""

    account: str
    region: str
    function: str
    id: str

    @property
    def owner(self) -> bytes:
        """The partition of the function's executions."""
        return f"{self.account}/{self.region}/{self.function}".encode()

    @property
    def own(self) -> bytes:
        """The partition of what belongs to this one."""
        return self.owner + b"/" + self.id.encode()

    @property
    def history(self) -> str:
        """The log of its events."""
        return f"{HISTORY}/{self.own.decode()}"


class Operation(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """One operation of an execution, by the API's types and statuses.

    `due` is when a wait ends, a step is tried again, or a callback times out; `beats` is by
    when a callback's next heartbeat has to come. `seconds` and `heartbeat` are as they were
    asked for. `input` is a chained invocation's payload, `function` what it invokes.
    """

    id: str
    type: str
    status: str
    order: int = 0
    parent: str | None = None
    name: str | None = None
    sub_type: str | None = None
    started: float = 0.0
    ended: float | None = None
    result: str | None = None
    error: Error | None = None
    attempt: int = 0
    due: float | None = None
    seconds: int = 0
    heartbeat: int = 0
    beats: float | None = None
    replay_children: bool = False
    callback: str | None = None
    function: str | None = None
    tenant: str | None = None
    input: str | None = None


class Pause(msgspec.Struct, frozen=True):
    """A pause that was asked for. `token` is the request's ClientToken."""

    requested: float
    holds_timeout: bool
    reason: str | None = None
    token: str | None = None


class Chained(msgspec.Struct, frozen=True):
    """The operation of another execution that waits for this one's end."""

    key: Key
    operation: str


class Told(msgspec.Struct, frozen=True):
    """The last checkpoint: the request that it answered, and the operations that it told of."""

    token: str
    client_token: str | None
    operations: list[str]


class Execution(msgspec.Struct, kw_only=True):
    """One execution, without its payloads.

    `qualifier` is as the caller asked, `version` what that meant then. `run` counts its
    invocations, `checkpoint` those of the present one; together they make the checkpoint token.
    `active` says that an invocation runs or is about to, `stirred` that something happened
    since it began, so that another has to follow. `waiting` counts the operations that
    something from outside will complete. `unseen` are operations that the function has not
    heard of yet. `asynchronous`: nobody waits, and destinations are told of its end.
    """

    id: str
    name: str
    version: str
    qualifier: str
    started: float
    deadline: float
    timeout: int
    retention: int
    input_digest: str
    asynchronous: bool
    request_id: str
    kms_key: str | None = None
    trace: str | None = None
    chained: Chained | None = None
    status: str = RUNNING
    ended: float | None = None
    error: Error | None = None
    run: int = 0
    checkpoint: int = 0
    active: bool = False
    stirred: bool = False
    waiting: int = 0
    operations: int = 0
    events: int = 0
    written: int = 0
    unseen: list[str] = []
    told: Told | None = None
    pause: Pause | None = None
    resume_token: str | None = None
    invoked: float = 0.0

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.status in ENDED


class Timer(msgspec.Struct, frozen=True):
    """Something of an execution becomes due: its `operation`, or all of it without one.

    `kind`: "wait", "step", "callback", "heartbeat", "timeout" or "retention".
    """

    key: Key
    kind: str
    operation: str | None = None
    attempt: int = 0


class Run(msgspec.Struct, frozen=True):
    """Something that a function is to be invoked for: the execution itself, or its chained
    `operation`. `errors` and `throttles` count how earlier tries ended."""

    id: str
    operation: str | None = None
    errors: int = 0
    throttles: int = 0
