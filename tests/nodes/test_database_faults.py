"""The database under three nodes is cut off, runs out of connections or of disk, hangs, or falls
silent: who asks meanwhile is told to try again, nothing acknowledged is lost, and the nodes go
on by themselves."""

from __future__ import annotations

import asyncio
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from botocore.exceptions import ClientError
from tests.conftest import ClientFactory
from tests.crash.crowd import Crowd, during
from tests.crash.killing import until
from tests.nodes.conftest import Trio
from tests.support import disks, postgres
from tests.support.nodes import ProcessNode
from tests.support.postgres import Cluster

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(postgres.programs() is None, reason="no PostgreSQL server is installed"),
]

At = Callable[..., Any]
ROLE = "lambent_nodes"
LONG = [pytest.mark.slow, pytest.mark.timeout(600)]
"""Whoever is in the middle of a commit is told after 20 s; see `lines.py`."""
_pause = threading.Event()
_CUT = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '{}'"


class Probe:
    """One request after the other, of which each gets an answer or is told to try again."""

    def __init__(self, at: At, node: ProcessNode) -> None:
        self._sqs = at(node, "sqs", retries={"total_max_attempts": 1}, read_timeout=60)
        self._url = self._sqs.create_queue(QueueName="probe")["QueueUrl"]

    def writes(self, size: int = 10) -> bool:
        return self._answers(self._sqs.send_message, MessageBody="x" * size)

    def reads(self) -> bool:
        return self._answers(self._sqs.get_queue_attributes, AttributeNames=["All"])

    def _answers(self, operation: Any, **params: Any) -> bool:
        try:
            operation(QueueUrl=self._url, **params)
        except ClientError as error:
            said = error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]
        else:
            return True
        assert (said[0], said[1]["Code"]) == (503, "ServiceUnavailable")
        return False


def _writes(probe: Probe) -> None:
    until(probe.writes, bool)


def _refused(probe: Probe, size: int = 10) -> None:
    until(partial(probe.writes, size), lambda answered: not answered)


@contextmanager
def _server(log: Path | None = None) -> Iterator[Cluster]:
    """One that may be broken, with a role for the nodes that is no administrator's."""
    server = postgres.own(log)
    try:
        server.sql(f"CREATE ROLE {ROLE} LOGIN")
        server.sql(f"GRANT CREATE ON DATABASE postgres TO {ROLE}")
        server.sql("CREATE ROLE greedy LOGIN")
        yield server
    finally:
        server.remove()


@pytest.fixture
def server() -> Iterator[Cluster]:
    with _server() as server:
        yield server


@contextmanager
def _served(server: Cluster, folder: Path) -> Iterator[Trio]:
    trio = Trio(folder, url=server.url(user=ROLE))
    try:
        yield trio.start()
    finally:
        trio.close()


@contextmanager
def _connections_taken(server: Cluster) -> Iterator[None]:
    """Others hold all connections that the server allows, and the nodes have none."""
    dsn = server.url(user="greedy").replace("&schema=", "&application_name=")

    async def take(enough: threading.Event, taken: threading.Event) -> None:
        held = []
        while not enough.is_set():
            try:
                held.append(await asyncpg.connect(dsn))
            except asyncpg.TooManyConnectionsError:
                if int(await held[0].fetchval(_COUNT)):
                    await asyncio.to_thread(server.sql, _CUT.format(ROLE))
                else:
                    taken.set()
                    # Who was about to connect is not counted yet: look again.
                    await asyncio.to_thread(enough.wait, 0.05)
        await asyncio.gather(*(one.close() for one in held))

    enough, taken = threading.Event(), threading.Event()
    taker = threading.Thread(target=lambda: asyncio.run(take(enough, taken)))
    taker.start()
    try:
        assert taken.wait(60)
        yield
    finally:
        enough.set()
        taker.join()


_COUNT = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{ROLE}'"


@contextmanager
def _role_at_its_limit(server: Cluster) -> Iterator[None]:
    server.sql(f"ALTER ROLE {ROLE} CONNECTION LIMIT 0")
    server.sql(_CUT.format(ROLE))
    yield
    server.sql(f"ALTER ROLE {ROLE} CONNECTION LIMIT -1")


@contextmanager
def _password_changed(server: Cluster) -> Iterator[None]:
    """As when it is rotated, and the nodes are not told for a moment."""
    server.sql(f"ALTER ROLE {ROLE} NOLOGIN")
    server.sql(_CUT.format(ROLE))
    yield
    server.sql(f"ALTER ROLE {ROLE} LOGIN")


_TROUBLES = (_connections_taken, _role_at_its_limit, _password_changed)


@pytest.mark.parametrize(
    ("troubles", "fifo", "seconds"),
    [
        pytest.param(_TROUBLES, True, 0.5, id="each-once"),
        *(
            pytest.param([trouble] * 3, fifo, 1.5, marks=LONG, id=f"{trouble.__name__}-{kind}")
            for trouble in _TROUBLES
            for kind, fifo in (("standard", False), ("fifo", True))
        ),
    ],
)
def test_without_a_connection_requests_are_told_to_come_again(
    server: Cluster,
    tmp_path: Path,
    at: At,
    connect: ClientFactory,
    troubles: Any,
    fifo: bool,
    seconds: float,
) -> None:
    with _served(server, tmp_path) as trio:
        probes = [Probe(at, node) for node in trio.nodes]

        @contextmanager
        def one_after_the_other() -> Iterator[None]:
            for trouble in troubles:
                _pause.wait(0.3)
                with trouble(server):
                    for probe in probes:
                        _refused(probe)
                        until(probe.reads, lambda answered: not answered)
                    _pause.wait(seconds)
                for probe in probes:
                    _writes(probe)
            yield

        during(one_after_the_other(), Crowd(connect, trio.nodes, fifo=fifo))


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """Where the server may write."""
    with disks.small(40) as place:
        yield place


def _tables_on(server: Cluster, place: Path) -> None:
    """Keep what the nodes make on that disk."""
    (place / "tables").mkdir()
    server.sql(f"CREATE TABLESPACE small LOCATION '{server.owned(place / 'tables')}'")
    server.sql(f"GRANT CREATE ON TABLESPACE small TO {ROLE}")
    server.sql(f"ALTER ROLE {ROLE} SET default_tablespace = small")


def _log_goes_on(server: Cluster) -> bool:
    """Whether the server's log finds room for one more file. Without it, the server ends."""
    with suppress(subprocess.CalledProcessError):
        server.sql("SELECT pg_switch_wal(), pg_logical_emit_message(true, 'more', '')")
    return server.running


@pytest.mark.parametrize(
    ("fifo", "times"),
    [
        pytest.param(True, 1, id="once"),
        pytest.param(False, 3, marks=LONG, id="standard-again-and-again"),
        pytest.param(True, 3, marks=LONG, id="fifo-again-and-again"),
    ],
)
@pytest.mark.parametrize("full", ["tables", "log"])
def test_on_a_full_disk_writes_are_told_to_come_again(
    small_disk: Path,
    tmp_path: Path,
    at: At,
    connect: ClientFactory,
    full: str,
    fifo: bool,
    times: int,
) -> None:
    log = small_disk / "log" if full == "log" else None
    with _server(log) as server:
        if full == "tables":
            _tables_on(server, small_disk)
        with _served(server, tmp_path) as trio:
            probes = [Probe(at, node) for node in trio.nodes]

            @contextmanager
            def again_and_again() -> Iterator[None]:
                for _ in range(times):
                    _pause.wait(0.3)
                    with disks.full(small_disk):
                        if full == "log":
                            until(partial(_log_goes_on, server), lambda goes_on: not goes_on)
                        for probe in probes if full == "tables" or times > 1 else ():
                            _refused(probe, 20_000)
                            # Without room for its log a server ends; without room for
                            # tables it reads on.
                            assert probe.reads() or full == "log"
                        _pause.wait(0.5 * times)
                    until(lambda: server.running or server.ended, bool)
                    if server.ended:
                        server.start()  # as whoever made room for it would
                    for probe in probes:
                        _writes(probe)
                yield

            during(again_and_again(), Crowd(connect, trio.nodes, fifo=fifo))


@pytest.mark.parametrize(
    "fifo",
    [
        pytest.param(False, marks=LONG, id="standard"),
        pytest.param(True, marks=LONG, id="fifo"),
    ],
)
def test_while_the_database_hangs_requests_are_told_to_come_again(
    server: Cluster, tmp_path: Path, at: At, connect: ClientFactory, fifo: bool
) -> None:
    with _served(server, tmp_path) as trio:
        probes = [Probe(at, node) for node in trio.nodes]

        @contextmanager
        def hanging() -> Iterator[None]:
            _pause.wait(0.3)
            with server.frozen():
                for probe in probes:
                    begun = time.monotonic()
                    assert not probe.writes()
                    assert not probe.reads()
                    assert time.monotonic() - begun < 2 * 25
            for probe in probes:
                _writes(probe)
            yield

        during(hanging(), Crowd(connect, trio.nodes, fifo=fifo))


def test_a_node_stops_in_good_order_without_its_database(server: Cluster, tmp_path: Path) -> None:
    node = ProcessNode(tmp_path / "node", store=server.url(), blobs=tmp_path / "blobs").start()
    server.stop()
    assert node.stop() == 0
