"""When items were created: the oldest, and those before a time.

Items are created in order of their ids, but for those that bring an earlier time from another
queue. These are `dated`: an index has them by their time. So is whatever is added to a queue
that holds such items. So all others have lower ids than they, and the first of a queue by its
id is the oldest of those that are not dated, if there are any. An index of all items would be
a fifth of what it costs to add one. (Where the clock was set back between two starts, items
count as created no earlier than those before them.)
"""

from __future__ import annotations

from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import Any

from lambent.store.backends.sqlite.engine import Engine

_REMOVED = "id, due, leased, grp, tenant, dated, created"
"""What `WorkQueues._removed` takes, and the time by which to put items in order."""


def oldest(engine: Engine, queue: int) -> float | None:
    """When the oldest item was created; None without any."""
    found: float | None = engine.execute(
        "SELECT min(created) FROM ("
        "SELECT * FROM (SELECT created FROM work WHERE queue = ?1 ORDER BY id LIMIT 1)"
        " UNION ALL SELECT min(created) FROM work INDEXED BY work_created"
        " WHERE queue = ?1 AND dated)",
        (queue,),
    ).fetchall()[0][0]
    return found


def before(engine: Engine, queue: int, time: float, limit: int | None) -> list[Any]:
    """The items created before `time`, the oldest first, at most `limit` (None: all), as
    (id, due, leased, group, tenant, dated)."""
    most = -1 if limit is None else limit
    in_order = []
    for row in engine.query(
        f"SELECT {_REMOVED} FROM work WHERE queue = ? ORDER BY id LIMIT ?", (queue, most)
    ):
        if row[5] or row[6] >= time:
            break
        in_order.append(row)
    by_time = engine.execute(
        f"SELECT {_REMOVED} FROM work INDEXED BY work_created"
        " WHERE queue = ? AND dated AND created < ? ORDER BY created LIMIT ?",
        (queue, time, most),
    ).fetchall()
    found = merge(in_order, by_time, key=itemgetter(6))
    return [row[:6] for row in islice(found, limit)]
