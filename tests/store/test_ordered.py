"""Ordered claims: the rules of FIFO queues."""

from __future__ import annotations

from lambent.core.clock import VirtualClock
from lambent.store.contract import NewWork, Store, Work

from .calls import call


async def enqueue(store: Store, *names: str, delay: float = 0.0) -> list[int]:
    """Items named "a1": the first letter is the group, "-" for none."""
    items = [
        NewWork(name.encode(), delay=delay, group=None if name[0] == "-" else name[0])
        for name in names
    ]
    return await call(store, "enqueue", "q", items)


async def claim(store: Store, limit: int = 10, lease: float = 30) -> list[Work]:
    return await call(store, "claim", "q", limit, lease, ordered=True)


def names(works: list[Work]) -> list[str]:
    return [work.payload.decode() for work in works]


async def test_a_claim_fills_from_one_group_before_the_next(store: Store) -> None:
    await enqueue(store, "a1", "b1", "a2", "c1", "b2", "a3")
    assert names(await claim(store, limit=4)) == ["a1", "a2", "a3", "b1"]


async def test_a_group_in_flight_is_passed_over(store: Store) -> None:
    await enqueue(store, "a1", "a2", "b1")
    assert names(await claim(store, limit=1)) == ["a1"]
    assert names(await claim(store)) == ["b1"]


async def test_later_items_in_flight_do_not_block_an_earlier_one(store: Store) -> None:
    await enqueue(store, "a1", "a2", "a3")
    first, *_ = await claim(store, limit=2)
    await call(store, "extend", "q", first.id, first.token, 0)
    assert names(await claim(store)) == ["a1"]


async def test_visible_items_behind_an_invisible_first_give_nothing(store: Store) -> None:
    await enqueue(store, "a1", "a2", "a3")
    _, second, third = await claim(store)
    for work in (second, third):
        assert await call(store, "extend", "q", work.id, work.token, 0)
    assert await claim(store) == []


async def test_extending_the_first_blocks_all_that_run_out(
    store: Store, clock: VirtualClock
) -> None:
    await enqueue(store, "a1", "a2", "a3")
    first, *_ = await claim(store, lease=10)
    await call(store, "extend", "q", first.id, first.token, 60)
    await clock.advance(10)
    assert await claim(store) == []
    assert await call(store, "next_due", "q", ordered=True) == clock.now() + 50


async def test_settling_the_first_frees_the_next(store: Store) -> None:
    await enqueue(store, "a1", "a2")
    [first] = await claim(store, limit=1)
    assert await call(store, "settle", "q", first.id, first.token)
    assert names(await claim(store)) == ["a2"]


async def test_a_lease_that_ran_out_frees_its_group(store: Store, clock: VirtualClock) -> None:
    await enqueue(store, "a1", "a2")
    await claim(store, limit=1, lease=10)
    await clock.advance(10)
    assert names(await claim(store)) == ["a1", "a2"]


async def test_a_delayed_first_item_holds_its_group(store: Store, clock: VirtualClock) -> None:
    await enqueue(store, "a1", delay=10)
    await enqueue(store, "a2", "b1")
    assert names(await claim(store)) == ["b1"]
    await clock.advance(10)
    assert names(await claim(store)) == ["a1", "a2"]


async def test_items_without_a_group_stand_alone(store: Store) -> None:
    await enqueue(store, "a1", "-1", "a2", "-2", "b1")
    assert names(await claim(store, limit=4)) == ["a1", "a2", "-1", "-2"]


async def test_dropping_the_first_frees_the_group(store: Store, clock: VirtualClock) -> None:
    await enqueue(store, "a1")
    await claim(store, lease=1000)
    await clock.advance(1)
    await enqueue(store, "a2")
    assert await claim(store) == []
    assert await call(store, "drop", "q", created_before=clock.now()) == 1
    assert names(await claim(store)) == ["a2"]


async def test_too_old_items_are_passed_over_in_their_group(
    store: Store, clock: VirtualClock
) -> None:
    await enqueue(store, "a1", "b1")
    boundary = clock.now()
    await clock.advance(1)
    await enqueue(store, "a2")
    claimed = await call(store, "claim", "q", 10, 30, ordered=True, created_after=boundary)
    assert names(claimed) == ["a2"]


async def test_a_ready_item_behind_a_blocked_one_is_not_the_next_due(
    store: Store, clock: VirtualClock
) -> None:
    await enqueue(store, "a1", "a2")
    await claim(store, limit=1, lease=30)
    assert await call(store, "next_due", "q", ordered=True) == clock.now() + 30
    assert await call(store, "next_due", "q") <= clock.now()
    await enqueue(store, "b1")
    assert await call(store, "next_due", "q", ordered=True) <= clock.now()


async def test_a_claim_within_the_first_items_gives_nothing_behind_them(store: Store) -> None:
    await enqueue(store, "a1", "a2", "a3", "b1")
    [first] = await claim(store, limit=1)
    assert await call(store, "claim", "q", 10, 30, ordered=True, within=3) == []
    await call(store, "settle", "q", first.id, first.token)
    works = await call(store, "claim", "q", 10, 30, ordered=True, within=3)
    assert names(works) == ["a2", "a3", "b1"]


async def test_the_last_item_of_those_that_are_looked_at_makes_room_when_it_goes(
    store: Store,
) -> None:
    await enqueue(store, "a1", "a2", "b1", "c1", "d1")
    works = await call(store, "claim", "q", 10, 30, ordered=True, within=3)
    assert [work.payload for work in works] == [b"a1", b"a2", b"b1"]
    await call(store, "settle", "q", works[-1].id, works[-1].token)
    works = await call(store, "claim", "q", 10, 30, ordered=True, within=3)
    assert [work.payload for work in works] == [b"c1"]
