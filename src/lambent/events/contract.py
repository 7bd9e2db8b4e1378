"""How services reach each other's resources by ARN, without importing each other.

- a `Target` accepts an event durably, inside the producer's own transaction: an upload and
  its notification are one commit (the transactional outbox is the transaction itself);
- an `Invocable` runs something now and says how it went;
- a `Source` gives batches to the delivery engine (`events.delivery`) and takes outcomes.

`Targets` holds those of a node by the ARN's service part.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

from lambent.core.arns import Arn
from lambent.events.history import Failure, History
from lambent.store.contract import Transaction


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends to a target, as its policy is to see it.

    `principal` is the service that sends ("s3.amazonaws.com") for the resource `source_arn` of
    `account`. It asks in its own name, or as the `role` it was given (an ARN).
    """

    principal: str
    source_arn: str
    account: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """Something for a target.

    `body` is the payload as the target is to see it (an SQS message body, a Lambda event's
    JSON).
    """

    body: bytes
    sender: Sender
    trace: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """For SQS and SNS: message attributes in SQS's own shape; `MessageGroupId` and
    `MessageDeduplicationId` may stand here under those names."""
    history: History | None = None
    """What happened to it before, for a dead letter or one that is brought back."""


class Target(Protocol):
    """A kind of resource that events can be sent to."""

    async def check(self, tx: Transaction, arn: Arn, sender: Sender) -> str | None:
        """None when the sender may send to the resource; otherwise what is wrong, for people
        (it does not exist, permission is missing)."""
        ...

    async def accept(self, tx: Transaction, arn: Arn, event: Event) -> None:
        """Take the event durably, in the caller's transaction.

        Raises AwsError when the resource cannot take it (it is gone, its policy does not let
        the sender, the event is too large); the caller decides what becomes of the event then.
        """
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an invocation went. `error` is None on success; `payload` is what came back.

    `error`: "Handled" or "Unhandled" for a function error, "Throttled" when there was no
    place, "Failed" when the platform could not run it. `retryable` is False for errors that
    another attempt cannot mend.
    """

    payload: bytes
    error: str | None = None
    retryable: bool = True
    version: str = "$LATEST"
    request_id: str = ""
    message: str = ""
    log: str = ""
    """The log group that has what the function wrote."""
    code: str = ""
    """The error's AWS code, for "Throttled" and "Failed"."""
    seconds: float | None = None
    """How long the function itself ran, without waiting for an environment; None: not known."""


class Invocable(Protocol):
    """A kind of resource that can be run with a payload: a function, later a workflow."""

    async def invoke(self, arn: Arn, payload: bytes, *, trace: str | None = None) -> Outcome:
        """Run it and wait. Never raises for what the function does."""
        ...

    async def timeout(self, tx: Transaction, arn: Arn) -> float:
        """The longest that one invocation may take, in seconds. AwsError when it is gone."""
        ...


@dataclass(frozen=True, slots=True)
class Batch:
    """Claimed items of a source. `tickets` are opaque to everyone but the source."""

    records: Sequence[Mapping[str, Any]]
    """One mapping per item, as the function sees it under "Records"."""
    identifiers: Sequence[str]
    """What `batchItemFailures` names an item by, one per record."""
    tickets: Sequence[Any]
    dead_lettered: int = 0
    """How many more the claim found received too often and moved to a dead-letter queue."""
    suppressed: int = 0
    """How many more it found to be duplicates, which nobody is to see."""
    following: int = 0
    """How many more are duplicates of these, and end as they do."""


class Source(Protocol):
    """A kind of resource that event source mappings poll. One object serves all ARNs."""

    async def claim(self, tx: Transaction, arn: Arn, limit: int, lease: float | None) -> Batch:
        """Take up to `limit` items, leased for `lease` seconds (None: the source's own
        setting). An empty batch when nothing is due."""
        ...

    async def settle(self, tx: Transaction, arn: Arn, tickets: Sequence[Any]) -> None:
        """These are done. Tickets that were overtaken by a newer claim are passed over."""
        ...

    async def fail(
        self, tx: Transaction, arn: Arn, tickets: Sequence[Any], delay: float | None
    ) -> None:
        """These failed: they come again after `delay` seconds (None: when their lease ends)."""
        ...

    async def extend(self, tx: Transaction, arn: Arn, tickets: Sequence[Any], lease: float) -> None:
        """The work goes on: let the leases end `lease` seconds from now."""
        ...

    def arrived(self, arn: Arn) -> asyncio.Event:
        """As `Store.work_arrived` (or `log_grew`)."""
        ...

    async def next_due(self, tx: Transaction, arn: Arn) -> float | None:
        """When something can be claimed, in seconds since the epoch; None: nothing waits."""
        ...

    async def describe(self, tx: Transaction, arn: Arn) -> Mapping[str, Any]:
        """What a mapping's validation needs: `visibility_timeout` in seconds, `fifo`, and
        whatever else the source's kind has. AwsError when the resource is not there."""
        ...


@runtime_checkable
class Remembering(Protocol):
    """A source whose items carry their own past (`events.history`)."""

    async def remember(
        self, tx: Transaction, arn: Arn, tickets: Sequence[Any], failure: Failure
    ) -> None:
        """These failed so. Called before `fail`, in the same transaction."""
        ...


@runtime_checkable
class Postponing(Protocol):
    """A source that takes items back which nobody tried."""

    async def postpone(
        self, tx: Transaction, arn: Arn, tickets: Sequence[Any], delay: float
    ) -> None:
        """These come again after `delay` seconds, as if they had not been claimed."""
        ...


class Kept(NamedTuple):
    """An item that was taken out of its source: its identifier, what people may see of it,
    and what `put_back` takes."""

    id: str
    preview: str
    value: bytes


@runtime_checkable
class Keeping(Protocol):
    """What a source can do besides, if its items can leave it without having been done.

    Tickets that were overtaken by a newer claim are passed over.
    """

    async def dead_letter(self, tx: Transaction, arn: Arn, tickets: Sequence[Any]) -> bool:
        """Move items to the source's own dead-letter queue; False, and nothing moved, when it
        has none."""
        ...

    async def take_out(self, tx: Transaction, arn: Arn, tickets: Sequence[Any]) -> list[Kept]:
        """Remove items and give what is needed to put them back."""
        ...

    async def put_back(self, tx: Transaction, arn: Arn, values: Sequence[bytes]) -> None:
        """Add items that `take_out` gave, due now, as new ones. AwsError when the source is
        gone."""
        ...


class Targets:
    """The targets, invocables and sources of a node, by the ARN's service ("sqs")."""

    def __init__(self) -> None:
        self.targets: dict[str, Target] = {}
        self.invocables: dict[str, Invocable] = {}
        self.sources: dict[str, Source] = {}

    def target(self, arn: Arn) -> Target | None:
        """What accepts events for the ARN; None when no service here does."""
        return self.targets.get(arn.service)

    def invocable(self, arn: Arn) -> Invocable | None:
        """What runs the ARN; None when no service here does."""
        return self.invocables.get(arn.service)

    def source(self, arn: Arn) -> Source | None:
        """What the ARN's events are claimed from; None when no service here has any."""
        return self.sources.get(arn.service)
