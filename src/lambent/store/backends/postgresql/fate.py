"""What became of a commit whose answer was lost.

The server knows by the transaction's id, unless it has crashed since: an id of which nothing
had reached the disk is given out again then, and its status is another transaction's. That
makes one answer doubtful, "committed"; that ours has failed is certain in any case.
"""

from __future__ import annotations

from typing import Any, Final

import asyncpg

from lambent.core.clock import SystemClock
from lambent.core.errors import StoreUnavailable
from lambent.store.backends.postgresql.connecting import Target, connect

SECONDS: Final = 10.0
"""How long to ask."""
_AGAIN_SECONDS: Final = 0.2


class FateUnknown(StoreUnavailable):
    """It may have been committed or not: whoever asked for it is told, and it is not tried
    again on their behalf."""


async def was_committed(to: Target, run: Any, transaction: int | None) -> bool:
    """Whether it was; `run` is the server's when it began. FateUnknown when nobody can tell."""
    clock = SystemClock()
    deadline = clock.monotonic() + SECONDS
    while True:
        try:
            connection = await connect(to, max(deadline - clock.monotonic(), _AGAIN_SECONDS))
            try:
                same = connection.run == run
                fate = await _status(connection, transaction)
            finally:
                connection.terminate()
            if fate == "committed" and not same:
                raise _unknown()
            if fate != "in progress" or not same:
                return bool(fate == "committed")
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            if clock.monotonic() > deadline:
                raise _unknown() from error
        if clock.monotonic() > deadline:
            raise _unknown()
        await clock.sleep(_AGAIN_SECONDS)


async def _status(connection: Any, transaction: int | None) -> str | None:
    """As the server has it; None when there was no such transaction."""
    try:
        status: str | None = await connection.fetchval(
            "SELECT pg_xact_status($1::text::xid8)", str(transaction)
        )
    except asyncpg.InvalidParameterValueError:  # an id that is yet to come
        return None
    return status


def _unknown() -> FateUnknown:
    return FateUnknown("The database was lost while it committed; whether it did is not known.")
