"""A server that stops answering while its machine goes on: who asks is told to come again within a
bounded time, and the store goes on when the server does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import postgres
from tests.support.postgres import Cluster

from lambent.core.clock import SystemClock
from lambent.core.errors import StoreUnavailable
from lambent.core.ids import SystemIds
from lambent.store.backends.places import Folder
from lambent.store.backends.postgresql import connecting, fate, lines, open_postgresql
from lambent.store.backends.postgresql.connecting import Session
from lambent.store.contract import Store, Transaction

from .calls import call

pytestmark = pytest.mark.skipif(
    postgres.programs() is None, reason="no PostgreSQL server is installed"
)
SECONDS = 0.5
"""Instead of ten and twenty, so that the tests are quick."""


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    server = postgres.own()
    yield server
    server.remove()


@pytest.fixture
async def store(
    server: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Store]:
    place = Folder(tmp_path / "blobs", sync=False)
    url = server.url(user="postgres")
    impatient = await open_postgresql(url, place, SystemClock(), SystemIds())
    for module, name in (
        (connecting, "ANSWER_SECONDS"),
        (fate, "SECONDS"),
        (lines, "PATIENCE_SECONDS"),
    ):
        monkeypatch.setattr(module, name, SECONDS)
    monkeypatch.setattr(connecting.connect, "__defaults__", (SECONDS,))
    monkeypatch.setattr(lines, "_LOOK_SECONDS", SECONDS / 10)
    yield impatient
    await impatient.close()


async def _append(store: Store, value: bytes) -> None:
    async def body(tx: Transaction) -> None:
        await tx.append("log", [value])

    await store.transact(body)


async def _until_it_answers(store: Store) -> None:
    for _ in range(100):
        try:
            await _append(store, b"again")
        except StoreUnavailable:
            continue
        return
    raise AssertionError("the store did not come back")


async def test_while_a_server_hangs_all_are_told_and_afterwards_it_goes_on(
    store: Store, server: Cluster
) -> None:
    await _append(store, b"before")
    with server.frozen():
        outcomes = await asyncio.wait_for(
            asyncio.gather(
                *(_append(store, b"meanwhile %d" % number) for number in range(20)),
                *(call(store, "read", "log") for _ in range(5)),
                return_exceptions=True,
            ),
            20 * SECONDS,
        )
        assert all(isinstance(outcome, StoreUnavailable) for outcome in outcomes), outcomes
    await _until_it_answers(store)
    values = [entry.value for entry in await call(store, "read", "log")]
    assert values.count(b"before") == 1
    assert len(values) == len(set(values))


@pytest.mark.parametrize("moment", ["first", "last"])
async def test_whatever_it_hangs_at_nothing_acknowledged_is_lost_and_nothing_is_done_twice(
    store: Store, server: Cluster, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """The server hangs as a transaction begins, or as its last statement and commit are sent."""
    await _append(store, b"before")
    hang = server.frozen()
    entered: list[str] = []

    send = getattr(Session, moment)

    async def send_frozen(self: Any, *args: Any) -> Any:
        if not entered:
            entered.append(moment)
            hang.__enter__()
        return await send(self, *args)

    monkeypatch.setattr(Session, moment, send_frozen)
    outcomes = await asyncio.wait_for(
        asyncio.gather(
            *(_append(store, b"%d" % number) for number in range(20)), return_exceptions=True
        ),
        20 * SECONDS,
    )
    assert entered
    hang.__exit__(None, None, None)
    await _until_it_answers(store)
    values = [entry.value for entry in await call(store, "read", "log")]
    assert len(values) == len(set(values))
    for number, outcome in enumerate(outcomes):
        assert outcome is None or isinstance(outcome, StoreUnavailable)
        assert outcome is not None or b"%d" % number in values
    if moment == "first":
        assert values == [b"before", b"again"]


async def test_who_gave_up_waiting_is_not_served(store: Store, server: Cluster) -> None:
    await _append(store, b"before")
    begun: list[int] = []

    async def body(tx: Transaction) -> None:
        begun.append(1)
        await tx.append("log", [b"late"])

    with server.frozen():
        first = asyncio.ensure_future(_append(store, b"first"))
        await asyncio.sleep(0)  # noqa: TID251 - a turn of the loop
        waiting = asyncio.ensure_future(store.transact(body))
        await asyncio.sleep(0)  # noqa: TID251
        waiting.cancel()
        await asyncio.gather(first, waiting, return_exceptions=True)
    await _until_it_answers(store)
    assert not begun
