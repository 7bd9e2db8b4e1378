"""Work: items in order of due time, with leases and fencing tokens.

An item is one row. A transaction that holds the store's sequence is the only one that writes,
so a claim needs no locks of its own: it takes what it sees due, first among what bodies of the
same transaction changed, then in the table. Depths and the heads of groups are kept beside the
items when changes are written (`writes.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from lambent.store.backends.postgresql.overlay import Change, Effect, Item
from lambent.store.backends.postgresql.part import Part
from lambent.store.backends.postgresql.tenants import LOOSE
from lambent.store.contract import NewWork, Work, WorkCounts

CANDIDATES = 16
"""The least number of due items that one question asks for beyond one."""


class WorkQueues(Part):
    """The work of a transaction."""

    __slots__ = ()

    async def enqueue(self, queue: str, items: Sequence[NewWork]) -> list[int]:
        if not items:
            return []
        state = self._state
        await state.writing()
        number = await state.numbered(queue)
        first = state.take(len(items))
        now = self.now
        changes = state.work.setdefault(number, {})
        for id, new in enumerate(items, first):
            due = now + new.delay if new.delay > 0 else now
            created = now if new.created is None else new.created
            item = Item(id, new.payload, new.group, created, due, 0, None, 0, False, new.tenant)
            state.set(changes, id, Change(None, item, new.payload))
        state.effects.append((Effect.ARRIVED, queue))
        return list(range(first, first + len(items)))

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
        state = self._state
        number = await state.find(queue)
        if number is None:
            return []
        turns = False
        if ordered:
            items = await self._ordered(number, limit, created_after, within)
        else:
            items, tenanted = await self._due(number, limit, created_after)
            turns = fair and tenanted
            if turns:
                items = await self._fair(number, limit, created_after)
        if not items:
            return []
        await state.writing()
        changes = state.work.setdefault(number, {})
        token = state.take(len(items))
        leased = lease > 0
        due = self.now + lease if leased else self.now
        claimed = []
        for item in items:
            taken = replace(
                item,
                due=due,
                leased=leased,
                token=token,
                attempts=item.attempts + 1,
                first_claimed=self.now if item.first_claimed is None else item.first_claimed,
            )
            before = changes.get(item.id)
            change = Change(item, taken, None) if before is None else replace(before, item=taken)
            state.set(changes, item.id, change)
            claimed.append(taken.seen(self.now))
            if turns or item.tenant is not None:
                state.set(state.turns.setdefault(number, {}), item.tenant or LOOSE, token)
            token += 1
        state.known.claimed(number, [item.id for item in claimed])
        return claimed

    async def extend(self, queue: str, id: int, token: int, lease: float) -> bool:
        return await self._end_lease(queue, id, token, lease, lease > 0)

    async def release(
        self, queue: str, id: int, token: int, delay: float, *, uncounted: bool = False
    ) -> bool:
        return await self._end_lease(queue, id, token, delay, False, int(uncounted))

    async def settle(self, queue: str, id: int, token: int | None) -> bool:
        state = self._state
        number = await state.find(queue)
        change = None if number is None else await self._head(number, id)
        if number is None or change is None or change.item is None:
            return False
        if token is not None and change.item.token != token:
            return False
        await state.writing()
        state.set(state.work.setdefault(number, {}), id, replace(change, item=None, payload=None))
        if change.item.group is not None:
            state.effects.append((Effect.ARRIVED, queue))
        return True

    async def settle_all(self, queue: str, claims: Sequence[tuple[int, int | None]]) -> list[bool]:
        return [await self.settle(queue, id, token) for id, token in claims]

    async def rewrite(self, queue: str, id: int, token: int | None, payload: bytes) -> bool:
        state = self._state
        number = await state.find(queue)
        if number is None:
            change = None
        elif token is None:
            change = await self._head(number, id)
        else:
            change = await self._leased(number, id, token)
        if number is None or change is None or change.item is None:
            return False
        await state.writing()
        item = replace(change.item, payload=payload)
        state.set(
            state.work.setdefault(number, {}), id, replace(change, item=item, payload=payload)
        )
        return True

    async def item(self, queue: str, id: int) -> Work | None:
        state = self._state
        number = await state.find(queue)
        if number is None:
            return None
        await state.clean(state.work, number)
        item: Item | None = await state.ask(("item", number, id))
        return None if item is None else item.seen(self.now)

    async def browse(self, queue: str, *, after: int = 0, limit: int = 100) -> list[Work]:
        found = await self._over_queue(queue, "browse", [], after, limit)
        return [item.seen(self.now) for item in found]

    async def work_counts(self, queue: str) -> WorkCounts:
        counts: WorkCounts = await self._over_queue(
            queue, "counts", WorkCounts(0, 0, 0, None), self.now
        )
        return counts

    async def next_due(
        self,
        queue: str,
        *,
        ordered: bool = False,
        created_after: float | None = None,
        within: int | None = None,
    ) -> float | None:
        due: float | None
        if ordered:
            due = await self._over_queue(queue, "group_due", None, self.now, created_after, within)
        else:
            due = await self._over_queue(queue, "next_due", None, created_after)
        return due

    async def drop(
        self, queue: str, *, created_before: float | None = None, limit: int | None = None
    ) -> int:
        state = self._state
        await state.writing()
        number = await state.find(queue)
        if number is None or not await self._over_queue(queue, "old_work", False, created_before):
            if created_before is None:
                # Whoever waits on a queue that is dropped for good has to look again.
                state.effects.append((Effect.ARRIVED, queue))
            return 0
        await state.writing_alone()
        dropped: int = await self._over_queue(queue, "drop", 0, self.now, created_before, limit)
        state.effects.append((Effect.ARRIVED, queue))
        return dropped

    async def _over_queue(self, queue: str, kind: str, unknown: Any, *arguments: Any) -> Any:
        """The answer to a question that goes over the whole queue."""
        state = self._state
        number = await state.find(queue)
        if number is None:
            return unknown
        await state.clean(state.work, number)
        return await state.ask((kind, number, *arguments))

    async def _due(
        self, number: int, limit: int, created_after: float | None
    ) -> tuple[list[Item], bool]:
        """The first due items, and whether any item has a tenant. The database is asked for so
        many that they cannot all be changed."""
        state = self._state
        changes = state.work.get(number) or {}
        touched = sum(change.base is not None for change in changes.values())
        wanted = limit if not touched and limit <= 1 else _rounded(limit + touched)
        after = float("-inf") if created_after is None else created_after
        found, tenanted = await state.ask(("due", number, self.now, after, wanted))
        if not changes:
            return found[:limit], tenanted
        items: list[Item] = [item for item in found if item.id not in changes]
        for change in changes.values():
            item = change.item
            if item is not None and item.due <= self.now and item.created > after:
                if change.base is not None and change.payload is None and not item.payload:
                    whole: Item | None = await state.ask(("item", number, item.id))
                    item = replace(item, payload=b"" if whole is None else whole.payload)
                items.append(item)
                tenanted = tenanted or item.tenant is not None
        items.sort(key=lambda item: (item.due, item.id))
        return items[:limit], tenanted

    async def _fair(self, number: int, limit: int, created_after: float | None) -> list[Item]:
        state = self._state
        after = float("-inf") if created_after is None else created_after
        await state.clean(state.work, number)
        items: list[Item] = await state.ask(("fair", number, self.now, limit, after))
        return items

    async def _ordered(
        self, number: int, limit: int, created_after: float | None, within: int | None
    ) -> list[Item]:
        state = self._state
        await state.clean(state.work, number)
        items: list[Item] = await state.ask(
            ("ordered", number, self.now, limit, created_after, within)
        )
        return items

    async def _head(self, number: int, id: int) -> Change | None:
        """An item with its changes; its payload is empty unless a claim has read it."""
        state = self._state
        change = (state.work.get(number) or {}).get(id)
        if change is not None:
            return change
        head: Item | None = await state.ask(("head", number, id))
        return None if head is None else Change(head, head, None)

    async def _leased(self, number: int, id: int, token: int) -> Change | None:
        change = await self._head(number, id)
        item = None if change is None else change.item
        if item is None or item.token != token or not item.leased or item.due <= self.now:
            return None
        return change

    async def _end_lease(
        self,
        queue: str,
        id: int,
        token: int,
        seconds: float,
        leased: bool,
        uncounted: int = 0,
    ) -> bool:
        """Let a running lease end (or the item be due) `seconds` from now; `uncounted` of its
        attempts were none."""
        state = self._state
        number = await state.find(queue)
        change = None if number is None else await self._leased(number, id, token)
        if number is None or change is None or change.item is None:
            return False
        await state.writing()
        due = self.now + seconds if seconds > 0 else self.now
        attempts = change.item.attempts - uncounted
        item = replace(change.item, due=due, leased=leased, attempts=attempts)
        state.set(state.work.setdefault(number, {}), id, replace(change, item=item))
        state.effects.append((Effect.ARRIVED, queue))
        return True


def _rounded(count: int) -> int:
    """A few sizes only, so that bodies ask the same question."""
    return max(CANDIDATES, 1 << (count - 1).bit_length())
