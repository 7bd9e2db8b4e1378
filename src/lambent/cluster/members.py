"""Who is there: each node keeps a record alive; one that stops doing so is lost.

A member writes its record every third of the lease. Whoever finds a record that is older
than the lease removes it and, in the same transaction, gives back what the lost node held
(the `Release`s), so that happens once. Times are the store's own, so nodes whose clocks
differ agree on who is lost. A node that could not write for a lease gives the others as long
before it judges them: the store was away for them, too.

    joined ──beat──▶ joined ──leave──▶ gone
       │ no beat for a lease: removed by another
       ▼
      lost ──its next beat: finds itself removed──▶ joined, under a new id
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from lambent.core.clock import Clock
from lambent.core.errors import StoreError, StoreUnavailable
from lambent.core.ids import Ids
from lambent.store.contract import Store, Transaction

COLLECTION: Final = "cluster.members"
"""Sort: the member's id."""
LEASE: Final = 10.0
"""Seconds without a sign of life after which a node is lost."""
_BEATS_PER_LEASE = 3
_LOG = logging.getLogger("lambent.cluster")

Release = Callable[[Transaction, str], Awaitable[None]]
"""Gives back, in the transaction, what the member with an id held."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One node, as the others see it. `started` and `seen` in the store's seconds since the
    epoch. `load` is what it last said of itself, by name."""

    id: str
    name: str
    version: str
    endpoint: str
    started: float
    seen: float
    draining: bool = False
    load: Mapping[str, Any] = {}


class Seen(msgspec.Struct, frozen=True):
    """What one beat found: the members alive, in order of their ids, and those now lost.
    `since` is when the unbroken signs of life began that this one ends."""

    present: bool
    alive: Sequence[Member]
    lost: Sequence[Member]
    since: float = 0.0


def judge(records: Sequence[Member], now: float, lease: float, me: str, since: float = 0.0) -> Seen:
    """Who is alive and who is lost, for a node that has been able to tell since `since`. A node
    does not judge itself: it is alive, or removed."""
    lost = [one for one in records if one.id != me and max(one.seen, since) + lease <= now]
    alive = [one for one in records if one not in lost]
    there = any(one.id == me for one in records)
    return Seen(there, sorted(alive, key=lambda m: m.id), lost, since)


class Membership:
    """This node's place among the others, from `start` to `stop`.

    `alone` says that no other process can be using the store: whoever else is recorded was
    killed, and is lost at once. `load` is asked at each beat.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        ids: Ids,
        *,
        name: str,
        version: str,
        endpoint: Callable[[], str],
        alone: bool,
        lease: float = LEASE,
        load: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        self.id = ids.hex(12)
        self.lease = lease
        self.members: Sequence[Member] = ()
        self._store = store
        self._clock = clock
        self._ids = ids
        self._name = name
        self._version = version
        self._endpoint = endpoint
        self._alone = alone
        self._load = load
        self._draining = False
        self._joined = False
        self._since = 0.0
        self._releases: list[Release] = []
        self._changes: list[Callable[[], None]] = []
        self._rebirths: list[Callable[[], None]] = []
        self._ending = asyncio.Event()
        self._beating: asyncio.Task[None] | None = None

    def on_lost(self, release: Release) -> None:
        """Call this in the transaction that removes a lost (or leaving) member."""
        self._releases.append(release)

    def on_change(self, changed: Callable[[], None]) -> None:
        """Call this after the members that are alive became others."""
        self._changes.append(changed)

    def on_rebirth(self, reborn: Callable[[], None]) -> None:
        """Call this after this node was taken for lost, and is there again under a new id:
        whatever it held for the cluster is no longer its own."""
        self._rebirths.append(reborn)

    @property
    def rank(self) -> int:
        """This node's place in the order of ids, from 0."""
        return next((i for i, one in enumerate(self.members) if one.id == self.id), 0)

    @property
    def first(self) -> bool:
        """Whether it is for this node to say what all nodes would say alike."""
        return self.rank == 0

    async def start(self) -> None:
        """Join, and stay. The first beat is done on return, unless the store cannot write now."""
        try:
            await self._beat()
        except StoreUnavailable as error:
            _LOG.warning("cannot join yet: %s", error)
        self._beating = asyncio.create_task(self._keep(), name="cluster membership")

    async def drain(self) -> None:
        """Tell the others that this node takes no more."""
        self._draining = True
        try:
            await self._beat()
        except StoreError as error:
            _LOG.warning("cannot say that this node is draining: %s", error)

    async def stop(self) -> None:
        """Leave: what this node held is given back; after its lease, if the store is away."""
        self._ending.set()
        if self._beating is not None:
            await self._beating
        try:
            await self._store.transact(lambda tx: self._remove(tx, self.id))
        except StoreError as error:
            _LOG.warning("cannot say that this node leaves; its lease will end: %s", error)

    async def listed(self) -> tuple[Sequence[Member], float]:
        """The members as the store has them now, and what time it is there."""

        async def body(tx: Transaction) -> tuple[Sequence[Member], float]:
            return judge(await _stored(tx), tx.now, self.lease, self.id).alive, tx.now

        return await self._store.transact(body)

    async def _keep(self) -> None:
        while not await self._clock.wait(self._ending, self.lease / _BEATS_PER_LEASE):
            try:
                await self._beat()
            except StoreError as error:
                _LOG.warning("cannot say that this node is alive: %s", error)

    async def _beat(self) -> None:
        joining = not self._joined
        seen = await self._store.transact(lambda tx: self._write(tx, joining))
        if not seen.present:
            old, self.id = self.id, self._ids.hex(12)
            _LOG.warning(
                "This node gave no sign of life for %g s and was taken for lost; "
                "it goes on as %s (it was %s).",
                self.lease,
                self.id,
                old,
            )
            for reborn in self._rebirths:
                reborn()
            seen = await self._store.transact(lambda tx: self._write(tx, joining=True))
        self._joined = True
        self._since = seen.since
        for one in seen.lost:
            _LOG.warning("The node %s (%s) is lost; its work is given back.", one.id, one.name)
        before = [(one.id, one.draining) for one in self.members]
        self.members = seen.alive
        if before != [(one.id, one.draining) for one in seen.alive]:
            for changed in self._changes:
                changed()

    async def _write(self, tx: Transaction, joining: bool) -> Seen:
        """One beat. A node that was removed writes nothing: it has to join anew."""
        known = {one.id: one for one in await _stored(tx)}
        mine = known.get(self.id)
        if mine is None and not joining:
            return Seen(False, (), ())
        known[self.id] = Member(
            id=self.id,
            name=self._name,
            version=self._version,
            endpoint=self._endpoint(),
            started=mine.started if mine else tx.now,
            seen=tx.now,
            draining=self._draining,
            load=self._load(),
        )
        await tx.put(COLLECTION, b"", self.id.encode(), msgspec.msgpack.encode(known[self.id]))
        everyone = list(known.values())
        if self._alone:
            seen = judge(everyone, tx.now, 0.0, self.id)
        else:
            unbroken = mine is not None and tx.now - mine.seen < self.lease
            since = self._since if unbroken else tx.now
            seen = judge(everyone, tx.now, self.lease, self.id, since)
        for one in seen.lost:
            await self._remove(tx, one.id)
        return seen

    async def _remove(self, tx: Transaction, id: str) -> None:
        for release in self._releases:
            await release(tx, id)
        await tx.delete(COLLECTION, b"", id.encode())


async def _stored(tx: Transaction) -> list[Member]:
    return [
        msgspec.msgpack.decode(record.value, type=Member)
        for record in await tx.scan(COLLECTION, b"")
    ]
