"""Order within groups: which items an ordered claim may take.

An item of a group is blocked while an earlier one of its group is leased or not yet due, so
a group can give something exactly when its first item, its head, is due. `work_head` holds
each group's head and when it is due: 0 once that has passed, so that the groups that can
give something lie together, in order of their heads, and blocked ones cost nothing however
many they are.
"""

from __future__ import annotations

from lambent.store.backends.sqlite.depths import Depth
from lambent.store.backends.sqlite.engine import Engine

READY = 0.0
EVERYTHING = (1 << 63) - 1
"""As `last_id`: no item lies after it."""

GROUPS_AT_ONCE = 16


def joined(engine: Engine, queue: int, group: str, id: int, due: float, now: float) -> None:
    """A new item, later than all others, is in the group."""
    engine.execute(
        "INSERT INTO work_head (queue, grp, id, until) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (queue, group, id, _until(due, now)),
    )


def head_moved(engine: Engine, queue: int, group: str, id: int, due: float, now: float) -> None:
    """An item of the group has another due time; it may be the head."""
    engine.execute(
        "UPDATE work_head SET until = ? WHERE queue = ? AND grp = ? AND id = ?",
        (_until(due, now), queue, group, id),
    )


def head_left(engine: Engine, queue: int, group: str, id: int, now: float) -> None:
    """An item of the group is gone; it may have been the head."""
    head = engine.execute(
        "SELECT id FROM work_head WHERE queue = ? AND grp = ?", (queue, group)
    ).fetchall()
    if not head or head[0][0] != id:
        return
    following = engine.execute(
        "SELECT id, due FROM work INDEXED BY work_group"
        " WHERE queue = ? AND grp = ? ORDER BY id LIMIT 1",
        (queue, group),
    ).fetchall()
    if following:
        next_id, due = following[0]
        engine.execute(
            "UPDATE work_head SET id = ?, until = ? WHERE queue = ? AND grp = ?",
            (next_id, _until(due, now), queue, group),
        )
    else:
        engine.execute("DELETE FROM work_head WHERE queue = ? AND grp = ?", (queue, group))


def eligible(
    engine: Engine,
    queue: int,
    limit: int,
    now: float,
    created_after: float | None,
    loose: bool,
    last_id: int = EVERYTHING,
) -> list[int]:
    """The ids that an ordered claim takes, in the order in which it takes them.

    `loose` is whether the queue holds items without a group; each of them stands alone.
    Items after `last_id` are not looked at.
    """
    _unblock(engine, queue, now)
    after = float("-inf") if created_after is None else created_after
    alone = _alone(engine, queue, limit, now, after, last_id) if loose else []
    taken: list[int] = []
    last = 0
    while len(taken) < limit:
        heads = engine.execute(
            "SELECT id, grp FROM work_head INDEXED BY work_head_until"
            " WHERE queue = ? AND until = 0 AND id > ? AND id <= ? ORDER BY id LIMIT ?",
            (queue, last, last_id, GROUPS_AT_ONCE),
        ).fetchall()
        if not heads:
            break
        for last, group in heads:
            if len(taken) >= limit:
                break
            items = _leading(engine, queue, group, limit - len(taken), now, after, last_id)
            while alone and alone[0] < last:
                taken.append(alone.pop(0))
            taken += items
    taken += alone
    return taken[:limit]


def horizon(engine: Engine, queue: int, depth: Depth, count: int | None) -> int:
    """The id of the queue's item of that number: found from where it was last time."""
    if count is None or depth.total <= count:
        return EVERYTHING
    last_id, gone = depth.horizons.get(count, (0, count))
    if gone:
        last_id = engine.execute(
            "SELECT id FROM work WHERE queue = ? AND id > ? ORDER BY id LIMIT 1 OFFSET ?",
            (queue, last_id, gone - 1),
        ).fetchall()[0][0]
        depth.horizons[count] = last_id, 0
    return last_id


def next_due(
    engine: Engine,
    queue: int,
    now: float,
    after: float,
    loose: bool,
    last_id: int = EVERYTHING,
) -> float | None:
    """When the first group can give something: `now` when one can already."""
    earliest = float("inf")
    if loose:
        alone = engine.execute(
            "SELECT due FROM work INDEXED BY work_due"
            " WHERE queue = ? AND grp IS NULL AND created > ? AND id <= ?"
            " ORDER BY due LIMIT 1",
            (queue, after, last_id),
        ).fetchall()
        earliest = alone[0][0] if alone else earliest
    # A cursor of its own, because other statements run and it may end early.
    heads = engine.query(
        "SELECT until, grp FROM work_head INDEXED BY work_head_until"
        " WHERE queue = ? AND id <= ? ORDER BY until",
        (queue, last_id),
    )
    for until, group in heads:
        if earliest <= now or float(until) >= earliest:
            break
        earliest = min(earliest, _gives_at(engine, queue, str(group), after, last_id))
    heads.close()
    return None if earliest == float("inf") else max(earliest, now)


def _gives_at(engine: Engine, queue: int, group: str, after: float, last_id: int) -> float:
    """When the group's first item that is not too old is due, and all before it."""
    latest = READY
    items = engine.query(
        "SELECT due, created FROM work INDEXED BY work_group"
        " WHERE queue = ? AND grp = ? AND id <= ? ORDER BY id",
        (queue, group, last_id),
    )
    for due, created in items:
        latest = max(latest, float(due))
        if float(created) > after:
            items.close()
            return float(latest)
    return float("inf")


def _leading(
    engine: Engine,
    queue: int,
    group: str,
    limit: int,
    now: float,
    after: float,
    last_id: int,
) -> list[int]:
    """The group's items before the first that is leased or not yet due."""
    taken: list[int] = []
    last = 0
    while len(taken) < limit:
        rows = engine.execute(
            "SELECT id, due, created FROM work INDEXED BY work_group"
            " WHERE queue = ? AND grp = ? AND id > ? AND id <= ? ORDER BY id LIMIT ?",
            (queue, group, last, last_id, limit),
        ).fetchall()
        if not rows:
            break
        for last, due, created in rows:
            if due > now or len(taken) >= limit:
                return taken
            if created > after:
                taken.append(last)
    return taken


def _alone(
    engine: Engine, queue: int, limit: int, now: float, after: float, last_id: int
) -> list[int]:
    rows = engine.execute(
        "SELECT id FROM work WHERE queue = ? AND grp IS NULL AND due <= ? AND created > ?"
        " AND id <= ? ORDER BY id LIMIT ?",
        (queue, now, after, last_id, limit),
    ).fetchall()
    return [row[0] for row in rows]


def _unblock(engine: Engine, queue: int, now: float) -> None:
    """Mark the groups whose heads have become due."""
    passed = engine.execute(
        "SELECT 1 FROM work_head INDEXED BY work_head_until"
        " WHERE queue = ? AND until > 0 AND until <= ? LIMIT 1",
        (queue, now),
    ).fetchall()
    if passed:
        engine.writing()
        engine.execute(
            "UPDATE work_head SET until = 0 WHERE queue = ? AND until > 0 AND until <= ?",
            (queue, now),
        )


def _until(due: float, now: float) -> float:
    return due if due > now else READY
