"""What a busy node tells the others: at once when it was quiet, seldom while it is busy, and
never not at all."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.support import postgres

from lambent.core.clock import SystemClock, VirtualClock
from lambent.core.ids import SystemIds
from lambent.store.backends.places import Folder
from lambent.store.backends.postgresql import open_postgresql
from lambent.store.backends.postgresql.overlay import Effect
from lambent.store.backends.postgresql.telling import (
    NOTICE_BYTES,
    QUIET_SECONDS,
    Telling,
    news_of,
    notifications,
)
from lambent.store.contract import NewWork

from .calls import call


class _Node:
    """Commits, and what they told."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.told: list[set[str]] = []
        self.telling = Telling(self._alone, self.clock)

    async def _alone(self) -> None:
        self.commit()

    def commit(self, *news: str) -> None:
        told = self.telling.due(set(news))
        self.told.append(told)
        self.telling.committed(set(news), told)

    async def pass_time(self, seconds: float) -> None:
        await self.clock.advance(seconds)


async def test_a_quiet_queue_is_told_of_at_once_and_a_busy_one_once_in_a_while() -> None:
    node = _Node()
    for _ in range(5):
        node.commit("wa")
    node.commit("wa", "wb")
    assert node.told == [{"wa"}, set(), set(), set(), set(), {"wb"}]
    await node.pass_time(QUIET_SECONDS * 1.5)
    assert node.told[6:] == [{"wa"}]
    await node.pass_time(QUIET_SECONDS * 5)
    assert len(node.told) == 7
    node.commit("wa")
    assert node.told[7:] == [{"wa"}]


async def test_who_leaves_tells_what_was_put_off() -> None:
    node = _Node()
    node.commit("wa")
    node.commit("wa")
    await node.telling.close()
    assert node.told[2:] == [{"wa"}]


async def test_a_commit_that_failed_has_told_nothing() -> None:
    node = _Node()
    assert node.telling.due({"wa"}) == {"wa"}
    node.commit("wa")
    assert node.told == [{"wa"}]


def test_many_names_make_few_messages_that_fit() -> None:
    news = news_of([(Effect.ARRIVED, f"{'q' * 500}{n}") for n in range(40)])
    messages = notifications(news)
    assert 2 < len(messages) < 5
    assert all(len(message) <= NOTICE_BYTES for message in messages)
    assert {line for message in messages for line in message.split("\n")} == news


@pytest.mark.skipif(postgres.programs() is None, reason="no PostgreSQL server is installed")
async def test_another_node_hears_of_the_last_of_a_burst(tmp_path: Path) -> None:
    url = postgres.cluster().url()
    place = Folder(tmp_path / "blobs", sync=False)
    sender, receiver = [
        await open_postgresql(url, place, SystemClock(), SystemIds()) for _ in range(2)
    ]
    try:
        received = 0
        for burst in range(1, 6):
            await asyncio.gather(
                *(call(sender, "enqueue", "q", [NewWork(b"")]) for _ in range(burst))
            )
            await call(sender, "enqueue", "q", [NewWork(b"")])
            async with asyncio.timeout(5):  # long before the safety net's look
                while True:
                    arrived = receiver.work_arrived("q")
                    received += len(await call(receiver, "claim", "q", 100, 30))
                    if received == sum(range(2, burst + 2)):
                        break
                    await arrived.wait()
    finally:
        await sender.close()
        await receiver.close()
