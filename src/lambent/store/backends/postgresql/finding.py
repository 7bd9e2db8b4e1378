"""How a statement finds single rows by the right index, whatever the planner believes.

Statements are planned once and go on for as long as the connection does. When a table was nearly
empty at its last ANALYZE, every way to a row costs the same to the planner: it may go over a
whole index for a row that another would give at once, and goes on so while the table grows by
millions, until it is analysed again. So each row is sought in a subquery of its own with a
LIMIT, which cannot become part of a join; and where there are several indexes, the order that
is asked for is that of the right one alone, since the sessions switch sorting off as far as
they can (see `connecting.py`). Rows that are changed or deleted are found so first, and then by
their place (`ctid`), which is theirs as long as the transaction holds the line of writers.
"""

from __future__ import annotations


def record_at(columns: str, collection: str, partition: str, sort: str) -> str:
    """The record under a key. All arguments are SQL."""
    return (
        f"(SELECT {columns} FROM record WHERE collection = {collection}"
        f" AND partition = {partition} AND sort = {sort} LIMIT 1)"
    )


def item_at(columns: str, queue: str, id: str) -> str:
    """The work item of that id."""
    return (
        f"(SELECT {columns} FROM work WHERE queue = {queue} AND id >= {id} AND id <= {id}"
        " ORDER BY id LIMIT 1)"
    )


def head_at(columns: str, queue: str, group: str) -> str:
    """The head of a group."""
    return (
        f"(SELECT {columns} FROM work_head WHERE queue = {queue}"
        f" AND grp >= {group} AND grp <= {group} ORDER BY grp LIMIT 1)"
    )


def tenant_at(columns: str, queue: str, tenant: str) -> str:
    """A tenant's turn."""
    return (
        f"(SELECT {columns} FROM work_tenant WHERE queue = {queue} AND tenant = {tenant} LIMIT 1)"
    )


def fair_mark_of(queue: str) -> str:
    """As of when the tenants of a queue are counted."""
    return f"(SELECT mark FROM work_fair WHERE queue = {queue} LIMIT 1)"


def depth_of(columns: str, queue: str) -> str:
    """The depth of a queue."""
    return f"(SELECT {columns} FROM work_depth WHERE queue = {queue} LIMIT 1)"


def passed(mark: str, now: str, queue: str) -> str:
    """Of the items of a queue that became due after `mark` whether they are leased."""
    return (
        f"(SELECT leased FROM work WHERE queue = {queue} AND due > {mark} AND due <= {now}"
        " ORDER BY due, id)"
    )


def of_group(group: str) -> str:
    """A condition on work items; to be read in the order of `grp, id`."""
    return f"grp >= {group} AND grp <= {group}"


def of_tenant(tenant: str) -> str:
    """A condition on work items; to be read in the order of `tenant, due, id`."""
    return f"tenant >= {tenant} AND tenant <= {tenant}"
