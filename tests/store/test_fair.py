"""Fair claims: tenants that hold little go before those that hold much."""

from __future__ import annotations

from lambent.core.clock import VirtualClock
from lambent.store.contract import NewWork, Store, Work

from .calls import call


async def enqueue(store: Store, *names: str, delay: float = 0.0) -> list[int]:
    """Items named "a1": the first letter is the tenant, "-" for none."""
    items = [
        NewWork(name.encode(), delay=delay, tenant=None if name[0] == "-" else name[0])
        for name in names
    ]
    return await call(store, "enqueue", "q", items)


async def claim(store: Store, limit: int = 10, lease: float = 30) -> list[Work]:
    return await call(store, "claim", "q", limit, lease, fair=True)


def names(works: list[Work]) -> list[str]:
    return [work.payload.decode() for work in works]


async def test_a_claim_takes_from_each_tenant_in_turn(store: Store) -> None:
    await enqueue(store, "a1", "a2", "a3", "b1", "c1")
    assert names(await claim(store, limit=4)) == ["a1", "b1", "c1", "a2"]


async def test_a_tenant_with_much_in_flight_waits_for_those_with_less(store: Store) -> None:
    await enqueue(store, *(f"a{number}" for number in range(9)))
    await claim(store, limit=3)
    await enqueue(store, "b1", "b2", "b3", "b4")
    assert names(await claim(store, limit=5)) == ["b1", "b2", "b3", "a3", "b4"]


async def test_turns_go_round_when_nothing_is_in_flight(store: Store) -> None:
    await enqueue(store, "a1", "a2", "a3", "b1", "b2")
    taken = []
    for _ in range(5):
        [work] = await claim(store, limit=1)
        taken += names([work])
        await call(store, "settle", "q", work.id, work.token)
    assert taken == ["a1", "b1", "a2", "b2", "a3"]


async def test_a_lease_that_ran_out_is_counted_once_however_soon_it_is_noticed(
    store: Store, clock: VirtualClock
) -> None:
    async def counted() -> tuple[int, int]:
        counts = await call(store, "work_counts", "q")
        return counts.ready, counts.leased

    await enqueue(store, "a1", "a2")
    await claim(store, lease=10)
    await clock.advance(9.6)
    assert await counted() == (0, 2)
    await clock.advance(0.8)
    await claim(store, limit=1)
    assert await counted() == (1, 1)
    await clock.advance(5)
    assert await counted() == (1, 1)
    await clock.advance(30)
    assert await counted() == (2, 0)


async def test_what_is_done_or_given_back_is_held_no_more(store: Store) -> None:
    await enqueue(store, *(f"a{number}" for number in range(1, 6)))
    first, second, third = await claim(store, limit=3)
    await enqueue(store, "b1", "b2")
    await claim(store, limit=1)
    await call(store, "settle", "q", first.id, first.token)
    await call(store, "release", "q", second.id, second.token, 60)
    await call(store, "extend", "q", third.id, third.token, 0)
    # Now a holds none and b one.
    assert names(await claim(store, limit=1)) == ["a3"]


async def test_a_lease_that_ran_out_is_held_no_more(store: Store, clock: VirtualClock) -> None:
    await enqueue(store, "a1", "a2", "a3")
    await claim(store, limit=2, lease=10)
    await enqueue(store, "b1", "b2")
    await claim(store, limit=1, lease=60)
    await clock.advance(10)
    assert names(await claim(store, limit=1)) == ["a3"]


async def test_what_is_not_due_yet_gives_no_turn(store: Store, clock: VirtualClock) -> None:
    await enqueue(store, "b1", delay=10)
    await enqueue(store, "a1", "a2")
    assert names(await claim(store, limit=1)) == ["a1"]
    await clock.advance(10)
    assert names(await claim(store)) == ["b1", "a2"]


async def test_those_without_a_tenant_are_one_more(store: Store) -> None:
    await enqueue(store, "-1", "-2", "a1", "a2", "-3")
    taken = names(await claim(store))
    assert [name for name in taken if name[0] == "-"] == ["-1", "-2", "-3"]
    assert "".join(name[0] for name in taken) in ("-a-a-", "a-a--")


async def test_a_queue_without_tenants_gives_in_order_of_due_time(store: Store) -> None:
    await enqueue(store, "-1", "-2", "-3")
    assert names(await claim(store)) == ["-1", "-2", "-3"]


async def test_a_fair_claim_of_a_moment_takes_an_item_once(store: Store) -> None:
    await enqueue(store, "a1", "a2", "b1")
    assert names(await claim(store, lease=0)) == ["a1", "b1", "a2"]
    assert len(await claim(store, lease=0)) == 3


async def test_items_too_old_do_not_stand_in_the_way(store: Store, clock: VirtualClock) -> None:
    await enqueue(store, "a1", "b1")
    await clock.advance(10)
    await enqueue(store, "a2")
    since = clock.now() - 5
    assert names(await call(store, "claim", "q", 10, 5.0, fair=True, created_after=since)) == ["a2"]
    await enqueue(store, "b2")
    assert names(await call(store, "claim", "q", 10, 5.0, fair=True, created_after=since)) == ["b2"]


async def test_ten_thousand_waiting_delay_nobody_else(store: Store) -> None:
    await call(
        store, "enqueue", "q", [NewWork(b"n%d" % number, tenant="n") for number in range(10_000)]
    )
    await claim(store, limit=10)
    await enqueue(store, "q1")
    assert names(await claim(store, limit=1)) == ["q1"]
