"""The store's contract: four primitives that carry every service.

| primitive | what it is |
| --- | --- |
| records | ordered documents: collection, partition, sort → value |
| work | things to be done once due: enqueue, claim with a lease and a fencing token, settle |
| log | append-only sequences read by position, trimmed by age |
| blobs | streamed bytes with ranges |

A transaction spans records, work, log and the *links* to blobs; a blob's bytes are staged
before the transaction that links them. Nothing is acknowledged before it is on disk:
`transact` returns only once its writes, and everything it read, are durable.

Times inside a transaction are the store's own (`Transaction.now`, seconds since the epoch),
and what callers pass are durations, so nodes whose clocks differ agree on what is due.

Names (`collection`, `queue`, `log`) are free text made by services, by convention
"service.kind" or "service.kind/account/region/name". They know no wire format.

Every backend passes the one conformance suite in `tests/store`; this docstring and the
methods below say all that it may rely on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, NamedTuple, Protocol, TypeVar, runtime_checkable

import msgspec

T = TypeVar("T")

ABSENT: Final = 0
"""As `expect`: there must be no record under the key."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One document. `version` is positive and grows with every put of the key."""

    partition: bytes
    sort: bytes
    value: bytes
    version: int


class NewWork(msgspec.Struct, frozen=True, gc=False):
    """Work to enqueue.

    `delay` in seconds until it is due. Items of one `group` can be claimed in order, and
    tenants in turn (see `Transaction.claim`); a `tenant` is not empty. `created` overrides the
    enqueue time (seconds since the epoch), for work that moves between queues and keeps its
    age.
    """

    payload: bytes
    delay: float = 0.0
    group: str | None = None
    created: float | None = None
    tenant: str | None = None


class Work(msgspec.Struct, frozen=True, gc=False):
    """Work as it lies in a queue.

    `id` grows in enqueue order over the whole store and is never used again. `attempts`
    counts claims. `due`, `created` and `first_claimed` are in seconds since the epoch;
    `leased` is whether a claim's lease still runs (then `due` is when it ends). `token`
    fences: each claim makes a new one.
    """

    id: int
    payload: bytes
    group: str | None
    created: float
    due: float
    attempts: int
    first_claimed: float | None
    token: int
    leased: bool


class WorkCounts(msgspec.Struct, frozen=True):
    """How many items of a queue are due, leased (in flight), and not yet due."""

    ready: int
    leased: int
    delayed: int
    oldest: float | None
    """When the oldest item was created, leased or not; None when the queue is empty."""


class LogEntry(msgspec.Struct, frozen=True, gc=False):
    """One entry of a log. `position` is positive and grows by append order within its log."""

    position: int
    time: float
    value: bytes


class StagedBlob(msgspec.Struct, frozen=True):
    """Bytes that are on disk but not yet linked; an unlinked blob is collected later.

    `id` names the blob from then on. `inline` holds small bodies, which the backend keeps
    beside its records instead of in a file.
    """

    id: str
    size: int
    inline: bytes | None = None


class Transaction(Protocol):
    """What can be done in one transaction. Valid only inside `Store.transact`'s body."""

    @property
    def now(self) -> float:
        """The store's time, in seconds since the epoch; it stands still in a transaction."""
        ...

    # Records ---------------------------------------------------------------------------

    async def get(self, collection: str, partition: bytes, sort: bytes = b"") -> Record | None:
        """The record under a key, or None."""
        ...

    async def put(
        self,
        collection: str,
        partition: bytes,
        sort: bytes,
        value: bytes,
        *,
        expect: int | None = None,
    ) -> int:
        """Write a record and return its new version.

        With `expect`, only if the present version is that (`ABSENT`: only if there is
        none); otherwise `Conflict` is raised and nothing is changed.
        """
        ...

    async def delete(
        self, collection: str, partition: bytes, sort: bytes = b"", *, expect: int | None = None
    ) -> bool:
        """Delete a record; whether there was one. `expect` as in `put`."""
        ...

    async def scan(
        self,
        collection: str,
        partition: bytes,
        *,
        start: bytes = b"",
        end: bytes | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> list[Record]:
        """A partition's records with start ≤ sort < end, in byte order of the sort key.

        `end` None is the end of the partition. `reverse` gives them from the end.
        """
        ...

    async def scan_all(
        self,
        collection: str,
        *,
        after: tuple[bytes, bytes] | None = None,
        until: bytes | None = None,
        limit: int | None = None,
    ) -> list[Record]:
        """A collection's records in byte order of (partition, sort).

        Strictly after the key `after`; only partitions < `until`.
        """
        ...

    async def clear(
        self, collection: str, partition: bytes | None = None, *, limit: int | None = None
    ) -> int:
        """Delete all records of a collection, or of one partition (with `limit`, at most so many,
        first in key order first); how many."""
        ...

    async def count(self, collection: str, partition: bytes | None = None) -> int:
        """How many records a collection, or one partition of it, holds."""
        ...

    # Work ------------------------------------------------------------------------------

    async def enqueue(self, queue: str, items: Sequence[NewWork]) -> list[int]:
        """Add work; the ids, in order."""
        ...

    async def claim(
        self,
        queue: str,
        limit: int,
        lease: float,
        *,
        ordered: bool = False,
        fair: bool = False,
        created_after: float | None = None,
        within: int | None = None,
    ) -> list[Work]:
        """Take up to `limit` due items, each leased for `lease` seconds.

        Each claim adds one attempt and makes a new token. Items come in order of due time,
        then id. An item whose lease ran out is due again. `created_after` passes over items
        that were created at or before that time (they stay until dropped).

        With `ordered`, an item of a group is passed over while an *earlier* item of its
        group is leased or not yet due. Groups come in order of their first items, items in
        id order, and the claim fills from one group before it goes to the next. An item
        without a group is a group of its own. `within` looks at the first `within` items of
        the queue alone, in id order, whether they can be claimed or not.

        With `fair` (and not `ordered`), tenants share: each item comes from the tenant with
        the fewest leased items of those that have one due, where what this claim took counts;
        among equals, from the one that was claimed from longest ago. A tenant's items come in
        order of due time, then id. Items without a tenant are together one more, which counts
        as having none leased. (`store.turns` is this rule.) A queue without tenants is claimed
        from as without `fair`.

        A lease of 0 claims (attempt, token) and leaves the item due at once.
        """
        ...

    async def extend(self, queue: str, id: int, token: int, lease: float) -> bool:
        """Let the lease end `lease` seconds from now; 0 makes the item due at once.

        False, and nothing changed, when the item is gone, the token is not its latest one,
        or it is not leased any more.
        """
        ...

    async def release(
        self, queue: str, id: int, token: int, delay: float, *, uncounted: bool = False
    ) -> bool:
        """Give a leased item back, due after `delay` seconds. False as for `extend`. With
        `uncounted` the claim is no attempt: nobody tried."""
        ...

    async def settle(self, queue: str, id: int, token: int | None) -> bool:
        """Done: remove the item. False, and nothing changed, when it is gone or `token` is
        not its latest one. A token of None removes it whoever holds it. An item whose lease
        ran out can be settled with its latest token until it is claimed again.
        """
        ...

    async def settle_all(self, queue: str, claims: Sequence[tuple[int, int | None]]) -> list[bool]:
        """`settle` for each (id, token), in order: which of them were removed."""
        ...

    async def rewrite(self, queue: str, id: int, token: int | None, payload: bytes) -> bool:
        """Replace a leased item's payload (its retry state). False as for `extend`. A token of
        None replaces it whoever holds it, leased or not."""
        ...

    async def item(self, queue: str, id: int) -> Work | None:
        """One item as it lies, without claiming it."""
        ...

    async def browse(self, queue: str, *, after: int = 0, limit: int = 100) -> list[Work]:
        """Items in id order, strictly after the id `after`, without claiming them."""
        ...

    async def work_counts(self, queue: str) -> WorkCounts:
        """Depths of a queue; must stay cheap with a million waiting items."""
        ...

    async def next_due(
        self,
        queue: str,
        *,
        ordered: bool = False,
        created_after: float | None = None,
        within: int | None = None,
    ) -> float | None:
        """The earliest time at which a claim with the same arguments can give something, if
        nothing but time happens (a lease's end counts); None when it never can. At or before
        `now`: it can already.
        """
        ...

    async def drop(
        self, queue: str, *, created_before: float | None = None, limit: int | None = None
    ) -> int:
        """Remove all items, leased ones too, or those created before a time (with `limit`, at
        most so many of those, oldest first); how many."""
        ...

    # Log -------------------------------------------------------------------------------

    async def append(self, log: str, values: Sequence[bytes]) -> list[int]:
        """Append entries, stamped with `now`; their positions, in order."""
        ...

    async def read(
        self, log: str, *, after: int = 0, limit: int = 1000, max_bytes: int | None = None
    ) -> list[LogEntry]:
        """Entries with position > `after`, in order; at least one when there is any, then
        as many as `limit` and `max_bytes` allow."""
        ...

    async def tail(
        self, log: str, *, before: int | None = None, limit: int = 1000
    ) -> list[LogEntry]:
        """The last entries with position < `before` (None: the end), newest first."""
        ...

    async def position_at(self, log: str, time: float) -> int:
        """The position just before the first entry stamped at or after `time`: read after
        it. The last position when there is no such entry, 0 in an empty log."""
        ...

    async def trim(self, log: str, *, before: float | None = None, limit: int | None = None) -> int:
        """Remove entries stamped before a time, or all (with `limit`, at most so many, oldest
        first); how many. Positions go on."""
        ...

    # Blobs -----------------------------------------------------------------------------

    async def link_blob(self, blob: StagedBlob) -> None:
        """Make a staged blob part of the durable state (it has one owner: the caller)."""
        ...

    async def unlink_blob(self, id: str) -> None:
        """Give a blob up; its bytes are collected after the commit. Unknown ids: nothing."""
        ...


class Blobs(Protocol):
    """Streamed bytes. Immutable once staged."""

    async def stage(self, chunks: AsyncIterator[bytes]) -> StagedBlob:
        """Write bytes to disk, synced. An error from `chunks` leaves nothing behind."""
        ...

    def read(self, id: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """A linked blob's bytes from `start` on, in pieces of at most 256 KiB.

        The blob is opened before the first piece is given, so one that is unlinked while it
        is read is still read to its end. KeyError when there is none.
        """
        ...


class Commits(NamedTuple):
    """How often a store has committed since it was opened, and for how many transactions."""

    commits: int
    transactions: int


@runtime_checkable
class Counting(Protocol):
    """A store that counts its commits."""

    @property
    def committed(self) -> Commits:
        """So far."""
        ...


class Store(Protocol):
    """A durable store. Made by its backend's `open`, ended by `close`."""

    @property
    def blobs(self) -> Blobs:
        """The bytes that do not fit into records."""
        ...

    @property
    def description(self) -> str:
        """What it is, for people: "sqlite /var/lib/lambent"."""
        ...

    @property
    def shared(self) -> bool:
        """Whether other processes may be using it now."""
        ...

    async def transact(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `body` in one transaction and return its result once that is durable.

        An exception from `body` rolls everything back and is raised. `body` awaits nothing
        but the transaction's own methods, does no other I/O, and may run more than once
        (a backend retries serialisation failures), so it keeps no state outside.
        Transactions are serialisable.
        """
        ...

    def work_arrived(self, queue: str) -> asyncio.Event:
        """An event that is set by the next commit that makes work of `queue` claimable
        sooner (an enqueue, delayed or not, a release, an extend, a settle in a group).

        Ask for it *before* looking at the queue, so that nothing is missed in between. It is
        set once and never cleared: ask again for the next. One that is dropped costs
        nothing. It may be set without need. It is not set when time makes an item due: wait
        on it until `next_due`.
        """
        ...

    def log_grew(self, log: str) -> asyncio.Event:
        """The same for the next commit that appends to `log`."""
        ...

    async def close(self) -> None:
        """Finish what runs and let go of the files."""
        ...
