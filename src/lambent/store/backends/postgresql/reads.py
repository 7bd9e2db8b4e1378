"""The questions that bodies ask of the database, each kind answered for many at once.

A question is a tuple: its kind and its arguments. `answer` takes all that bodies wait for at
that moment. The frequent kinds are one statement however many ask; the others are asked one
by one. Every statement finds its rows by an index (the sessions switch off other plans, see
`connecting.py`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from lambent.store.backends.postgresql import groups, tenants
from lambent.store.backends.postgresql.connecting import Connection
from lambent.store.backends.postgresql.finding import depth_of, item_at, passed, record_at
from lambent.store.backends.postgresql.groups import ITEM
from lambent.store.backends.postgresql.keys import short
from lambent.store.backends.postgresql.known import Question
from lambent.store.backends.postgresql.overlay import Item
from lambent.store.contract import LogEntry, Record, WorkCounts

LAST: Final = (1 << 63) - 1
HEAD: Final = ITEM.replace("payload", "''::bytea")
PARTITION: Final = "coalesce(long_partition, partition)"
SORT: Final = "coalesce(long_sort, sort)"


async def answer(connection: Connection, questions: Sequence[Question]) -> dict[Question, Any]:
    """The answers to all questions."""
    kinds: dict[str, list[Question]] = {}
    for question in questions:
        kinds.setdefault(question[0], []).append(question)
    answers: dict[Question, Any] = {}
    for kind, asked in kinds.items():
        if kind in MANY:
            answers.update(await MANY[kind](connection, asked))
        else:
            for question in asked:
                answers[question] = await ONE[kind](connection, *question[1:])
    return answers


# Many at once --------------------------------------------------------------------------


async def _names(connection: Connection, asked: list[Question]) -> dict[Question, Any]:
    rows = await connection.fetch(
        "SELECT name, number FROM name WHERE name = ANY($1)", [question[1] for question in asked]
    )
    numbers = {row[0]: row[1] for row in rows}
    return {question: numbers.get(question[1]) for question in asked}


async def _get(connection: Connection, asked: list[Question]) -> dict[Question, Any]:
    answers: dict[Question, Any] = dict.fromkeys(asked)
    rows = await connection.fetch(
        "SELECT q.n, r.version, r.value"
        " FROM unnest($1::bigint[], $2::bytea[], $3::bytea[]) WITH ORDINALITY q (c, p, s, n)"
        f" CROSS JOIN LATERAL {record_at('version, value', 'q.c', 'q.p', 'q.s')} r",
        [question[1] for question in asked],
        [short(question[2]) for question in asked],
        [short(question[3]) for question in asked],
    )
    for number, version, value in rows:
        answers[asked[number - 1]] = (version, value)
    return answers


async def _scan(connection: Connection, asked: list[Question]) -> dict[Question, Any]:
    answers: dict[Question, Any] = {question: [] for question in asked}
    shapes: dict[tuple[bool, bool], list[Question]] = {}
    for question in asked:
        shapes.setdefault((question[1], question[2]), []).append(question)
    for (reverse, ends), alike in shapes.items():
        until = "AND sort < q.e " if ends else ""
        rows = await connection.fetch(
            "SELECT q.n, r.* FROM"
            " unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bigint[])"
            " WITH ORDINALITY q (c, p, s, e, l, n) CROSS JOIN LATERAL ("
            f"  SELECT {SORT}, value, version FROM record"
            f"  WHERE collection = q.c AND partition = q.p AND sort >= q.s {until}"
            f"  ORDER BY sort {'DESC' if reverse else 'ASC'} LIMIT q.l) r",
            [question[3] for question in alike],
            [short(question[4]) for question in alike],
            [short(question[5]) for question in alike],
            [None if question[6] is None else short(question[6]) for question in alike],
            [question[7] for question in alike],
        )
        for number, sort, value, version in rows:
            question = alike[number - 1]
            answers[question].append(Record(question[4], sort, value, version))
        for question in alike:
            answers[question].sort(key=lambda record: record.sort, reverse=reverse)
    return answers


async def _heads(connection: Connection, asked: list[Question]) -> dict[Question, Any]:
    answers: dict[Question, Any] = dict.fromkeys(asked)
    rows = await connection.fetch(
        "SELECT q.n, w.* FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY q (q, i, n)"
        f" CROSS JOIN LATERAL {item_at(HEAD, 'q.q', 'q.i')} w",
        [question[1] for question in asked],
        [question[2] for question in asked],
    )
    for row in rows:
        answers[asked[row[0] - 1]] = Item(*row[1:])
    return answers


async def _due(connection: Connection, asked: list[Question]) -> dict[Question, Any]:
    """Due items, and whether the queue has tenants."""
    found: list[list[Item]] = [[] for _ in asked]
    tenanted: set[int] = set()
    rows = await connection.fetch(
        "SELECT q.n, d.tenanted > 0, w.*"
        " FROM unnest($1::bigint[], $2::float8[], $3::float8[], $4::bigint[])"
        " WITH ORDINALITY q (q, now, after, l, n)"
        f" CROSS JOIN LATERAL {depth_of('tenanted', 'q.q')} d CROSS JOIN LATERAL ("
        f"  SELECT {ITEM} FROM work WHERE queue = q.q AND due <= q.now AND created > q.after"
        "   ORDER BY due, id LIMIT q.l) w",
        *([question[at] for question in asked] for at in range(1, 5)),
    )
    for number, has_tenants, *row in rows:
        found[number - 1].append(Item(*row))
        if has_tenants:
            tenanted.add(number - 1)
    return {
        question: (items, number in tenanted)
        for number, (question, items) in enumerate(zip(asked, found, strict=True))
    }


MANY: dict[str, Callable[[Connection, list[Question]], Awaitable[dict[Question, Any]]]] = {
    "name": _names,
    "get": _get,
    "scan": _scan,
    "head": _heads,
    "due": _due,
}

# One by one ----------------------------------------------------------------------------


async def _scan_all(
    connection: Connection,
    collection: int,
    after: tuple[bytes, bytes] | None,
    until: bytes | None,
    limit: int | None,
) -> list[Record]:
    arguments: list[Any] = [collection, limit]
    where = ""
    if after is not None:
        where += " AND (partition, sort) > ($3, $4)"
        arguments += [short(after[0]), short(after[1])]
    if until is not None:
        where += f" AND partition < ${len(arguments) + 1}"
        arguments.append(short(until))
    rows = await connection.fetch(
        f"SELECT {PARTITION}, {SORT}, value, version FROM record WHERE collection = $1{where}"
        " ORDER BY partition, sort LIMIT $2",
        *arguments,
    )
    return [Record(*row) for row in rows]


async def _count(connection: Connection, collection: int, partition: bytes | None) -> int:
    where, arguments = within(collection, partition)
    count: int = await connection.fetchval(f"SELECT count(*) FROM record {where}", *arguments)
    return count


async def _any(connection: Connection, collection: int, partition: bytes | None) -> bool:
    where, arguments = within(collection, partition)
    row = await connection.fetchrow(
        f"SELECT 1 FROM record {where} ORDER BY partition, sort LIMIT 1", *arguments
    )
    return row is not None


def within(collection: int, partition: bytes | None) -> tuple[str, tuple[Any, ...]]:
    """The records of a collection or of one partition, as a condition."""
    if partition is None:
        return "WHERE collection = $1", (collection,)
    return "WHERE collection = $1 AND partition = $2", (collection, short(partition))


async def _item(connection: Connection, queue: int, id: int) -> Item | None:
    row = await connection.fetchrow(item_at(ITEM, "$1", "$2"), queue, id)
    return None if row is None else Item(*row)


async def _browse(connection: Connection, queue: int, after: int, limit: int) -> list[Item]:
    rows = await connection.fetch(
        f"SELECT {ITEM} FROM work WHERE queue = $1 AND id > $2 ORDER BY id LIMIT $3",
        queue,
        after,
        limit,
    )
    return [Item(*row) for row in rows]


async def _counts(connection: Connection, queue: int, now: float) -> WorkCounts:
    row = await connection.fetchrow(
        "SELECT d.total, d.waiting - p.waiting, d.leased - p.leased,"
        " (SELECT created FROM work WHERE queue = $1 ORDER BY created LIMIT 1)"
        " FROM work_depth d CROSS JOIN LATERAL ("
        "  SELECT count(*) FILTER (WHERE NOT leased) AS waiting,"
        "   count(*) FILTER (WHERE leased) AS leased"
        f"  FROM {passed('d.mark', '$2', '$1')} w) p"
        " WHERE d.queue = $1",
        queue,
        now,
    )
    if row is None:
        return WorkCounts(0, 0, 0, None)
    total, waiting, leased, oldest = row
    return WorkCounts(total - waiting - leased, leased, waiting, oldest)


async def _next_due(
    connection: Connection, queue: int, created_after: float | None
) -> float | None:
    due: float | None = await connection.fetchval(
        "SELECT due FROM work WHERE queue = $1 AND created > $2 ORDER BY due LIMIT 1",
        queue,
        float("-inf") if created_after is None else created_after,
    )
    return due


async def _old_work(connection: Connection, queue: int, created_before: float | None) -> bool:
    row = await connection.fetchrow(
        "SELECT 1 FROM work WHERE queue = $1 AND created < $2 ORDER BY created LIMIT 1",
        queue,
        float("inf") if created_before is None else created_before,
    )
    return row is not None


async def _read(
    connection: Connection, log: int, after: int, limit: int, max_bytes: int | None
) -> list[LogEntry]:
    if max_bytes is None:
        rows = await connection.fetch(
            "SELECT position, time, value FROM log WHERE log = $1 AND position > $2"
            " ORDER BY position LIMIT $3",
            log,
            after,
            limit,
        )
        return [LogEntry(*row) for row in rows]
    # The lengths first: a long value is not read from its own pages to learn its length.
    rows = await connection.fetch(
        "SELECT position, time, value FROM log WHERE log = $1 AND position > $2"
        " AND position <= (SELECT max(position) FROM ("
        "  SELECT position, sum(octet_length(value)) OVER w AS bytes, row_number() OVER w AS row"
        "  FROM (SELECT position, value FROM log WHERE log = $1 AND position > $2"
        "   ORDER BY position LIMIT $3) first WINDOW w AS (ORDER BY position)) sums"
        "  WHERE bytes <= $4 OR row = 1)"
        " ORDER BY position",
        log,
        after,
        limit,
        max_bytes,
    )
    return [LogEntry(*row) for row in rows]


async def _tail(connection: Connection, log: int, before: int | None, limit: int) -> list[LogEntry]:
    rows = await connection.fetch(
        "SELECT position, time, value FROM log WHERE log = $1 AND position < $2"
        " ORDER BY position DESC LIMIT $3",
        log,
        LAST if before is None else before,
        limit,
    )
    return [LogEntry(*row) for row in rows]


async def _position_at(connection: Connection, log: int, time: float) -> int:
    position: int | None = await connection.fetchval(
        "SELECT position FROM log WHERE log = $1 AND time < $2"
        " ORDER BY time DESC, position DESC LIMIT 1",
        log,
        time,
    )
    return position or 0


async def _old(connection: Connection, log: int, before: float | None) -> bool:
    row = await connection.fetchrow(
        "SELECT 1 FROM log WHERE log = $1 AND time < $2 ORDER BY time LIMIT 1",
        log,
        float("inf") if before is None else before,
    )
    return row is not None


async def _blob(connection: Connection, id: str) -> tuple[int, bytes | None] | None:
    row = await connection.fetchrow("SELECT size, bytes FROM blob WHERE id = $1", id)
    return None if row is None else (row[0], row[1])


ONE: dict[str, Callable[..., Awaitable[Any]]] = {
    "scan_all": _scan_all,
    "count": _count,
    "any": _any,
    "item": _item,
    "browse": _browse,
    "counts": _counts,
    "next_due": _next_due,
    "old_work": _old_work,
    "group_due": groups.next_due,
    "ordered": groups.eligible,
    "fair": tenants.eligible,
    "read": _read,
    "tail": _tail,
    "position_at": _position_at,
    "old": _old,
    "blob": _blob,
}
