"""Duties that one node at a time does."""

from __future__ import annotations

from lambent.cluster.turns import take_turn

HOUR = 3600.0


async def test_a_period_is_one_nodes_turn(cluster, clock):
    async def turn() -> bool:
        return await cluster.store.transact(lambda tx: take_turn(tx, "sweep", HOUR))

    assert await turn()
    assert not await turn()
    await clock.advance(HOUR / 3)
    assert not await turn()
    await clock.advance(HOUR / 3)
    assert await turn()
    assert not await turn()


async def test_duties_do_not_take_each_others_turns(cluster):
    async def turn(duty: str) -> bool:
        return await cluster.store.transact(lambda tx: take_turn(tx, duty, HOUR))

    assert [await turn("one"), await turn("two"), await turn("one")] == [True, True, False]
