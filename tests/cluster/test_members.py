"""Who is there: joining, leaving, and what is given back when a node is lost."""

from __future__ import annotations

from typing import Any

from tests.cluster.conftest import Cluster

from lambent.cluster import members
from lambent.core.errors import StoreUnavailable
from lambent.store.contract import Store, Transaction

HELD = "test.held"


async def _hold(cluster: Cluster, member: str) -> None:
    async def body(tx: Transaction) -> None:
        await tx.put(HELD, b"", member.encode(), b"")

    await cluster.store.transact(body)


async def _held(cluster: Cluster) -> int:
    return await cluster.store.transact(lambda tx: tx.count(HELD))


async def _release(tx: Transaction, member: str) -> None:
    await tx.delete(HELD, b"", member.encode())


async def test_all_see_who_joined_and_who_left(cluster, clock):
    one, two = await cluster.join(), await cluster.join()
    await clock.advance(members.LEASE)
    both = sorted([one.membership.id, two.membership.id])
    assert [m.id for m in one.membership.members] == both
    assert [m.id for m in two.membership.members] == both
    await two.membership.stop()
    await clock.advance(members.LEASE)
    assert [m.id for m in one.membership.members] == [one.membership.id]
    await two.membership.start()


async def test_what_a_lost_node_held_is_given_back_within_its_lease(cluster, clock):
    one, two = await cluster.join(), await cluster.join()
    one.membership.on_lost(_release)
    await _hold(cluster, two.membership.id)
    cluster.kill(two)
    await clock.advance(members.LEASE * 0.9)
    assert await _held(cluster) == 1
    await clock.advance(members.LEASE * 0.5)
    assert await _held(cluster) == 0
    listed, _ = await one.membership.listed()
    assert len(listed) == 1


class SometimesAway:
    """A store that is away while told so."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.away = False

    async def transact(self, body: Any) -> Any:
        if self.away:
            raise StoreUnavailable("away")
        return await self._store.transact(body)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def test_nobody_is_lost_because_the_store_was_away(cluster, clock):
    store = cluster.store = SometimesAway(cluster.store)
    one, two = await cluster.join(), await cluster.join()
    ids = {one.membership.id, two.membership.id}
    one.membership.on_lost(_release)
    await _hold(cluster, two.membership.id)
    store.away = True
    await clock.advance(members.LEASE * 3)
    store.away = False
    await clock.advance(members.LEASE * 2)
    assert {m.id for m in one.membership.members} == ids
    assert {m.id for m in two.membership.members} == ids
    assert await _held(cluster) == 1
    cluster.kill(two)
    await clock.advance(members.LEASE * 1.5)
    assert await _held(cluster) == 0


async def test_a_node_that_joins_judges_nobody_before_a_lease_is_over(cluster, clock):
    one = await cluster.join()
    await _hold(cluster, one.membership.id)
    cluster.kill(one)
    await clock.advance(members.LEASE * 3)
    two = await cluster.join()
    two.membership.on_lost(_release)
    await clock.advance(members.LEASE * 0.5)
    assert await _held(cluster) == 1
    await clock.advance(members.LEASE)
    assert await _held(cluster) == 0


async def test_a_node_alone_on_its_store_takes_over_at_once(cluster):
    killed = await cluster.join()
    await _hold(cluster, killed.membership.id)
    cluster.kill(killed)
    next_run = await cluster.join()
    assert len(next_run.membership.members) == 2  # another could still be alive
    await next_run.membership.stop()
    cluster.peers.remove(next_run)

    async def gone(tx: Transaction, member: str) -> None:
        await _release(tx, member)

    alone = cluster.made(alone=True)
    alone.membership.on_lost(gone)
    await alone.start()
    assert [m.id for m in alone.membership.members] == [alone.membership.id]
    assert await _held(cluster) == 0


async def test_a_node_that_was_taken_for_lost_comes_back_as_another(cluster, clock):
    one, two = await cluster.join(), await cluster.join()
    reborn: list[bool] = []
    two.membership.on_rebirth(lambda: reborn.append(True))
    old = two.membership.id
    await cluster.store.transact(lambda tx: tx.delete(members.COLLECTION, b"", old.encode()))
    await clock.advance(members.LEASE)
    assert reborn == [True]
    assert two.membership.id != old
    assert {m.id for m in one.membership.members} == {one.membership.id, two.membership.id}


async def test_a_draining_node_says_so(cluster, clock):
    one, two = await cluster.join(), await cluster.join()
    await two.membership.drain()
    await clock.advance(members.LEASE / 2)
    assert {m.id: m.draining for m in one.membership.members} == {
        one.membership.id: False,
        two.membership.id: True,
    }
