"""Writes everything that bodies changed, in one statement.

Each kind of change is one part of the statement, with its rows as arrays, so that a hundred
messages cost one round trip and one plan. All parts see the database as it was before; the
heads of groups are found by a second statement, which sees the items as they are then.

The depth of a queue is kept as of a moment, its `mark`: how many items are due later than
that, leased and not, since items become due without a write. Each write moves the mark to now,
counting in the index only the items that it passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lambent.store.backends.postgresql.connecting import Connection, Query
from lambent.store.backends.postgresql.finding import (
    head_at,
    item_at,
    of_group,
    passed,
    record_at,
)
from lambent.store.backends.postgresql.groups import PASSED_AT_ONCE
from lambent.store.backends.postgresql.keys import short, whole
from lambent.store.backends.postgresql.overlay import Change, Overlay
from lambent.store.backends.postgresql.tenants import (
    LAPSE,
    LOOSE,
    MARK,
    Turn,
    Turns,
    follow,
    note,
)


class _Statement:
    """Parts of one statement, with their arguments numbered throughout."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.arguments: list[Any] = []

    def add(self, sql: str, *arguments: Any) -> None:
        """A part; `{0}`, `{1}`, … in it stand for its arguments."""
        first = len(self.arguments) + 1
        names = [f"${number}" for number in range(first, first + len(arguments))]
        self.parts.append(f"p{len(self.parts)} AS ({sql.format(*names)})")
        self.arguments += arguments


async def write(
    connection: Connection, state: Overlay, channel: str, notices: Sequence[str], last: bool
) -> None:
    """Write what is changed, and notify the other nodes at the commit: with `last`, now."""
    statement = _Statement()
    _sequence(statement, state)
    _names(statement, state)
    _records(statement, state)
    touched = _work(statement, state)
    turns = _turns(statement, state)
    _logs(statement, state)
    _blobs(statement, state)
    arguments = [*statement.arguments, channel, notices]
    count = len(arguments)
    queries: list[Query] = [
        (
            f"WITH {', '.join(statement.parts)}"
            f" SELECT count(pg_notify(${count - 1}, n)) FROM unnest(${count}::text[]) n",
            *arguments,
        )
    ]
    if touched:
        queries.append(move_heads(touched, state.now))
    if turns:
        queries.append(follow(turns, state.now))
    for query in queries[:-1] if last else queries:
        await connection.fetchrow(*query)
    if last:
        await connection.last(*queries[-1])
    state.written()


def _sequence(statement: _Statement, state: Overlay) -> None:
    """The one row: the sequence, the time, and the stamps of what is being changed."""
    for collection, rows in state.records.items():
        if rows:
            state.touch(collection)
    if not state.touched:
        statement.add("UPDATE store SET next = {0}, last = {1}", state.number, state.now)
        return
    stamp = state.take(1)
    stamps = [stamp if at in state.touched else old for at, old in enumerate(state.stamps)]
    statement.add(
        "UPDATE store SET next = {0}, last = {1}, stamps = {2}", state.number, state.now, stamps
    )


def _names(statement: _Statement, state: Overlay) -> None:
    new = {
        name: number
        for name, number in state.named.items()
        if state.base.get(("name", name)) is None
    }
    if new:
        statement.add(
            "INSERT INTO name (name, number) SELECT * FROM unnest({0}::text[], {1}::bigint[])",
            list(new),
            list(new.values()),
        )


def _records(statement: _Statement, state: Overlay) -> None:
    put = []
    gone = []
    for collection, rows in state.records.items():
        for (partition, sort), row in rows.items():
            if row is None:
                gone.append((collection, short(partition), short(sort)))
            else:
                short_key = short(partition), short(sort)
                put.append((collection, *short_key, *row, whole(partition), whole(sort)))
    if put:
        statement.add(
            "INSERT INTO record"
            " (collection, partition, sort, version, value, long_partition, long_sort)"
            " SELECT * FROM unnest({0}::bigint[], {1}::bytea[], {2}::bytea[], {3}::bigint[],"
            " {4}::bytea[], {5}::bytea[], {6}::bytea[])"
            " ON CONFLICT (collection, partition, sort)"
            " DO UPDATE SET version = excluded.version, value = excluded.value",
            *_columns(put),
        )
    if gone:
        statement.add(
            "DELETE FROM record WHERE ctid = ANY(ARRAY("
            "SELECT r.at FROM unnest({0}::bigint[], {1}::bytea[], {2}::bytea[]) g (c, p, s)"
            f" CROSS JOIN LATERAL {record_at('ctid AS at', 'g.c', 'g.p', 'g.s')} r))",
            *_columns(gone),
        )


def _work(statement: _Statement, state: Overlay) -> set[tuple[int, str]]:
    """The groups whose heads may be others now."""
    new, moved, rewritten, gone, depths = [], [], [], [], []
    touched: set[tuple[int, str]] = set()
    for queue, changes in state.work.items():
        depth = [0, 0, 0, 0, 0]
        mixed = any(change.item and change.item.tenant for change in changes.values())
        for id, change in changes.items():
            base, item = change.base, change.item
            any_side = item or base
            if any_side is None:
                continue
            _count(depth, change, state.now)
            if any_side.group is not None:
                touched.add((queue, any_side.group))
            if item is None:
                gone.append((queue, id))
                continue
            lease = (item.due, item.token, item.attempts, item.first_claimed, item.leased)
            if base is None:
                tenant = LOOSE if mixed and item.tenant is None else item.tenant
                new.append((queue, id, *lease, item.created, item.group, tenant, item.payload))
            else:
                moved.append((queue, id, *lease))
                if change.payload is not None:
                    rewritten.append((queue, id, change.payload))
        if changes:
            depths.append((queue, *depth))
    _items(statement, new, moved, rewritten, gone)
    if depths:
        statement.add(
            "INSERT INTO work_depth AS d (queue, total, loose, waiting, leased, tenanted, mark)"
            " SELECT q, t, l, w, e, n, {6}::float8 FROM unnest({0}::bigint[], {1}::bigint[],"
            " {2}::bigint[], {3}::bigint[], {4}::bigint[], {5}::bigint[]) c (q, t, l, w, e, n)"
            " ON CONFLICT (queue) DO UPDATE"
            " SET (total, loose, tenanted, waiting, leased, mark) = ("
            "  SELECT d.total + excluded.total, d.loose + excluded.loose,"
            "   d.tenanted + excluded.tenanted,"
            "   d.waiting + excluded.waiting - count(*) FILTER (WHERE NOT w.leased),"
            "   d.leased + excluded.leased - count(*) FILTER (WHERE w.leased), excluded.mark"
            f"  FROM {passed('d.mark', 'excluded.mark', 'd.queue')} w)",
            *_columns(depths),
            state.now,
        )
    return touched


def _count(depth: list[int], change: Change, now: float) -> None:
    """Add what a change makes of total, loose, waiting, leased and tenanted, as of `now`."""
    for item, sign in ((change.base, -1), (change.item, 1)):
        if item is None:
            continue
        depth[0] += sign
        depth[1] += sign * (item.group is None)
        depth[4] += sign * bool(item.tenant)
        if item.due > now:
            depth[3 if item.leased else 2] += sign


def _items(
    statement: _Statement, new: list[Any], moved: list[Any], rewritten: list[Any], gone: list[Any]
) -> None:
    if new:
        statement.add(
            "INSERT INTO work (queue, id, due, token, attempts, first_claimed, leased, created,"
            " grp, tenant, payload) SELECT q, i, d, k, a, f, l, c, g,"
            # One without a tenant, in a queue that has some.
            " coalesce(t, (SELECT '' FROM work_depth WHERE queue = q AND tenanted > 0)), p"
            " FROM unnest({0}::bigint[], {1}::bigint[], {2}::float8[],"
            " {3}::bigint[], {4}::int[], {5}::float8[], {6}::bool[], {7}::float8[], {8}::text[],"
            " {9}::text[], {10}::bytea[]) n (q, i, d, k, a, f, l, c, g, t, p)",
            *_columns(new),
        )
    if moved:
        payloads = {(queue, id): payload for queue, id, payload in rewritten}
        statement.add(
            "UPDATE work w SET due = c.due, token = c.token, attempts = c.attempts,"
            " first_claimed = c.first, leased = c.leased, payload = coalesce(c.payload, w.payload)"
            " FROM unnest({0}::bigint[], {1}::bigint[], {2}::float8[], {3}::bigint[], {4}::int[],"
            " {5}::float8[], {6}::bool[], {7}::bytea[])"
            " c (queue, id, due, token, attempts, first, leased, payload)"
            f" CROSS JOIN LATERAL {item_at('ctid AS at', 'c.queue', 'c.id')} found"
            " WHERE w.ctid = found.at",
            *_columns([(*row, payloads.get(row[:2])) for row in moved]),
        )
    if gone:
        statement.add(
            "DELETE FROM work WHERE ctid = ANY(ARRAY("
            "SELECT w.at FROM unnest({0}::bigint[], {1}::bigint[]) g (queue, id)"
            f" CROSS JOIN LATERAL {item_at('ctid AS at', 'g.queue', 'g.id')} w))",
            *_columns(gone),
        )


def _turns(statement: _Statement, state: Overlay) -> Turns:
    """What becomes of tenants, whose queues are brought up to now."""
    turns: Turns = {}
    for queue, changes in state.work.items():
        for change in changes.values():
            note(turns, queue, change.base, change.item, state.now)
    for queue, claimed in state.turns.items():
        for tenant, turn in claimed.items():
            turns[queue, tenant] = turns.get((queue, tenant), Turn())._replace(turn=turn)
    if turns:
        queues = list({queue for queue, _ in turns})
        statement.add(LAPSE, queues, state.now)
        statement.add(MARK, queues, state.now)
    return turns


def _logs(statement: _Statement, state: Overlay) -> None:
    entries = [
        (log, position, value)
        for log, values in state.logs.items()
        for position, value in values.items()
    ]
    if entries:
        statement.add(
            "INSERT INTO log (log, position, time, value) SELECT l, p, {3}::float8, v"
            " FROM unnest({0}::bigint[], {1}::bigint[], {2}::bytea[]) e (l, p, v)",
            *_columns(entries),
            state.now,
        )


def _blobs(statement: _Statement, state: Overlay) -> None:
    linked = [(id, *row) for id, row in state.blobs.items() if row is not None]
    gone = [id for id, row in state.blobs.items() if row is None]
    if linked:
        statement.add(
            "INSERT INTO blob (id, size, bytes)"
            " SELECT * FROM unnest({0}::text[], {1}::bigint[], {2}::bytea[])",
            *_columns(linked),
        )
    if gone:
        statement.add("DELETE FROM blob WHERE id = ANY({0})", gone)


def move_heads(touched: set[tuple[int, str]], now: float) -> Query:
    """Finds the heads of these groups anew; those that time alone made due are marked so."""
    return (
        "WITH head AS ("
        "  SELECT t.queue, t.grp, w.id, w.due FROM unnest($1::bigint[], $2::text[]) t (queue, grp)"
        "  LEFT JOIN LATERAL ("
        f"  SELECT id, due FROM work WHERE queue = t.queue AND {of_group('t.grp')}"
        "   ORDER BY grp, id LIMIT 1) w ON true),"
        " gone AS (DELETE FROM work_head WHERE ctid = ANY(ARRAY("
        "  SELECT h.at FROM head CROSS JOIN LATERAL"
        f"  {head_at('ctid AS at', 'head.queue', 'head.grp')} h"
        "   WHERE head.id IS NULL))),"
        " due AS (UPDATE work_head SET until = 0 WHERE ctid = ANY(ARRAY("
        "  SELECT h.at FROM (SELECT DISTINCT queue FROM head) q CROSS JOIN LATERAL ("
        "   SELECT ctid AS at, queue, grp FROM work_head"
        "   WHERE queue = q.queue AND until > 0 AND until <= $3 ORDER BY until, id LIMIT $4) h"
        "  WHERE (h.queue, h.grp) NOT IN (SELECT queue, grp FROM head))))"
        " INSERT INTO work_head (queue, grp, id, until)"
        " SELECT queue, grp, id, CASE WHEN due > $3 THEN due ELSE 0 END FROM head"
        " WHERE id IS NOT NULL"
        " ON CONFLICT (queue, grp) DO UPDATE SET id = excluded.id, until = excluded.until",
        [queue for queue, _ in touched],
        [group for _, group in touched],
        now,
        PASSED_AT_ONCE,
    )


def _columns(rows: list[Any]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
