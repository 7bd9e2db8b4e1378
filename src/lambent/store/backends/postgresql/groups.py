"""Order within groups: which items an ordered claim may take.

An item of a group is blocked while an earlier one of its group is leased or not yet due, so
a group can give something exactly when its first item, its head, is due. `work_head` holds
each group's head and when it is due: 0 once that has passed, so that the groups that can
give something lie together, in order of their heads, and blocked ones cost nothing however
many they are.
"""

from __future__ import annotations

from typing import Final

from lambent.store.backends.postgresql.connecting import Connection
from lambent.store.backends.postgresql.finding import of_group
from lambent.store.backends.postgresql.overlay import Item

LAST: Final = (1 << 63) - 1
GROUPS_AT_ONCE: Final = 32
PASSED_AT_ONCE: Final = 1000
"""How many groups whose heads became due since the last write are looked at, those that were due
first; the next write marks them, and with that the next ones have their turn."""
ITEM: Final = "id, payload, grp, created, due, attempts, first_claimed, token, leased, tenant"

# A group's items that decide what it gives are those that could be taken and those that block.
_LEADING: Final = f"""
    SELECT {ITEM} FROM (
        SELECT q.head, w.*, bool_or(w.due > $5) OVER (PARTITION BY q.head ORDER BY w.id) AS blocked
        FROM unnest($1::bigint[], $2::text[]) q (head, grp_of_head) CROSS JOIN LATERAL (
            SELECT * FROM work WHERE queue = $3 AND {of_group("q.grp_of_head")}
            AND id <= $4 AND (due > $5 OR created > $6) ORDER BY grp, id LIMIT $7) w) run
    WHERE NOT blocked ORDER BY head, id LIMIT $7"""
_GIVES_AT: Final = f"""
    SELECT h.until, h.id, (SELECT max(due) FROM (
        SELECT due FROM work WHERE queue = $1 AND {of_group("h.grp")} AND id <= (
            SELECT id FROM work WHERE queue = $1 AND {of_group("h.grp")}
            AND created > $2 AND id <= $3 ORDER BY grp, id LIMIT 1)
        ORDER BY grp, id) w)
    FROM work_head h WHERE queue = $1 AND (until, id) > ($4, $5) AND id <= $3
    ORDER BY until, id LIMIT $6"""


async def eligible(
    connection: Connection,
    queue: int,
    now: float,
    limit: int,
    created_after: float | None,
    within: int | None,
) -> list[Item]:
    """What an ordered claim takes, in the order in which it takes it."""
    after = float("-inf") if created_after is None else created_after
    total, loose = await _depth(connection, queue)
    taken = await _first(connection, queue, now, limit, after, LAST, loose)
    if not taken or within is None or total <= within:
        return taken
    # What can be taken mostly lies near the queue's beginning: to count that far is less than
    # to go to the end of what is looked at.
    before = await connection.fetchval(
        "SELECT count(*) FROM"
        " (SELECT 1 FROM work WHERE queue = $1 AND id < $2 ORDER BY id LIMIT $3) w",
        queue,
        max(item.id for item in taken),
        within,
    )
    if before < within:
        return taken
    last_id = await _horizon(connection, queue, within)
    return await _first(connection, queue, now, limit, after, last_id, loose)


async def _first(
    connection: Connection,
    queue: int,
    now: float,
    limit: int,
    after: float,
    last_id: int,
    loose: bool,
) -> list[Item]:
    """The same of the items up to an id."""
    alone = await _alone(connection, queue, limit, now, after, last_id) if loose else []
    taken: list[Item] = []
    last = 0
    while len(taken) < limit:
        heads = await _ready(connection, queue, now, last, last_id)
        if not heads:
            break
        rows = await connection.fetch(
            _LEADING,
            [id for id, _ in heads],
            [group for _, group in heads],
            queue,
            last_id,
            now,
            after,
            limit,
        )
        items: dict[str, list[Item]] = {}
        for row in rows:
            items.setdefault(row[2], []).append(Item(*row))
        for last, group in heads:
            while alone and alone[0].id < last:
                taken.append(alone.pop(0))
            taken += items.get(group, ())
        if len(heads) < GROUPS_AT_ONCE:
            break
    taken += alone
    return taken[:limit]


async def next_due(
    connection: Connection,
    queue: int,
    now: float,
    created_after: float | None,
    within: int | None,
) -> float | None:
    """When the first group can give something: `now` when one can already."""
    after = float("-inf") if created_after is None else created_after
    total, loose = await _depth(connection, queue)
    last_id = LAST
    if within is not None and total > within:
        last_id = await _horizon(connection, queue, within)
    earliest = float("inf")
    if loose:
        alone = await connection.fetchval(
            "SELECT due FROM work WHERE queue = $1 AND grp IS NULL AND created > $2"
            " AND id <= $3 ORDER BY due LIMIT 1",
            queue,
            after,
            last_id,
        )
        earliest = earliest if alone is None else alone
    reached, last = float("-inf"), 0
    while earliest > now and reached < earliest:
        rows = await connection.fetch(
            _GIVES_AT, queue, after, last_id, reached, last, GROUPS_AT_ONCE
        )
        for until, id, gives_at in rows:
            reached, last = until, id
            if gives_at is not None:
                earliest = min(earliest, gives_at)
        if len(rows) < GROUPS_AT_ONCE:
            break
    return None if earliest == float("inf") else max(earliest, now)


async def _ready(
    connection: Connection, queue: int, now: float, last: int, last_id: int
) -> list[tuple[int, str]]:
    """The first groups behind `last` that can give something, in order of their heads."""
    ready = await connection.fetch(
        "SELECT id, grp FROM work_head WHERE queue = $1 AND until = 0 AND id > $2 AND id <= $3"
        " ORDER BY id LIMIT $4",
        queue,
        last,
        last_id,
        GROUPS_AT_ONCE,
    )
    # Those whose heads have become due since the last write.
    passed = await connection.fetch(
        "SELECT id, grp FROM (SELECT id, grp FROM work_head"
        "  WHERE queue = $1 AND until > 0 AND until <= $2 ORDER BY until, id LIMIT $5) passed"
        " WHERE id > $3 AND id <= $4",
        queue,
        now,
        last,
        last_id,
        PASSED_AT_ONCE,
    )
    heads = sorted([(row[0], row[1]) for row in (*ready, *passed)])
    return heads[:GROUPS_AT_ONCE]


async def _depth(connection: Connection, queue: int) -> tuple[int, bool]:
    """How many items the queue has, and whether there are some without a group."""
    depth = await connection.fetchrow("SELECT total, loose FROM work_depth WHERE queue = $1", queue)
    return (0, False) if depth is None else (depth[0], depth[1] > 0)


async def _horizon(connection: Connection, queue: int, within: int) -> int:
    """The id of the item of that number in a queue that has more."""
    last_id: int | None = await connection.fetchval(
        "SELECT id FROM work WHERE queue = $1 ORDER BY id LIMIT 1 OFFSET $2", queue, within - 1
    )
    return LAST if last_id is None else last_id


async def _alone(
    connection: Connection, queue: int, limit: int, now: float, after: float, last_id: int
) -> list[Item]:
    rows = await connection.fetch(
        f"SELECT {ITEM} FROM work WHERE queue = $1 AND grp IS NULL AND due <= $2"
        " AND created > $3 AND id <= $4 ORDER BY id LIMIT $5",
        queue,
        now,
        after,
        last_id,
        limit,
    )
    return [Item(*row) for row in rows]
