"""Work: items in order of due time, with leases and fencing tokens.

An item is one small row, which claims and leases rewrite, and one payload row, which they
do not touch. `leased` and `due` together say what it is: leased until `due`, not yet due,
or due. Group order is kept by `groups.py`, turns of tenants by `tenants.py`, depths by
`depths.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from lambent.store.backends.sqlite import dated, groups, tenants
from lambent.store.backends.sqlite.depths import Depth
from lambent.store.backends.sqlite.engine import Effect, Engine
from lambent.store.backends.sqlite.names import UNKNOWN
from lambent.store.backends.sqlite.part import Part
from lambent.store.contract import NewWork, Work, WorkCounts

ITEM = (
    "SELECT id, payload, grp, created, due, attempts, first_claimed, token, leased, tenant"
    " FROM work {index} CROSS JOIN work_payload USING (id) WHERE queue = ?"
)
ITEM_BY_ID = ITEM.format(index="")
ITEM_BY_DUE = ITEM.format(index="INDEXED BY work_due")
INSERT = (
    "INSERT INTO work (queue, id, due, leased, created, token, attempts, grp, tenant, dated)"
    " VALUES (?, ?, ?, 0, ?, 0, 0, ?, ?, ?)"
)
DELETE = (
    "DELETE FROM work WHERE queue = ?1 AND id = ?2 AND (?3 IS NULL OR token = ?3)"
    " RETURNING id, token, due, leased, grp, tenant, dated"
)
DELETE_PAYLOAD = "DELETE FROM work_payload WHERE id = ?"
INSERT_PAYLOAD = "INSERT INTO work_payload (id, payload) VALUES (?, ?)"


class WorkQueues(Part):
    """The work of a transaction."""

    __slots__ = ()

    async def enqueue(self, queue: str, items: Sequence[NewWork]) -> list[int]:
        if not items:
            return []
        engine = self._engine
        engine.joining()
        number = engine.names.number(queue)
        depth = engine.depths.changing(number, self.now)
        plain, is_dated = not depth.tenanted, depth.dated > 0
        for item in items:
            if item.group is not None or item.tenant is not None:
                plain = False
            if item.created is not None:
                is_dated = True
        if not plain:
            engine.writing()
        count = len(items)
        first = engine.sequence.take(count)
        engine.effects.append((Effect.ARRIVED, queue))
        if engine.saved:
            self._insert(number, depth, items, first, plain, is_dated)
        else:
            engine.undo.append(partial(_remove, engine, number, first))
            now = self.now
            depth.waiting += engine.unwritten.add(number, first, now, depth.mark, items, is_dated)
            depth.loose += count
        depth.total += count
        if is_dated:
            depth.dated += count
        return list(range(first, first + count))

    def _insert(
        self,
        number: int,
        depth: Depth,
        items: Sequence[NewWork],
        first: int,
        plain: bool,
        is_dated: bool,
    ) -> None:
        """Put new items into the tables now."""
        now, mark, mixed = self.now, depth.mark, depth.tenanted > 0
        rows = []
        for id, item in enumerate(items, first):
            due = now + item.delay if item.delay > 0 else now
            created = now if item.created is None else item.created
            tenant = tenants.LOOSE if mixed and item.tenant is None else item.tenant
            rows.append((number, id, due, created, item.group, tenant, is_dated))
            if due > mark:
                depth.waiting += 1
        execute = self._engine.executemany
        execute(INSERT, rows)
        execute(INSERT_PAYLOAD, enumerate([item.payload for item in items], first))
        if plain:
            depth.loose += len(items)
        else:
            self._sort_in(number, depth, rows)

    def _sort_in(self, number: int, depth: Depth, rows: list[Any]) -> None:
        """Let new items be found by their groups and tenants."""
        for _, id, due, _, group, tenant, _ in rows:
            if group is None:
                depth.loose += 1
            else:
                groups.joined(self._engine, number, group, id, due, self.now)
            if tenant is not None:
                depth.tenanted += 1
                tenants.joined(self._engine, number, tenant, id, due, self.now)

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
        engine = self._engine
        engine.catch_up()
        number = engine.names.find(queue)
        fair = fair and engine.depths.of(number, self.now).tenanted > 0
        if fair:
            depth = engine.depths.of(number, self.now)
            ids = tenants.eligible(engine, number, limit, self.now, created_after, depth)
            rows = [self._row(number, id) for id in ids]
        elif ordered:
            depth = engine.depths.of(number, self.now)
            ids = groups.eligible(
                engine,
                number,
                limit,
                self.now,
                created_after,
                depth.loose > 0,
                groups.horizon(engine, number, depth, within),
            )
            rows = [self._row(number, id) for id in ids]
        else:
            rows = self._due(number, limit, created_after)
        if not rows:
            return []
        engine.writing()
        depth = engine.depths.changing(number, self.now)
        token = engine.sequence.take(len(rows))
        leased = lease > 0
        due = self.now + lease if leased else self.now
        claimed = []
        changes = []
        for row in rows:
            id, payload, group, created, was_due, attempts, first, _, was_leased, tenant = row
            depth.left(was_due, was_leased)
            depth.entered(due, leased)
            first = self.now if first is None else first
            attempts += 1
            changes.append((due, leased, token, attempts, first, number, id))
            claimed.append(Work(id, payload, group, created, due, attempts, first, token, leased))
            if group is not None:
                groups.head_moved(engine, number, group, id, due, self.now)
            if tenant is not None:
                tenants.claimed(engine, number, tenant, leased - was_leased, token)
            elif fair:
                tenants.claimed(engine, number, tenants.LOOSE, 0, token)
            token += 1
        engine.executemany(
            "UPDATE work SET due = ?, leased = ?, token = ?, attempts = ?, first_claimed = ?"
            " WHERE queue = ? AND id = ?",
            changes,
        )
        return claimed

    async def extend(self, queue: str, id: int, token: int, lease: float) -> bool:
        return self._end_lease(queue, id, token, lease, lease > 0)

    async def release(
        self, queue: str, id: int, token: int, delay: float, *, uncounted: bool = False
    ) -> bool:
        return self._end_lease(queue, id, token, delay, False, int(uncounted))

    async def settle(self, queue: str, id: int, token: int | None) -> bool:
        return (await self.settle_all(queue, ((id, token),)))[0]

    async def settle_all(self, queue: str, claims: Sequence[tuple[int, int | None]]) -> list[bool]:
        engine = self._engine
        number = engine.names.find(queue)
        if number == UNKNOWN or not claims:
            return [False] * len(claims)
        engine.writing()
        depth = engine.depths.changing(number, self.now)
        rows = engine.executemany(DELETE, [(number, *claim) for claim in claims]).fetchall()
        if not rows:
            return [False] * len(claims)
        self._removed(number, depth, [(row[0], *row[2:]) for row in rows])
        held: dict[int, int] = {}
        for id, token, _, _, group, _, _ in rows:
            held[id] = token
            if group is not None:
                engine.effects.append((Effect.ARRIVED, queue))
        removed = []
        for id, token in claims:
            found = id in held and (token is None or token == held[id])
            if found:
                del held[id]  # that it was, even if the item is named twice
            removed.append(found)
        return removed

    async def rewrite(self, queue: str, id: int, token: int | None, payload: bytes) -> bool:
        engine = self._engine
        engine.catch_up()
        held = "" if token is None else " AND token = ? AND leased AND due > ?"
        number = engine.names.find(queue)
        found = engine.execute(
            f"SELECT 1 FROM work WHERE queue = ? AND id = ?{held}",
            (number, id) if token is None else (number, id, token, self.now),
        ).fetchall()
        if not found:
            return False
        engine.writing()
        engine.execute("UPDATE work_payload SET payload = ? WHERE id = ?", (payload, id))
        return True

    async def item(self, queue: str, id: int) -> Work | None:
        self._engine.catch_up()
        rows = self._engine.execute(
            f"{ITEM_BY_ID} AND id = ?", (self._engine.names.find(queue), id)
        ).fetchall()
        return self._seen(rows[0]) if rows else None

    async def browse(self, queue: str, *, after: int = 0, limit: int = 100) -> list[Work]:
        self._engine.catch_up()
        rows = self._engine.execute(
            f"{ITEM_BY_ID} AND id > ? ORDER BY id LIMIT ?",
            (self._engine.names.find(queue), after, limit),
        ).fetchall()
        return [self._seen(row) for row in rows]

    async def work_counts(self, queue: str) -> WorkCounts:
        engine = self._engine
        engine.catch_up()
        number = engine.names.find(queue)
        depth = engine.depths.of(number, self.now)
        engine.depths.bring_up(number, depth, self.now)
        oldest = dated.oldest(engine, number)
        ready = depth.total - depth.leased - depth.waiting
        return WorkCounts(ready, depth.leased, depth.waiting, oldest)

    async def next_due(
        self,
        queue: str,
        *,
        ordered: bool = False,
        created_after: float | None = None,
        within: int | None = None,
    ) -> float | None:
        engine = self._engine
        engine.catch_up()
        number = engine.names.find(queue)
        after = float("-inf") if created_after is None else created_after
        if ordered:
            depth = engine.depths.of(number, self.now)
            last_id = groups.horizon(engine, number, depth, within)
            return groups.next_due(engine, number, self.now, after, depth.loose > 0, last_id)
        rows = engine.execute(
            "SELECT due FROM work INDEXED BY work_due WHERE queue = ? AND created > ?"
            " ORDER BY due LIMIT 1",
            (number, after),
        ).fetchall()
        return rows[0][0] if rows else None

    async def drop(
        self, queue: str, *, created_before: float | None = None, limit: int | None = None
    ) -> int:
        engine = self._engine
        engine.catch_up()
        number = engine.names.find(queue)
        depth = engine.depths.of(number, self.now)
        if not depth.total:
            if created_before is None:
                # Whoever waits on a queue that is dropped for good has to look again.
                engine.effects.append((Effect.ARRIVED, queue))
            return 0
        if created_before is None:
            engine.writing()
            dropped = self._drop_all(number)
        else:
            rows = dated.before(engine, number, created_before, limit)
            if not rows:
                return 0
            engine.writing()
            dropped = self._drop_rows(number, rows)
        engine.effects.append((Effect.ARRIVED, queue))
        return dropped

    def _drop_all(self, number: int) -> int:
        engine = self._engine
        depth = engine.depths.changing(number, self.now)
        dropped = depth.total
        engine.execute(
            "DELETE FROM work_payload WHERE id IN (SELECT id FROM work WHERE queue = ?)", (number,)
        )
        engine.execute("DELETE FROM work WHERE queue = ?", (number,))
        engine.execute("DELETE FROM work_head WHERE queue = ?", (number,))
        engine.execute("DELETE FROM work_tenant WHERE queue = ?", (number,))
        depth.total = depth.loose = depth.tenanted = depth.dated = 0
        depth.waiting = depth.leased = 0
        depth.horizons.clear()
        return dropped

    def _drop_rows(self, number: int, rows: list[Any]) -> int:
        engine = self._engine
        depth = engine.depths.changing(number, self.now)
        engine.executemany(
            "DELETE FROM work WHERE queue = ? AND id = ?", [(number, row[0]) for row in rows]
        )
        self._removed(number, depth, rows)
        return len(rows)

    def _removed(self, number: int, depth: Depth, rows: list[Any]) -> None:
        """Take items that left their table, as (id, due, leased, group, tenant, dated), out of
        all that knows of them."""
        engine = self._engine
        engine.executemany(DELETE_PAYLOAD, [row[:1] for row in rows])
        for id, due, leased, group, tenant, was_dated in rows:
            depth.left(due, leased)
            depth.removed(id)
            depth.dated -= was_dated
            if tenant is not None:
                tenants.left(engine, number, depth, tenant, leased)
            if group is None:
                depth.loose -= 1
            else:
                groups.head_left(engine, number, group, id, self.now)
        depth.total -= len(rows)

    def _due(self, number: int, limit: int, created_after: float | None) -> list[Any]:
        bindings: list[object] = [number, self.now]
        passing = ""
        if created_after is not None:
            passing = " AND created > ?"
            bindings.append(created_after)
        bindings.append(limit)
        rows: list[Any] = self._engine.execute(
            f"{ITEM_BY_DUE} AND due <= ?{passing} ORDER BY due, id LIMIT ?", bindings
        ).fetchall()
        return rows

    def _row(self, number: int, id: int) -> Any:
        return self._engine.execute(f"{ITEM_BY_ID} AND id = ?", (number, id)).fetchall()[0]

    def _end_lease(
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
        engine = self._engine
        number = engine.names.find(queue)
        if number == UNKNOWN:
            return False
        engine.writing()
        depth = engine.depths.changing(number, self.now)
        due = self.now + seconds if seconds > 0 else self.now
        rows = engine.execute(
            "UPDATE work SET due = ?, leased = ?, attempts = attempts - ?"
            " WHERE queue = ? AND id = ? AND token = ? AND leased AND due > ?"
            " RETURNING grp, tenant",
            (due, leased, uncounted, number, id, token, self.now),
        ).fetchall()
        if not rows:
            return False
        # It was leased beyond now, and so beyond the mark.
        depth.leased -= 1
        depth.entered(due, leased)
        group, tenant = rows[0]
        if group is not None:
            groups.head_moved(engine, number, group, id, due, self.now)
        if tenant is not None:
            tenants.given_back(engine, number, tenant, leased, due, self.now)
        engine.effects.append((Effect.ARRIVED, queue))
        return True

    def _seen(self, row: Any) -> Work:
        id, payload, group, created, due, attempts, first, token, leased, _ = row
        running = bool(leased) and due > self.now
        return Work(id, payload, group, created, due, attempts, first, token, running)


def _remove(engine: Engine, number: int, first: int) -> None:
    if engine.unwritten.remove(first):
        return
    engine.execute("DELETE FROM work WHERE queue = ? AND id >= ?", (number, first))
    engine.execute("DELETE FROM work_payload WHERE id >= ?", (first,))
