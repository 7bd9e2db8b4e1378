"""Fairness among tenants: which items a fair claim may take.

`work_tenant` holds for each tenant of a queue how many of its items are leased, when it was
last claimed from (`turn`, from the store's one sequence), and a time before which it surely
has nothing due (`until`, 0 once that has passed), so that those who have something lie
together in the order of their turns, and those with everything in flight cost nothing.

`until` may be too early and never too late; a claim that finds nothing puts it right, or
forgets a tenant that has no items. Queues without tenants have no rows here and pay nothing.

Items without a tenant are together one more, `LOOSE`. Those that were in the queue before
its first tenant bear no name; they are looked for among the first due ones alone, which is
where the oldest are.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator

from lambent.store.backends.sqlite.depths import Depth
from lambent.store.backends.sqlite.engine import Engine
from lambent.store.turns import take_turns

LOOSE = ""
"""The tenant of those that have none; it counts as having nothing leased."""

NEVER = float("inf")
_READY = 0.0
_EXPIRED_AT_ONCE = 1000
_LOOSE_AMONG = 200
_PAGE = 10

_Item = tuple[float, int]
"""When it is due, and its id."""


def joined(engine: Engine, queue: int, tenant: str, id: int, due: float, now: float) -> None:
    """The tenant has a new item."""
    engine.execute(
        "INSERT INTO work_tenant (queue, tenant, until, leased, turn) VALUES (?, ?, ?, 0, ?)"
        " ON CONFLICT DO UPDATE SET until = excluded.until WHERE until > excluded.until",
        (queue, tenant, due if due > now else _READY, id),
    )


def claimed(engine: Engine, queue: int, tenant: str, change: int, turn: int) -> None:
    """An item of the tenant was claimed, which changes how many are leased."""
    engine.execute(
        "INSERT INTO work_tenant (queue, tenant, until, leased, turn) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET leased = leased + excluded.leased, turn = excluded.turn",
        (queue, tenant, NEVER, change if tenant != LOOSE else 0, turn),
    )


def given_back(
    engine: Engine, queue: int, tenant: str, leased: bool, due: float, now: float
) -> None:
    """A leased item of the tenant is due at another time, leased still or not."""
    engine.execute(
        "UPDATE work_tenant SET leased = leased - ?, until = min(until, ?)"
        " WHERE queue = ? AND tenant = ?",
        (0 if leased or tenant == LOOSE else 1, due if due > now else _READY, queue, tenant),
    )


def left(engine: Engine, queue: int, depth: Depth, tenant: str, leased: bool) -> None:
    """An item of the tenant is gone."""
    depth.tenanted -= 1
    if not depth.tenanted:
        engine.execute("DELETE FROM work_tenant WHERE queue = ?", (queue,))
    elif leased and tenant != LOOSE:
        engine.execute(
            "UPDATE work_tenant SET leased = leased - 1 WHERE queue = ? AND tenant = ?",
            (queue, tenant),
        )


def eligible(
    engine: Engine, queue: int, limit: int, now: float, created_after: float | None, depth: Depth
) -> list[int]:
    """The ids that a fair claim takes, in the order in which it takes them."""
    after = float("-inf") if created_after is None else created_after
    _expire(engine, queue, depth, now)
    _wake(engine, queue, now)
    line: list[tuple[int, int, Iterator[_Item]]] = []
    nameless = _nameless(engine, queue, limit, now, after) if depth.total > depth.tenanted else []
    if nameless:
        turn = engine.execute(
            "SELECT turn FROM work_tenant WHERE queue = ? AND tenant = ?", (queue, LOOSE)
        ).fetchall()
        named = _items(engine, queue, LOOSE, limit, now, after)
        line.append((0, turn[0][0] if turn else 0, heapq.merge(nameless, named)))
    last = (-1, 0)
    while len(line) < limit:
        ready = engine.execute(
            "SELECT tenant, leased, turn FROM work_tenant INDEXED BY work_tenant_turn"
            " WHERE queue = ? AND until = 0 AND (leased, turn) > (?, ?)"
            " ORDER BY leased, turn LIMIT ?",
            (queue, *last, limit),
        ).fetchall()
        for tenant, *last in ready:
            if tenant == LOOSE and nameless:
                continue
            items = _items(engine, queue, tenant, limit, now, after)
            first = next(items, None)
            if first is None:
                _put_off(engine, queue, tenant, now)
            else:
                line.append((last[0], last[1], itertools.chain((first,), items)))
        if len(ready) < limit:
            break
    return [id for _, id in take_turns(line, limit)]


def _items(
    engine: Engine, queue: int, tenant: str, limit: int, now: float, after: float
) -> Iterator[_Item]:
    """The tenant's due items, first due first; some at once, as most give one or few."""
    page_size = min(limit, _PAGE)
    due, last = float("-inf"), 0
    while True:
        page = engine.execute(
            "SELECT due, id FROM work INDEXED BY work_tenant_due"
            " WHERE queue = ? AND tenant = ? AND due <= ? AND created > ? AND (due, id) > (?, ?)"
            " ORDER BY due, id LIMIT ?",
            (queue, tenant, now, after, due, last, page_size),
        ).fetchall()
        yield from page
        if len(page) < page_size:
            return
        due, last = page[-1]


def _nameless(engine: Engine, queue: int, limit: int, now: float, after: float) -> list[_Item]:
    rows = engine.execute(
        "SELECT due, id, tenant IS NULL FROM work INDEXED BY work_due"
        " WHERE queue = ? AND due <= ? AND created > ? ORDER BY due, id LIMIT ?",
        (queue, now, after, _LOOSE_AMONG),
    ).fetchall()
    return [(due, id) for due, id, nameless in rows if nameless][:limit]


def _put_off(engine: Engine, queue: int, tenant: str, now: float) -> None:
    """The tenant has nothing due: note from when on it may have, or forget it."""
    following = engine.execute(
        "SELECT due FROM work INDEXED BY work_tenant_due"
        " WHERE queue = ? AND tenant = ? ORDER BY due LIMIT 1",
        (queue, tenant),
    ).fetchall()
    if not following:
        engine.writing()
        engine.execute("DELETE FROM work_tenant WHERE queue = ? AND tenant = ?", (queue, tenant))
    elif following[0][0] > now:  # otherwise it has items that are too old for this claim alone
        engine.writing()
        engine.execute(
            "UPDATE work_tenant SET until = ? WHERE queue = ? AND tenant = ?",
            (following[0][0], queue, tenant),
        )


def _expire(engine: Engine, queue: int, depth: Depth, now: float) -> None:
    """Count the items whose lease ran out no longer as leased."""
    rows = engine.execute(
        "SELECT id, due, tenant FROM work INDEXED BY work_tenant_lease"
        " WHERE queue = ? AND leased AND tenant IS NOT NULL AND due <= ? LIMIT ?",
        (queue, now, _EXPIRED_AT_ONCE),
    ).fetchall()
    if not rows:
        return
    engine.writing()
    depth = engine.depths.changing(queue, now)
    for id, due, tenant in rows:
        engine.execute("UPDATE work SET leased = 0 WHERE queue = ? AND id = ?", (queue, id))
        depth.left(due, True)
        depth.entered(due, False)
        given_back(engine, queue, tenant, False, due, now)


def _wake(engine: Engine, queue: int, now: float) -> None:
    """Mark the tenants that may have something due by now."""
    passed = engine.execute(
        "SELECT 1 FROM work_tenant INDEXED BY work_tenant_turn"
        " WHERE queue = ? AND until > 0 AND until <= ? LIMIT 1",
        (queue, now),
    ).fetchall()
    if passed:
        engine.writing()
        engine.execute(
            "UPDATE work_tenant SET until = 0 WHERE queue = ? AND until > 0 AND until <= ?",
            (queue, now),
        )
