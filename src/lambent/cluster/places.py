"""Limits that hold for the cluster: so many calls at once, on whichever nodes they run.

`shares` decides; here is the effect: each limit's shares lie in one record, a node uses its
own places without a transaction, and news wake those who wait for one. What a lost node held
is given back when it is found lost (`release`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from lambent.cluster import shares as rules
from lambent.cluster.members import Membership
from lambent.cluster.news import News, announce
from lambent.cluster.shares import Shares
from lambent.core.clock import Clock
from lambent.core.errors import StoreError
from lambent.store.contract import Store, Transaction

COLLECTION: Final = "cluster.places"
"""Partition: the limit's key."""
WANTED: Final = "places.wanted"
FREED: Final = "places.freed"
_ASK_AGAIN = 1.0
"""Seconds after which a refused node asks again without news."""
_log = logging.getLogger("lambent.cluster")


@dataclass(slots=True)
class _Local:
    """What this node knows of a limit. `held` is as written in the store by `version`;
    `wanted` is whether others want some of what is beyond this node's fair part."""

    limit: int = 0
    held: int = 0
    version: int = 0
    wanted: bool = False
    yielding: bool = False
    used: int = 0
    asking: int = 0
    last_use: float = 0.0
    refused: float | None = None
    freed: asyncio.Event = field(default_factory=asyncio.Event)


class Places:
    """The limits that this node's calls come under."""

    def __init__(self, store: Store, clock: Clock, membership: Membership, news: News) -> None:
        self._store = store
        self._clock = clock
        self._membership = membership
        self._local: dict[str, _Local] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        membership.on_lost(release)
        membership.on_rebirth(self._reborn)
        membership.on_change(self._look_again)
        news.on(WANTED, self._wanted)
        news.on(FREED, self._freed)

    @property
    def nodes(self) -> int:
        """How many nodes there are, for what is divided among them without places."""
        return max(1, len(self._membership.members))

    def held(self, key: str) -> int:
        """How many of the limit's places this node holds, used or not."""
        return self._of(key).held

    def try_enter(self, key: str, limit: int) -> bool:
        """Take one of the places that this node holds; False when it holds none unused, or
        uses as many as `limit`."""
        local = self._of(key)
        if local.used >= min(local.held, limit):
            return False
        local.used += 1
        local.last_use = self._clock.monotonic()
        return True

    async def enter(
        self, key: str, limit: int, step: int | None = None, patience: float = 0.0
    ) -> bool:
        """Take a place, of those that are free in the cluster if need be: with others for calls
        to come, up to this node's fair part or the next multiple of `step`. When there is none,
        wait for up to `patience` seconds for others to give back what they do not use."""
        local = self._of(key)
        local.limit = limit
        if self.try_enter(key, limit):
            return True
        if local.used >= limit or self._was_refused(local):
            return False
        if await self._ask(key, local, step):
            return True
        if not patience or not await self._clock.wait(local.freed, patience):
            return False
        return await self._ask(key, local, step)

    async def _ask(self, key: str, local: _Local, step: int | None) -> bool:
        """Enter with places that the store gives this node."""
        limit = local.limit
        local.freed.clear()
        local.asking += 1
        least = min(local.used + local.asking, limit)
        try:
            await self._change(
                key, lambda one: rules.ask(one, limit, self._id, least, self._alone, step)
            )
        finally:
            local.asking -= 1
        if self.try_enter(key, limit):
            local.refused = None
            return True
        local.refused = self._clock.monotonic()
        return False

    def leave(self, key: str) -> None:
        """Give a place back that was entered."""
        local = self._of(key)
        local.used -= 1
        if local.wanted:
            self._yield(key, local)

    def freed(self, key: str) -> asyncio.Event:
        """Set when a place may be had after `enter` was refused."""
        return self._of(key).freed

    async def stop(self) -> None:
        """Return once nothing is being given back."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    @property
    def _id(self) -> str:
        return self._membership.id

    @property
    def _alone(self) -> bool:
        return len(self._membership.members) <= 1

    def _of(self, key: str) -> _Local:
        local = self._local.get(key)
        if local is None:
            local = self._local[key] = _Local()
        return local

    def _was_refused(self, local: _Local) -> bool:
        since = local.refused
        return (
            since is not None
            and not local.freed.is_set()
            and self._clock.monotonic() - since < _ASK_AGAIN
        )

    # What others do --------------------------------------------------------------------

    def _wanted(self, key: str) -> None:
        local = self._local.get(key)
        if local is not None and local.held:
            self._yield(key, local)

    def _freed(self, key: str) -> None:
        local = self._local.get(key)
        if local is not None:
            local.freed.set()

    def _reborn(self) -> None:
        for local in self._local.values():
            local.held = 0
            local.freed.set()

    def _look_again(self) -> None:
        for local in self._local.values():
            local.freed.set()

    # Effects ---------------------------------------------------------------------------

    async def _change(self, key: str, rule: Callable[[Shares], Shares]) -> Shares:
        """Change the shares by a rule, and tell the others what concerns them."""
        me = self._id

        async def body(tx: Transaction) -> tuple[int, Shares]:
            version, before = await _read(tx, key)
            after = rule(before)
            if after != before:
                version = await _write(tx, key, after)
            if after.of(me) < before.of(me):
                await announce(tx, FREED, key)
            if me in after.wanting:
                await announce(tx, WANTED, key)
            return version, after

        version, after = await self._store.transact(body)
        local = self._of(key)
        if me == self._id and version >= local.version:
            local.version, local.held = version, after.of(me)
        return after

    def _yield(self, key: str, local: _Local) -> None:
        """Give back what others want and this node does not need."""
        if not local.yielding:
            local.yielding = True
            task = asyncio.create_task(self._give_back(key, local))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _give_back(self, key: str, local: _Local) -> None:
        me = self._id

        def rule(one: Shares) -> Shares:
            idle = self._clock.monotonic() - local.last_use
            count = rules.surplus(one, local.limit, me, local.used, idle)
            # A call that comes while this is being written must not take them.
            local.held = min(local.held, one.of(me) - count)
            return rules.give_back(one, me, count)

        try:
            after = await self._change(key, rule)
            fair = rules.fair(after, local.limit, me)
            local.wanted = bool({*after.wanting} - {me}) and after.of(me) > fair
        except StoreError as error:
            _log.warning("places of %s cannot be given back: %s", key, error)
        finally:
            local.yielding = False


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of the cluster, by its key."""

    places: Places
    key: str
    most: int

    @property
    def freed(self) -> asyncio.Event:
        """Set when a place may be had after `enter` was refused."""
        return self.places.freed(self.key)

    async def enter(self) -> bool:
        """Take a place, if there is one."""
        return await self.places.enter(self.key, self.most)

    def leave(self) -> None:
        """Give one back."""
        self.places.leave(self.key)


async def release(tx: Transaction, member: str) -> None:
    """Give back all that a member held."""
    for record in await tx.scan_all(COLLECTION):
        shares = msgspec.msgpack.decode(record.value, type=Shares)
        after = rules.without(shares, member)
        if after != shares:
            key = record.partition.decode()
            await _write(tx, key, after)
            await announce(tx, FREED, key)


async def _read(tx: Transaction, key: str) -> tuple[int, Shares]:
    record = await tx.get(COLLECTION, key.encode())
    if record is None:
        return 0, Shares()
    return record.version, msgspec.msgpack.decode(record.value, type=Shares)


async def _write(tx: Transaction, key: str, shares: Shares) -> int:
    return await tx.put(COLLECTION, key.encode(), b"", msgspec.msgpack.encode(shares))
