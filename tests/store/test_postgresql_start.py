"""What `lambent up --store` says when the database cannot be used: one sentence, and nothing
is changed."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support import postgres
from tests.support.postgres import PASSWORD

from lambent.core.errors import StartupError
from lambent.store.backends.postgresql import connecting
from lambent.store.backends.postgresql.connecting import connect, first_connection, target
from lambent.store.backends.postgresql.schema import migrate

pytestmark = pytest.mark.skipif(
    postgres.programs() is None, reason="no PostgreSQL server is installed"
)


def _up(store: str, tmp_path: Path, *options: str) -> tuple[int, str]:
    """The status and what is said on standard error."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "lambent", "up", "--port", "0"),
            *("--data-dir", str(tmp_path / "data"), *options),
        ],
        env={**os.environ, "LAMBENT_STORE": store},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


def _tcp(user: str = "postgres", password: str = PASSWORD, database: str = "postgres") -> str:
    server = postgres.cluster()
    return f"postgresql://{user}:{password}@127.0.0.1:{server.port}/{database}?schema=refused"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _role_without_rights() -> str:
    server = postgres.cluster()
    server.sql("DROP ROLE IF EXISTS guest")
    server.sql("CREATE ROLE guest LOGIN PASSWORD 'guest-secret'")
    return _tcp("guest", "guest-secret")


def _role_that_may_only_read() -> str:
    """In a schema that others have made."""
    server = postgres.cluster()
    asyncio.run(_made(server.url("others")))
    server.sql("DROP ROLE IF EXISTS reader")
    server.sql("CREATE ROLE reader LOGIN PASSWORD 'reader-secret'")
    server.sql("GRANT USAGE ON SCHEMA others TO reader")
    server.sql("GRANT SELECT ON ALL TABLES IN SCHEMA others TO reader")
    return _tcp("reader", "reader-secret").replace("schema=refused", "schema=others")


def _role_of_no_schema() -> str:
    server = postgres.cluster()
    asyncio.run(_made(server.url("closed")))
    server.sql("DROP ROLE IF EXISTS outsider")
    server.sql("CREATE ROLE outsider LOGIN PASSWORD 'outside'")
    return _tcp("outsider", "outside").replace("schema=refused", "schema=closed")


async def _made(url: str) -> None:
    to = target(url)
    connection = await connect(to)
    await migrate(connection, to.schema)
    await connection.close()


def _limited_role() -> str:
    server = postgres.cluster()
    server.sql("DROP ROLE IF EXISTS limited")
    server.sql("CREATE ROLE limited LOGIN PASSWORD 'few' CONNECTION LIMIT 0")
    return _tcp("limited", "few")


@pytest.mark.parametrize(
    ("store", "says"),
    [
        (lambda: "mysql://user:hidden@host/db", r"postgresql://"),
        (lambda: "postgresql://host:port/db", r"URL cannot be read"),
        (lambda: _tcp(password="hidden-mistake"), r"refuses the user or the password"),
        (lambda: _tcp(user="nobody-here"), r"refuses the user"),
        (lambda: _tcp(database="nowhere"), r"no such database"),
        (lambda: f"postgresql://u:hidden@127.0.0.1:{_free_port()}/db", r"cannot be reached"),
        (lambda: _tcp() + ";drop", r"schema must be lower-case"),
        (_role_without_rights, r"lacks a right"),
        (_role_that_may_only_read, r"lacks a right .* INSERT, .* schema others"),
        (_role_of_no_schema, r"lacks a right .* schema closed"),
        (_limited_role, r"too many connections"),
    ],
    ids=[
        *("scheme", "url", "password", "user", "database", "address", "schema"),
        *("rights", "reader", "outsider", "limit"),
    ],
)
def test_a_store_that_cannot_be_used_is_told_in_one_sentence(store, says, tmp_path) -> None:
    status, said = _up(store(), tmp_path)
    lines = [line for line in said.splitlines() if line]
    assert status == 1
    assert len(lines) == 1, said
    assert lines[0].startswith("lambent: ")
    assert re.search(says, lines[0]), lines[0]
    assert "hidden" not in said
    assert PASSWORD not in said
    schemas = postgres.cluster().sql("SELECT nspname FROM pg_namespace WHERE nspname = 'refused'")
    assert schemas == ""


def test_a_folder_for_blobs_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    url = postgres.cluster().url("blobless")
    status, said = _up(url, tmp_path, "--blobs", str(tmp_path / "file" / "blobs"))
    assert (status, len(said.splitlines())) == (1, 1)
    assert "cannot be written to" in said


def test_blobs_without_a_store_are_refused(tmp_path: Path) -> None:
    status, said = _up("", tmp_path, "--blobs", str(tmp_path))
    assert status == 1
    assert "--store" in said


async def test_a_server_that_is_too_old_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "OLDEST_SERVER", 99)
    with pytest.raises(StartupError, match=r"PostgreSQL \d+; Lambent needs 99 or newer"):
        await first_connection(target(postgres.cluster().url()))


async def test_a_server_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "CONNECT_SECONDS", 0.2)
    silent = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    with pytest.raises(StartupError, match=r"cannot be reached: .* \(no answer\)"):
        await first_connection(target(f"postgresql://u:p@127.0.0.1:{port}/db"))
    silent.close()
