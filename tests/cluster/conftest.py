"""Several nodes' coordination over one store, under a virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from lambent.cluster.members import Membership
from lambent.cluster.news import News
from lambent.cluster.places import Places
from lambent.core.clock import VirtualClock
from lambent.core.ids import SeededIds
from lambent.store.backends.sqlite import open_sqlite
from lambent.store.contract import Store

T = TypeVar("T")


@dataclass
class Peer:
    """What one node has of the cluster."""

    membership: Membership
    news: News
    places: Places

    async def start(self) -> Peer:
        await self.news.start()
        await self.membership.start()
        return self


class Cluster:
    """Makes peers on one store."""

    def __init__(self, store: Store, clock: VirtualClock) -> None:
        self.store = store
        self.clock = clock
        self._made = 0
        self.peers: list[Peer] = []

    async def join(self) -> Peer:
        return await self.made().start()

    def made(self, *, alone: bool = False) -> Peer:
        self._made += 1
        membership = Membership(
            self.store,
            self.clock,
            SeededIds(self._made),
            name=f"node-{self._made}",
            version="1",
            endpoint=lambda: "http://127.0.0.1:1",
            alone=alone,
        )
        news = News(self.store, self.clock)
        peer = Peer(membership, news, Places(self.store, self.clock, membership, news))
        self.peers.append(peer)
        return peer

    def kill(self, peer: Peer) -> None:
        """End it with nothing said."""
        for task in (peer.membership._beating, peer.news._reading._running):
            assert task is not None
            task.cancel()
        self.peers.remove(peer)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def cluster(clock: VirtualClock) -> AsyncIterator[Cluster]:
    async with on_one_store(clock) as cluster:
        yield cluster


@asynccontextmanager
async def on_one_store(clock: VirtualClock) -> AsyncIterator[Cluster]:
    """A cluster in memory."""
    store = await open_sqlite(None, clock, SeededIds(0))
    cluster = Cluster(store, clock)
    yield cluster
    for peer in cluster.peers:
        await peer.news.stop()
        await peer.membership.stop()
    await store.close()


async def until_told(clock: VirtualClock, work: Coroutine[Any, Any, T]) -> T:
    """What it returns, with as much time passing as it takes."""
    task = asyncio.ensure_future(work)
    while not task.done():
        await clock.advance(0.1)
    return task.result()
