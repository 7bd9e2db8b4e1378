"""The contract as simple Python: what a store must do, without saying how."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field


@dataclass
class RecordModel:
    rows: dict[tuple[bytes, bytes], tuple[bytes, int]] = field(default_factory=dict)

    def version(self, key: tuple[bytes, bytes]) -> int:
        return self.rows[key][1] if key in self.rows else 0

    def within(self, partition: bytes | None) -> list[tuple[bytes, bytes]]:
        return [key for key in sorted(self.rows) if partition is None or key[0] == partition]

    def scan(
        self,
        partition: bytes,
        start: bytes,
        end: bytes | None,
        reverse: bool,
        limit: int | None,
    ) -> list[tuple[bytes, bytes, bytes, int]]:
        found = [
            (*key, *self.rows[key])
            for key in sorted(self.rows, reverse=reverse)
            if key[0] == partition and key[1] >= start and (end is None or key[1] < end)
        ]
        return found[:limit]

    def scan_all(
        self, after: tuple[bytes, bytes] | None, until: bytes | None, limit: int | None
    ) -> list[tuple[bytes, bytes, bytes, int]]:
        found = [
            (*key, *self.rows[key])
            for key in sorted(self.rows)
            if (after is None or key > after) and (until is None or key[0] < until)
        ]
        return found[:limit]


@dataclass
class Item:
    id: int
    payload: bytes
    group: str | None
    created: float
    due: float
    attempts: int = 0
    first_claimed: float | None = None
    token: int = 0
    leased: bool = False
    tenant: str | None = None


@dataclass
class WorkModel:
    """One queue. Items are kept in id order; `now` is passed in."""

    items: dict[int, Item] = field(default_factory=dict)

    def copy(self) -> WorkModel:
        return copy.deepcopy(self)

    def active(self, item: Item, now: float) -> bool:
        return item.leased and item.due > now

    def due(self, now: float, created_after: float | None) -> list[int]:
        found = [
            item
            for item in self.items.values()
            if item.due <= now and (created_after is None or item.created > created_after)
        ]
        return [item.id for item in sorted(found, key=lambda item: (item.due, item.id))]

    def check_fair(
        self, taken: list[int], limit: int, now: float, created_after: float | None
    ) -> None:
        """That a fair claim may take these, in this order."""
        held: dict[str | None, int] = {}
        for item in self.items.values():
            if item.tenant is not None:
                held[item.tenant] = held.get(item.tenant, 0) + self.active(item, now)
        waiting: dict[str | None, list[int]] = {}
        for id in self.due(now, created_after):
            waiting.setdefault(self.items[id].tenant, []).append(id)
        assert len(taken) == min(limit, sum(map(len, waiting.values())))
        if not any(item.tenant for item in self.items.values()):
            assert taken == waiting.get(None, [])[:limit]
            return
        for id in taken:
            tenant = self.items[id].tenant
            assert waiting[tenant].pop(0) == id
            least = min(
                held.get(other, 0) for other, ids in waiting.items() if ids or other == tenant
            )
            assert held.get(tenant, 0) <= least
            held[tenant] = held.get(tenant, 0) + 1

    def first(self, within: int | None) -> list[Item]:
        """The first items in id order."""
        return sorted(self.items.values(), key=lambda item: item.id)[:within]

    def ordered(
        self, now: float, created_after: float | None, within: int | None = None
    ) -> list[int]:
        groups: dict[object, list[Item]] = {}
        for item in self.first(within):
            groups.setdefault(item.id if item.group is None else item.group, []).append(item)
        found: list[int] = []
        for members in groups.values():
            for item in members:
                if item.due > now:
                    break
                if created_after is None or item.created > created_after:
                    found.append(item.id)
        return found

    def next_due(
        self, ordered: bool, created_after: float | None, within: int | None = None
    ) -> float | None:
        latest: dict[object, float] = {}
        times: dict[object, float] = {}
        for item in self.first(within):
            group = item.group if ordered and item.group is not None else item.id
            latest[group] = max(latest.get(group, 0.0), item.due)
            if created_after is None or item.created > created_after:
                times.setdefault(group, latest[group])
        return min(times.values(), default=None)

    def claimed(self, ids: list[int], tokens: list[int], lease: float, now: float) -> None:
        for id, token in zip(ids, tokens, strict=True):
            item = self.items[id]
            item.attempts += 1
            item.token = token
            item.leased = lease > 0
            item.due = now + lease
            item.first_claimed = now if item.first_claimed is None else item.first_claimed

    def counts(self, now: float) -> tuple[int, int, int, float | None]:
        items = self.items.values()
        leased = sum(self.active(item, now) for item in items)
        ready = sum(item.due <= now for item in items)
        oldest = min((item.created for item in items), default=None)
        return ready, leased, len(items) - ready - leased, oldest
