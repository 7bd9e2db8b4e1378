"""What `lambent up --store` says when the database cannot be used: one sentence, and nothing
is changed."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support import postgres
from tests.support.postgres import PASSWORD

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
    ],
    ids=["scheme", "url", "password", "user", "database", "address", "schema", "rights"],
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
