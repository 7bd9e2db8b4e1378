"""Fairness among tenants: which items a fair claim may take.

`work_tenant` has a row for each tenant while it has items: how many of them are leased (`held`),
when the first is due (`until`, 0 once that has passed), and when it was claimed from last
(`turn`, from the store's one sequence; before that, its first item's id). So those that can give
something lie together in an index, in the order of their turns, and a claim reads the first few
however many there are.

Leases run out and items become due without a write, so `held` and `until` are as of a moment,
the queue's `mark` in `work_fair`: each write of a tenant's items moves it to now, and looks at
those alone that became due since. A claim does the same for what became due since the last
write, without writing it.

Items without a tenant are together one more, `LOOSE`, whose row says when its turn was and
nothing else. Those that were in the queue before its first tenant bear no name; they are looked
for among the first due ones alone, which is where the oldest are.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from lambent.store.backends.postgresql.connecting import Connection, Query
from lambent.store.backends.postgresql.finding import fair_mark_of, item_at, of_tenant, tenant_at
from lambent.store.backends.postgresql.groups import ITEM, PASSED_AT_ONCE
from lambent.store.backends.postgresql.overlay import Item
from lambent.store.turns import take_turns

LOOSE: Final = ""
"""The tenant of those that have none; it counts as having nothing leased."""
_LOOSE_AMONG: Final = 200


def _lapsed(queue: str, mark: str, now: str) -> str:
    """The tenants' leased items of a queue whose leases ran out since the mark."""
    return (
        f"(SELECT tenant FROM (SELECT tenant, leased FROM work WHERE queue = {queue}"
        f" AND due > {mark} AND due <= {now} ORDER BY due, id) passed"
        " WHERE leased AND tenant <> '')"
    )


def _gives(tenant: str) -> str:
    """A row if the tenant has an item that is due and not too old."""
    return (
        f"(SELECT 1 FROM work WHERE queue = $1 AND {of_tenant(tenant)}"
        " AND due <= $2 AND created > $3 ORDER BY tenant, due, id LIMIT 1)"
    )


# The first in line as of the mark, those that came to have something due since, and those of
# whom leases ran out since. A tenant may be in several of these.
_LINE: Final = f"""
    WITH lapsed AS (
        SELECT w.tenant, count(*) AS n FROM {fair_mark_of("$1")} m
        CROSS JOIN LATERAL {_lapsed("$1", "m.mark", "$2")} w GROUP BY w.tenant)
    SELECT line.tenant, held - coalesce((SELECT n FROM lapsed WHERE tenant = line.tenant), 0), turn
    FROM (
        (SELECT tenant, held, turn FROM work_tenant t CROSS JOIN LATERAL {_gives("t.tenant")} g
            WHERE queue = $1 AND until = 0 AND tenant <> '' ORDER BY held, turn LIMIT $4)
        UNION ALL
        (SELECT tenant, held, turn FROM (SELECT tenant, held, turn FROM work_tenant
            WHERE queue = $1 AND until > 0 AND until <= $2 AND tenant <> ''
            ORDER BY until LIMIT {PASSED_AT_ONCE}) t CROSS JOIN LATERAL {_gives("t.tenant")} g)
        UNION ALL
        (SELECT t.tenant, held, turn FROM lapsed
            CROSS JOIN LATERAL {tenant_at("tenant, held, turn", "$1", "lapsed.tenant")} t
            CROSS JOIN LATERAL {_gives("t.tenant")} g)) line"""
_ITEMS: Final = f"""
    SELECT q.n, w.due, w.id
    FROM unnest($2::text[]) WITH ORDINALITY q (name, n) CROSS JOIN LATERAL (
        SELECT id, due FROM work WHERE queue = $1 AND {of_tenant("q.name")}
            AND due <= $3 AND created > $4 ORDER BY tenant, due, id LIMIT $5) w
    ORDER BY q.n, w.due, w.id"""


_Due = tuple[float, int]
"""When an item is due, and its id."""


async def eligible(
    connection: Connection, queue: int, now: float, limit: int, after: float
) -> list[Item]:
    """What a fair claim takes from a queue with tenants, in the order in which it takes it."""
    found = await connection.fetch(_LINE, queue, now, after, limit)
    places: dict[str, tuple[int, int]] = {row[0]: (row[1], row[2]) for row in found}
    ready = sorted(places, key=places.__getitem__)[:limit]
    rows = await connection.fetch(_ITEMS, queue, [LOOSE, *ready], now, after, limit)
    loose: list[_Due] = []
    items: list[list[_Due]] = [loose, *([] for _ in ready)]
    for number, due, id in rows:
        items[number - 1].append((due, id))
    line: list[tuple[int, int, Iterator[_Due]]] = [
        (*places[tenant], iter(own)) for tenant, own in zip(ready, items[1:], strict=True)
    ]
    nameless = await _nameless(connection, queue, limit, now, after)
    if loose or nameless:
        turn = await connection.fetchval(
            "SELECT turn FROM work_tenant WHERE queue = $1 AND tenant = $2", queue, LOOSE
        )
        first = min((*loose[:1], *nameless[:1]))
        line.append((0, turn or first[1], heapq.merge(nameless, loose)))
    taken = [id for _, id in take_turns(line, limit)]
    found = await connection.fetch(
        "SELECT w.* FROM unnest($2::bigint[]) t (number)"
        f" CROSS JOIN LATERAL {item_at(ITEM, '$1', 't.number')} w",
        queue,
        taken,
    )
    by_id = {row[0]: Item(*row) for row in found}
    return [by_id[id] for id in taken]


class Turn(NamedTuple):
    """What became of a tenant: how many more of its items are leased, and when it was claimed
    from."""

    held: int = 0
    turn: int | None = None


_UNMOVED: Final = Turn()
Turns = dict[tuple[int, str], Turn]
"""By queue and tenant."""


def note(turns: Turns, queue: int, base: Item | None, item: Item | None, now: float) -> None:
    """An item of a tenant was `base`, and is `item` now."""
    one = item or base
    if one is None or one.tenant is None:
        return
    before = turns.get((queue, one.tenant), _UNMOVED)
    held = before.held + _held(item, now) - _held(base, now)
    turns[queue, one.tenant] = Turn(held, before.turn)


def _held(item: Item | None, now: float) -> int:
    return int(item is not None and item.leased and item.due > now and item.tenant != LOOSE)


LAPSE: Final = f"""
    UPDATE work_tenant t SET held = t.held - lapsed.n FROM (
        SELECT found.at, passed.n FROM (
            SELECT q.queue, w.tenant, count(*) AS n FROM unnest({{0}}::bigint[]) q (queue)
            CROSS JOIN LATERAL {fair_mark_of("q.queue")} m
            CROSS JOIN LATERAL {_lapsed("q.queue", "m.mark", "{1}::float8")} w
            GROUP BY q.queue, w.tenant) passed
        CROSS JOIN LATERAL {tenant_at("ctid AS at", "passed.queue", "passed.tenant")} found) lapsed
    WHERE t.ctid = lapsed.at"""
"""With `MARK` beside it, brings queues' tenants up to now, before their items are changed."""
MARK: Final = """
    INSERT INTO work_fair (queue, mark)
    SELECT queue, {1}::float8 FROM unnest({0}::bigint[]) q (queue)
    ON CONFLICT (queue) DO UPDATE SET mark = excluded.mark"""


def follow(changed: Mapping[tuple[int, str], Turn], now: float) -> Query:
    """Puts these tenants, whose items were changed, into their places, and forgets those that have
    no items any more; those that time alone brought something due are marked so."""
    place = tenant_at("ctid", "c.queue", "c.tenant")
    stays = "(c.id IS NOT NULL OR (c.turn IS NOT NULL AND c.tenant = ''))"
    until = "CASE WHEN c.id IS NULL THEN 'Infinity' WHEN c.due > $5 THEN c.due ELSE 0 END"
    return (
        f"WITH changed AS (SELECT c.*, w.id, w.due, {place} AS at"
        "  FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[])"
        "   c (queue, tenant, held, turn)"
        "  LEFT JOIN LATERAL (SELECT id, due FROM work WHERE queue = c.queue"
        f"   AND {of_tenant('c.tenant')} ORDER BY tenant, due, id LIMIT 1) w ON true),"
        " gone AS (DELETE FROM work_tenant WHERE ctid = ANY(ARRAY("
        f"  SELECT at FROM changed c WHERE NOT {stays}))),"
        " due AS (UPDATE work_tenant SET until = 0 WHERE ctid = ANY(ARRAY("
        "  SELECT t.at FROM (SELECT DISTINCT queue FROM changed) q CROSS JOIN LATERAL ("
        "   SELECT ctid AS at, queue, tenant FROM work_tenant"
        "   WHERE queue = q.queue AND until > 0 AND until <= $5 ORDER BY until LIMIT $6) t"
        "  WHERE (t.queue, t.tenant) NOT IN (SELECT queue, tenant FROM changed)))),"
        f" moved AS (UPDATE work_tenant t SET held = t.held + c.held, until = {until},"
        f"  turn = coalesce(c.turn, t.turn) FROM changed c WHERE t.ctid = c.at AND {stays})"
        " INSERT INTO work_tenant (queue, tenant, turn, held, until)"
        f" SELECT c.queue, c.tenant, coalesce(c.turn, c.id), c.held, {until}"
        f" FROM changed c WHERE c.at IS NULL AND {stays}",
        [queue for queue, _ in changed],
        [tenant for _, tenant in changed],
        [turn.held for turn in changed.values()],
        [turn.turn for turn in changed.values()],
        now,
        PASSED_AT_ONCE,
    )


async def _nameless(
    connection: Connection, queue: int, limit: int, now: float, after: float
) -> list[_Due]:
    rows = await connection.fetch(
        "SELECT due, id FROM (SELECT due, id, tenant FROM work"
        "  WHERE queue = $1 AND due <= $2 AND created > $3"
        "  AND (SELECT total > tenanted FROM work_depth WHERE queue = $1)"
        "  ORDER BY due, id LIMIT $4) first"
        " WHERE tenant IS NULL LIMIT $5",
        queue,
        now,
        after,
        _LOOSE_AMONG,
        limit,
    )
    return [(row[0], row[1]) for row in rows]
