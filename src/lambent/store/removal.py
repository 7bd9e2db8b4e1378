"""What is gone though it held much: gone for everyone at once, from the disk little by little.

A transaction that removes a million items keeps all others waiting for as long as that takes. So
whoever deletes something takes the way to it away (its definition, or the name under which it
finds what it holds), and gives what lies behind it to `remove` in the same transaction. That
removes a little, which mostly is all; of what is left it makes a note, which is work like any
other: found by its commit, held by one node at a time under a lease, and done in transactions of
some milliseconds each, with as long a rest between them. A node that dies in the middle of it
costs the rest of its lease, then the same node started again, or another, goes on.

What is given here must never be reached again: a thing of the same name that is made meanwhile
keeps what it holds elsewhere, or waits (see `lambent.services.lambda_.leaving`). A log may go on
behind the entries that are given here.

Knows the store's contract alone. What hangs together in its own way, as the streams of a log
group do, is a `Kind` of its service's.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, NamedTuple

import msgspec

from lambent.core.clock import Clock
from lambent.core.duty import Duty
from lambent.store.contract import NewWork, Record, Store, Transaction, Work

QUEUE: Final = "store.removing"
AT_ONCE = 100
"""How many items, records or entries are removed by the transaction that gives them up."""
LEASE_SECONDS: Final = 2.0
AIM_SECONDS: Final = 0.01
"""How long one of the small transactions is to hold the store."""
_LEAST: Final = 50
_MOST: Final = 1000
_PUT_OFF_SECONDS: Final = 60.0
_RETRY_SECONDS: Final = 5.0
_log = logging.getLogger(__name__)

Step = Callable[[Transaction, bytes, int], Awaitable[int]]
"""Removes up to so many of what a name holds; how many. Fewer than that: it was all."""


class Kind(NamedTuple):
    """A kind of what can be gone. `name` is unique and stays, as notes of it lie in stores."""

    name: str
    remove: Step


class Gone(NamedTuple):
    """Something that nobody reaches any more, and its name as its kind understands it."""

    kind: Kind
    what: bytes

    async def remove(self, tx: Transaction, limit: int) -> int:
        """Remove up to so many of what it holds; how many. Fewer than that: it was all."""
        return await self.kind.remove(tx, self.what, limit)


async def remove_some(tx: Transaction, gone: Iterable[Gone], limit: int) -> int:
    """The same for several things, one after the other."""
    removed = 0
    for one in gone:
        removed += await one.remove(tx, limit - removed)
        if removed == limit:
            break
    return removed


async def remove_holders(
    tx: Transaction,
    collection: str,
    partition: bytes,
    limit: int,
    held: Callable[[Record, int], Awaitable[int]],
) -> int:
    """Remove records of a partition, each after what it holds, of which `held` removes up to so
    many; how many of both, at most `limit`. Fewer than that: it was all."""
    removed = 0
    for record in await tx.scan(collection, partition, limit=limit):
        removed += await held(record, limit - removed)
        if removed == limit:
            break
        await tx.delete(collection, partition, record.sort)
        removed += 1
        if removed == limit:
            break
    return removed


_EARLIER: Final = ("sqs.removing", "dynamodb.dropped")
"""Collections where earlier versions noted what was left: by its name, a work queue where the value
says so, and otherwise a collection."""


class _Note(msgspec.Struct, frozen=True, array_like=True):
    kind: str
    what: bytes


def work(queue: str) -> Gone:
    """The items of a work queue."""
    return Gone(_WORK, queue.encode())


def records(collection: str, partition: bytes | None = None) -> Gone:
    """The records of a collection, or of one partition of it."""
    return Gone(_RECORDS, msgspec.msgpack.encode((collection, partition)))


def log(name: str, *, before: float | None = None) -> Gone:
    """The entries of a log; or those stamped before a time (in seconds since the epoch), of one
    that goes on."""
    return Gone(_LOG, msgspec.msgpack.encode((name, before)))


async def remove(tx: Transaction, *gone: Gone) -> bool:
    """Remove what is gone; whether that is all done, or left to the nodes' duty."""
    left = AT_ONCE
    notes = []
    for one in gone:
        if left:
            left -= await one.remove(tx, left)
        if not left:
            notes.append(_noted(one))
    await tx.enqueue(QUEUE, notes)
    return not notes


def _noted(gone: Gone) -> NewWork:
    return NewWork(msgspec.msgpack.encode(_Note(gone.kind.name, gone.what)))


async def _drop(tx: Transaction, what: bytes, limit: int) -> int:
    queue = what.decode()
    dropped = await tx.drop(queue, created_before=math.inf, limit=limit)
    if dropped < limit:
        await tx.drop(queue)  # with what is kept of an empty queue
    return dropped


async def _clear(tx: Transaction, what: bytes, limit: int) -> int:
    collection, partition = msgspec.msgpack.decode(what, type=tuple[str, bytes | None])
    return await tx.clear(collection, partition, limit=limit)


async def _trim(tx: Transaction, what: bytes, limit: int) -> int:
    name, before = msgspec.msgpack.decode(what, type=tuple[str, float | None])
    return await tx.trim(name, before=before, limit=limit)


_WORK: Final = Kind("work", _drop)
_RECORDS: Final = Kind("records", _clear)
_LOG: Final = Kind("log", _trim)


class Removal:
    """The duty of one node. `kinds` are those of its services."""

    def __init__(self, store: Store, clock: Clock, kinds: Iterable[Kind] = ()) -> None:
        self._store = store
        self._clock = clock
        self._kinds = {kind.name: kind for kind in (_WORK, _RECORDS, _LOG, *kinds)}
        self._held: Work | None = None
        self._begun = False
        self._limit = AT_ONCE
        self.duty = Duty(
            clock,
            "removing what is gone",
            self._step,
            retry=_RETRY_SECONDS,
            woken_by=lambda: store.work_arrived(QUEUE),
        )

    async def _step(self) -> float | None:
        if not self._begun:
            await self._store.transact(_take_over)
            self._begun = True
        begun = self._clock.monotonic()
        held, taken, due = await self._store.transact(self._piece)
        self._held = held
        if taken is None:
            return due
        if taken:
            self._limit = max(_LEAST, min(_MOST, int(self._limit * AIM_SECONDS / taken)))
        return self._clock.monotonic() - begun

    async def _piece(self, tx: Transaction) -> tuple[Work | None, float | None, float | None]:
        """Remove some of what is noted. What is held from then on, and for how many seconds the
        store was; or, when there was nothing to do, in how many seconds there may be."""
        held = await self._hold(tx)
        if held is None:
            due = await tx.next_due(QUEUE)
            return None, None, None if due is None else max(due - tx.now, 0.0)
        begun = self._clock.monotonic()
        note = msgspec.msgpack.decode(held.payload, type=_Note)
        kind = self._kinds.get(note.kind)
        if kind is None:  # a newer node's, which will come back to it
            _log.warning("what is gone is of a kind that is not known here: %s", note.kind)
            await tx.release(QUEUE, held.id, held.token, _PUT_OFF_SECONDS)
            return None, 0.0, None
        if await kind.remove(tx, note.what, self._limit) < self._limit:
            await tx.settle(QUEUE, held.id, held.token)
            return None, 0.0, None
        return held, self._clock.monotonic() - begun, None

    async def _hold(self, tx: Transaction) -> Work | None:
        """The note that this node goes on with, or takes up; None when there is none."""
        held = self._held
        if held is not None and held.due > tx.now:
            if held.due > tx.now + LEASE_SECONDS / 2:
                return held
            if await tx.extend(QUEUE, held.id, held.token, LEASE_SECONDS):
                return msgspec.structs.replace(held, due=tx.now + LEASE_SECONDS)
        claimed = await tx.claim(QUEUE, 1, LEASE_SECONDS)
        return claimed[0] if claimed else None


async def _take_over(tx: Transaction) -> None:
    """Note what an earlier version left as is done now."""
    for collection in _EARLIER:
        for record in await tx.scan_all(collection):
            name = record.partition.decode()
            gone = work(name) if record.value == b"work" else records(name)
            await tx.enqueue(QUEUE, [_noted(gone)])
            await tx.delete(collection, record.partition, record.sort)
