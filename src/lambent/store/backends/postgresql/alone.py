"""What is written at once, statement by statement, by a body that runs alone: removing whole
ranges, whose rows are never read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from lambent.store.backends.postgresql.connecting import Connection
from lambent.store.backends.postgresql.finding import passed
from lambent.store.backends.postgresql.reads import within
from lambent.store.backends.postgresql.tenants import LAPSE, Turn, Turns, follow
from lambent.store.backends.postgresql.writes import move_heads

RANGE_SECONDS: Final = 600.0
"""How long the removal of a whole range may take, which may be large."""
_MARK_NOW: Final = f"""
    UPDATE work_depth d SET (waiting, leased, mark) = (
        SELECT d.waiting - count(*) FILTER (WHERE NOT w.leased),
            d.leased - count(*) FILTER (WHERE w.leased), $2::float8
        FROM {passed("d.mark", "$2", "$1")} w)
    WHERE queue = $1"""
"""Moves a queue's mark to now."""
_LAPSE_NOW: Final = f"""
    WITH lapsed AS ({LAPSE.format("$1", "$2")})
    UPDATE work_fair SET mark = $2 WHERE queue = ANY($1)"""
"""Brings the tenants of queues up to now."""


async def _clear(
    connection: Connection, collection: int, partition: bytes | None, limit: int | None
) -> int:
    where, arguments = within(collection, partition)
    if limit is not None:
        where = (
            f"WHERE ctid = ANY(ARRAY(SELECT ctid FROM record {where}"
            f" ORDER BY partition, sort LIMIT ${len(arguments) + 1}))"
        )
        arguments = (*arguments, limit)
    return _rows(
        await connection.execute(f"DELETE FROM record {where}", *arguments, timeout=RANGE_SECONDS)
    )


async def _trim(connection: Connection, log: int, before: float | None, limit: int | None) -> int:
    old, arguments = "log = $1 AND time < $2", [log, float("inf") if before is None else before]
    if limit is not None:
        old = (
            f"ctid = ANY(ARRAY(SELECT ctid FROM log WHERE {old} ORDER BY time, position LIMIT $3))"
        )
        arguments.append(limit)
    return _rows(
        await connection.execute(f"DELETE FROM log WHERE {old}", *arguments, timeout=RANGE_SECONDS)
    )


async def _drop(
    connection: Connection,
    queue: int,
    now: float,
    created_before: float | None,
    limit: int | None,
) -> int:
    if created_before is None:
        dropped = _rows(
            await connection.execute(
                "DELETE FROM work WHERE queue = $1", queue, timeout=RANGE_SECONDS
            )
        )
        await connection.execute("DELETE FROM work_head WHERE queue = $1", queue)
        await connection.execute("DELETE FROM work_tenant WHERE queue = $1", queue)
        await connection.execute("DELETE FROM work_fair WHERE queue = $1", queue)
        await connection.execute("DELETE FROM work_depth WHERE queue = $1", queue)
        return dropped
    await connection.execute(_MARK_NOW, queue, now)
    await connection.execute(_LAPSE_NOW, [queue], now)
    rows = await connection.fetch(
        "DELETE FROM work WHERE ctid = ANY(ARRAY("
        "  SELECT ctid FROM work WHERE queue = $1 AND created < $2 ORDER BY created LIMIT $3))"
        " RETURNING due, leased, grp, tenant",
        queue,
        created_before,
        limit,
        timeout=RANGE_SECONDS,
    )
    later = [row for row in rows if row[0] > now]
    await connection.execute(
        "UPDATE work_depth SET total = total - $2, loose = loose - $3, waiting = waiting - $4,"
        " leased = leased - $5, tenanted = tenanted - $6 WHERE queue = $1",
        queue,
        len(rows),
        sum(row[2] is None for row in rows),
        sum(not row[1] for row in later),
        sum(row[1] for row in later),
        sum(bool(row[3]) for row in rows),
    )
    groups = {(queue, row[2]) for row in rows if row[2] is not None}
    if groups:
        await connection.execute(*move_heads(groups, now))
    turns: Turns = {(queue, row[3]): Turn() for row in rows if row[3] is not None}
    for row in later:
        if row[1] and row[3]:
            turns[queue, row[3]] = Turn(turns[queue, row[3]].held - 1)
    if turns:
        await connection.execute(*follow(turns, now))
    return len(rows)


def _rows(status: str) -> int:
    """The count at the end of a command's tag."""
    return int(status.rpartition(" ")[2])


WRITES: dict[str, Callable[..., Awaitable[Any]]] = {"clear": _clear, "trim": _trim, "drop": _drop}
