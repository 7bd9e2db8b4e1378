"""Behind pgbouncer: in session mode a store works, in others it says that it cannot."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.crash.killing import until
from tests.support import postgres

from lambent.core.clock import SystemClock
from lambent.core.errors import StartupError
from lambent.core.ids import SystemIds
from lambent.store.backends.places import Folder
from lambent.store.backends.postgresql import open_postgresql
from lambent.store.contract import NewWork, Store, Transaction

from .calls import call

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
pytestmark = [
    pytest.mark.skipif(postgres.programs() is None, reason="no PostgreSQL server is installed"),
    pytest.mark.skipif(PGBOUNCER is None, reason="no pgbouncer is installed"),
]


@pytest.fixture
def pooled() -> Iterator[Callable[[str], str]]:
    """`pooled("session")`: the URL of a schema, by way of a pooler in that mode."""
    server = postgres.cluster()
    with ExitStack() as ends:

        def start(mode: str) -> str:
            folder = server.owned(_made(server.folder / f"pooler-{mode}"))
            settings = folder / "pgbouncer.ini"
            settings.write_text(
                f"[databases]\n* = host={server.folder} port={server.port} user=postgres\n"
                f"[pgbouncer]\nlisten_addr =\nlisten_port = {server.port}\n"
                f"unix_socket_dir = {folder}\nauth_type = any\npool_mode = {mode}\n"
            )
            process = subprocess.Popen(
                [str(PGBOUNCER), "--quiet", settings],
                **server.unprivileged(),
                stderr=subprocess.DEVNULL,
            )
            ends.callback(process.wait)
            ends.callback(process.terminate)
            until(lambda: list(folder.glob(".s.PGSQL.*")), bool)
            return server.url().replace(f"host={server.folder}&", f"host={folder}&")

        yield start


def _made(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


async def _opened(url: str, folder: Path) -> Store:
    place = Folder(folder / "blobs", sync=False)
    return await open_postgresql(url, place, SystemClock(), SystemIds())


async def test_a_pooler_by_session_serves_several_nodes(
    pooled: Callable[[str], str], tmp_path: Path
) -> None:
    url = pooled("session")
    one, other = await _opened(url, tmp_path), await _opened(url, tmp_path)
    arrived = one.work_arrived("q")

    async def enqueue(tx: Transaction) -> None:
        await tx.enqueue("q", [NewWork(b"x")])

    await other.transact(enqueue)
    await asyncio.wait_for(arrived.wait(), 10)
    assert [item.payload for item in await call(one, "claim", "q", limit=1, lease=10.0)] == [b"x"]
    await one.close()
    await other.close()


@pytest.mark.parametrize("mode", ["transaction", "statement"])
async def test_a_pooler_by_transaction_is_told_in_one_sentence(
    pooled: Callable[[str], str], tmp_path: Path, mode: str
) -> None:
    with pytest.raises(StartupError, match="the pool's mode must be session"):
        await _opened(pooled(mode), tmp_path)
