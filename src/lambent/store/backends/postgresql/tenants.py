"""Fairness among tenants: which items a fair claim may take.

How many items of a tenant are leased is counted in an index of leased items alone, so leases
that run out need no care. `work_tenant` holds when each tenant was claimed from last (`turn`,
from the store's one sequence) while it has items; one that never was stands where its first
due item does.

Items without a tenant are together one more, `LOOSE`. Those that were in the queue before
its first tenant bear no name; they are looked for among the first due ones alone, which is
where the oldest are.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Final

from lambent.store.backends.postgresql.connecting import Connection, Query
from lambent.store.backends.postgresql.finding import item_at, of_tenant, tenant_at
from lambent.store.backends.postgresql.groups import ITEM
from lambent.store.backends.postgresql.overlay import Item
from lambent.store.turns import take_turns

LOOSE: Final = ""
"""The tenant of those that have none; it counts as having nothing leased."""
_LOOSE_AMONG: Final = 200

# The names are found one by one from the index, each by a seek behind the one before.
_LINE: Final = f"""
    WITH RECURSIVE named (tenant) AS (
        (SELECT tenant FROM work WHERE queue = $1 AND tenant IS NOT NULL ORDER BY tenant LIMIT 1)
        UNION ALL
        SELECT (SELECT w.tenant FROM work w WHERE w.queue = $1 AND w.tenant > named.tenant
            ORDER BY w.tenant LIMIT 1)
        FROM named WHERE named.tenant IS NOT NULL)
    SELECT n.tenant,
        CASE WHEN n.tenant = '' THEN 0 ELSE (SELECT count(*) FROM (
            SELECT FROM work WHERE queue = $1 AND {of_tenant("n.tenant")} AND leased AND due > $2
            ORDER BY tenant, due) held) END AS held,
        coalesce({tenant_at("turn", "$1", "n.tenant")}, first.id) AS turn
    FROM named n CROSS JOIN LATERAL (
        SELECT id FROM work WHERE queue = $1 AND {of_tenant("n.tenant")}
            AND due <= $2 AND created > $3 ORDER BY tenant, due, id LIMIT 1) first
    WHERE n.tenant IS NOT NULL ORDER BY held, turn LIMIT $4"""
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
    ready = await connection.fetch(_LINE, queue, now, after, limit)
    rows = await connection.fetch(_ITEMS, queue, [row[0] for row in ready], now, after, limit)
    items: list[list[_Due]] = [[] for _ in ready]
    for number, due, id in rows:
        items[number - 1].append((due, id))
    nameless = await _nameless(connection, queue, limit, now, after)
    line: list[tuple[int, int, Iterator[_Due]]] = []
    for (tenant, held, turn), own in zip(ready, items, strict=True):
        if tenant != LOOSE or not nameless:
            line.append((held, turn, iter(own)))
        else:
            line.append((held, turn, heapq.merge(nameless, own)))
            nameless = []
    if nameless:
        turn = await connection.fetchval(
            "SELECT turn FROM work_tenant WHERE queue = $1 AND tenant = $2", queue, LOOSE
        )
        line.append((0, turn or nameless[0][1], iter(nameless)))
    taken = [id for _, id in take_turns(line, limit)]
    found = await connection.fetch(
        "SELECT w.* FROM unnest($2::bigint[]) t (number)"
        f" CROSS JOIN LATERAL {item_at(ITEM, '$1', 't.number')} w",
        queue,
        taken,
    )
    by_id = {row[0]: Item(*row) for row in found}
    return [by_id[id] for id in taken]


def forget(touched: set[tuple[int, str]]) -> Query:
    """Forgets those of these tenants that have no items any more."""
    return (
        "DELETE FROM work_tenant WHERE ctid = ANY(ARRAY("
        "SELECT t.at FROM unnest($1::bigint[], $2::text[]) g (number, name)"
        f" CROSS JOIN LATERAL {tenant_at('ctid AS at', 'g.number', 'g.name')} t"
        f" WHERE (SELECT id FROM work WHERE queue = g.number AND {of_tenant('g.name')}"
        "  ORDER BY tenant, due, id LIMIT 1) IS NULL))",
        [queue for queue, _ in touched],
        [tenant for _, tenant in touched],
    )


async def _nameless(
    connection: Connection, queue: int, limit: int, now: float, after: float
) -> list[_Due]:
    rows = await connection.fetch(
        "SELECT due, id FROM (SELECT due, id, tenant FROM work"
        "  WHERE queue = $1 AND due <= $2 AND created > $3 ORDER BY due, id LIMIT $4) first"
        " WHERE tenant IS NULL LIMIT $5",
        queue,
        now,
        after,
        _LOOSE_AMONG,
        limit,
    )
    return [(row[0], row[1]) for row in rows]
