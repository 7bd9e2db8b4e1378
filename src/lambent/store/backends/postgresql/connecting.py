"""Connections to the database: from a URL, with the session's settings, and its errors told.

`postgresql://USER:PASSWORD@HOST:PORT/DATABASE?schema=NAME`: everything that PostgreSQL's own
URLs may say, and the schema that holds the store (`lambent` by default).
"""

from __future__ import annotations

import asyncio
import re
import socket
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import asyncpg

from lambent.core.errors import StartupError, StoreUnavailable
from lambent.store.backends.postgresql.flights import GatedLoop, alone

Connection: TypeAlias = Any
"""asyncpg's, which has no types."""
Query: TypeAlias = tuple[Any, ...]
"""A statement and its arguments."""

OLDEST_SERVER: Final = 13
CONNECT_SECONDS: Final = 10.0
FROZEN_SECONDS: Final = 5
"""How long a transaction may stay open without a statement before the server ends it: a node
that is frozen or cut off holds the others up no longer than that."""
ANSWER_SECONDS: Final = 10.0
"""How long a statement may take, the commit too: a server that takes longer hangs, and its
connection is given up. Every statement goes over a bounded number of rows."""
WAIT_SECONDS: Final = 9
"""How long a transaction waits for another node's: the server says so before it seems to hang."""
_STATEMENTS: Final = 500
"""How many prepared statements a connection keeps."""
_DEFAULT_SCHEMA: Final = "lambent"

_SETTINGS: Final = {
    "idle_in_transaction_session_timeout": f"{FROZEN_SECONDS}s",
    "lock_timeout": f"{WAIT_SECONDS}s",
    # The server notices that a node is gone, or takes in nothing more, while it works for it.
    "client_connection_check_interval": "2s",
    "tcp_user_timeout": f"{FROZEN_SECONDS}s",
    "jit": "off",
    # Every statement finds its rows by an index, whatever the statistics say of young tables.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    # Whoever asks for an order means that of an index; see finding.py.
    "enable_sort": "off",
}
# Asked for by a statement, as poolers refuse most of them at the start of a connection. Of
# synchronous_commit, "local" and the stronger levels for standbys are the operator's choice;
# "off" loses what was acknowledged.
_BEGIN: Final = (
    "SELECT stats_reset, set_config('search_path', $1, false),"
    # Older servers lack some.
    + "".join(
        f" CASE WHEN current_setting('{name}', true) IS NOT NULL"
        f" THEN set_config('{name}', '{value}', false) END,"
        for name, value in _SETTINGS.items()
    )
    + " CASE current_setting('synchronous_commit')"
    " WHEN 'off' THEN set_config('synchronous_commit', 'on', false) END FROM pg_stat_bgwriter"
)
SILENT_SECONDS: Final = 10
"""How long the machine of the database may leave what is sent to it unacknowledged."""
_TCP: Final = {
    "TCP_USER_TIMEOUT": SILENT_SECONDS * 1000,
    "TCP_KEEPIDLE": SILENT_SECONDS // 2,
    "TCP_KEEPINTVL": 2,
    "TCP_KEEPCNT": 3,
}
"""By their names, as not every system has all."""
_PASSING: Final = ("08", "28", "3D", "40", "53", "57", "58")
"""Classes of errors that are the server's state, not our statements: also that it refuses a
user or database that it knew when the node started."""
_PASSING_CODES: Final = ("25006", "25P03", "55P03")


@dataclass(frozen=True)
class Target:
    """Where the store lies. `shown` names it without password."""

    dsn: str
    schema: str
    shown: str


def target(url: str) -> Target:
    """A store's URL, taken apart. StartupError when it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise StartupError(f"The store's URL cannot be read: {error}.") from error
    query = dict(parse_qsl(parts.query))
    schema = query.pop("schema", _DEFAULT_SCHEMA)
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", schema):
        raise StartupError(
            f"The store's schema must be lower-case letters, digits and _, not {schema}."
        )
    database = unquote(parts.path.lstrip("/")) or (parts.username or "")
    place = parts.hostname or query.get("host", "localhost")
    shown = f"postgresql {place}{f':{port}' if port else ''}/{database}"
    if schema != _DEFAULT_SCHEMA:
        shown += f" schema {schema}"
    dsn = urlunsplit(parts._replace(scheme="postgresql", query=urlencode(query)))
    return Target(dsn, schema, shown)


class Session(asyncpg.Connection):  # type: ignore[misc]
    """A connection. `run` is another after the server has crashed, or is another server: its
    figures begin anew then."""

    __slots__ = ("_first", "_lasts", "run")

    async def ready_for(self, query: str) -> None:
        """`first` is to give this query's row."""
        self._first = await self.prepare(query)
        self._lasts: dict[str, Any] = {}
        # What comes next begins a transaction, which must not have looked at anything yet.
        await self.execute("SELECT 1")

    async def first(self, ahead: bytes) -> Any:
        """The row, behind these statements: with one of `BEGIN_…` as the last, the transaction
        stays open."""
        self._transport.before = ahead
        row = await self._first.fetchrow()
        if self.is_in_transaction() != ahead.endswith(_BEGINNINGS):
            raise asyncpg.InterfaceError("The transaction was not begun.")
        return row

    async def last(self, query: str, *arguments: Any) -> None:
        """Run a statement and commit the transaction. The connection is given up when the server
        hangs: not by a statement's own timeout, which cancels, as a server that waits for its
        standbys would then say that it has committed."""
        prepared = self._lasts.get(query)
        if prepared is None:
            # Before the commit is put behind what is sent next: asyncpg may ask for more than
            # the statement, such as the types that it has not met yet.
            prepared = await self.prepare(query)
            if len(self._lasts) >= _STATEMENTS:
                self._lasts.clear()
            self._lasts[query] = prepared
        self._transport.behind = _COMMIT
        late = asyncio.get_running_loop().call_later(ANSWER_SECONDS, self.terminate)
        try:
            await prepared.fetchrow(*arguments, timeout=2 * ANSWER_SECONDS)
        finally:
            late.cancel()
        if self.is_in_transaction():
            raise asyncpg.InterfaceError("The transaction was not committed.")


BEGIN_WRITING: Final = alone("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
BEGIN_READING: Final = alone("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
ROLLBACK: Final = alone("ROLLBACK")
_BEGINNINGS: Final = (BEGIN_WRITING, BEGIN_READING)
_COMMIT: Final = alone("COMMIT")


async def connect(to: Target, seconds: float = CONNECT_SECONDS) -> Connection:
    """A connection with the settings that every statement relies on, within `seconds`."""
    async with asyncio.timeout(seconds):
        connection = await asyncpg.connect(
            to.dsn,
            timeout=None,
            command_timeout=ANSWER_SECONDS,
            statement_cache_size=_STATEMENTS,
            max_cached_statement_lifetime=0,
            server_settings={"application_name": "lambent"},
            connection_class=Session,
            loop=GatedLoop(asyncio.get_running_loop()),
        )
        try:
            _notice_silence(connection._transport.get_extra_info("socket"))
            connection.run = await connection.fetchval(_BEGIN, to.schema)
        except BaseException:
            connection.terminate()
            raise
    return connection


def _notice_silence(own: Any) -> None:
    """Break the connection once the machine at its other end is gone without a word."""
    if own.family not in (socket.AF_INET, socket.AF_INET6):
        return
    with socket.fromfd(own.fileno(), own.family, own.type) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _TCP.items():
            if hasattr(socket, name):
                same.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


async def first_connection(to: Target) -> Connection:
    """The same at start: StartupError says in one sentence what is wrong."""
    try:
        connection = await connect(to)
        if await _is_shared(connection, to):
            connection.terminate()
            raise StartupError(_POOLED)
    except (
        asyncpg.DuplicatePreparedStatementError,
        asyncpg.InvalidSQLStatementNameError,
    ) as error:
        raise StartupError(_POOLED) from error
    except asyncpg.InvalidPasswordError as error:
        raise StartupError(f"The database refuses the user or the password: {to.shown}.") from error
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise StartupError(f"The database refuses the user: {error}.") from error
    except asyncpg.InvalidCatalogNameError as error:
        raise StartupError(f"There is no such database: {to.shown}.") from error
    except (OSError, TimeoutError) as error:
        reason = (getattr(error, "strerror", None) or str(error) or "no answer").rstrip(".")
        raise StartupError(
            f"The database cannot be reached: {to.shown} ({_plain(reason)})."
        ) from error
    except asyncpg.PostgresError as error:
        raise StartupError(f"The database cannot be used: {_plain(str(error))}.") from error
    except (asyncpg.InterfaceError, ValueError) as error:
        raise StartupError(f"The store's URL cannot be used: {_plain(str(error))}.") from error
    version = connection.get_server_version()
    if version.major < OLDEST_SERVER:
        await connection.close()
        raise StartupError(
            f"The database is PostgreSQL {version.major}; Lambent needs {OLDEST_SERVER} or newer."
        )
    return connection


_POOLED: Final = (
    "The database is behind a pooler that gives its connections to others between transactions; "
    "Lambent listens and keeps settings on them, so the pool's mode must be session."
)


async def _is_shared(connection: Connection, to: Target) -> bool:
    """Whether another session gets the server's process that this one has."""
    other = await connect(to)
    try:
        mine, theirs = [
            await one.fetchval("SELECT pg_backend_pid()") for one in (connection, other)
        ]
    finally:
        other.terminate()
    return bool(mine == theirs)


_GONE: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    # What asyncpg says until it is closed when the server took its leave while nothing was asked.
    asyncpg.InternalClientError,
)


def lost(error: BaseException, connection: Connection | None) -> bool:
    """Whether an error means that the connection is gone, and with it what was open on it."""
    return isinstance(error, _GONE) or connection is None or connection.is_closed()


def passing(error: BaseException) -> bool:
    """Whether the server, or the way to it, is to blame, so that the same may succeed later."""
    if isinstance(error, _GONE):
        return True
    code = getattr(error, "sqlstate", None) or ""
    return code[:2] in _PASSING or code in _PASSING_CODES


def unavailable(error: BaseException) -> StoreUnavailable:
    """What the caller is told."""
    if isinstance(error, StoreUnavailable):
        return StoreUnavailable(*error.args)
    reason = getattr(error, "strerror", None) or _plain(str(error))
    reason = reason or ("no answer" if isinstance(error, TimeoutError) else type(error).__name__)
    return StoreUnavailable(f"The store cannot do this now: {reason}.")


def _plain(text: str) -> str:
    """The first line, without its full stop."""
    return text.strip().partition("\n")[0].rstrip(". ")
