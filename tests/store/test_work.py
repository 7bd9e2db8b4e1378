from __future__ import annotations

import pytest

from lambent.core.clock import VirtualClock
from lambent.store.contract import NewWork, Store, Transaction, Work, WorkCounts

from .calls import call


async def enqueue(store: Store, *payloads: bytes, **options: object) -> list[int]:
    items = [NewWork(payload, **options) for payload in payloads]  # type: ignore[arg-type]
    return await call(store, "enqueue", "q", items)


async def claim(store: Store, limit: int = 10, lease: float = 30, **options: object) -> list[Work]:
    return await call(store, "claim", "q", limit, lease, **options)


async def counts(store: Store) -> tuple[int, int, int]:
    found: WorkCounts = await call(store, "work_counts", "q")
    return found.ready, found.leased, found.delayed


async def test_ids_grow_in_enqueue_order_over_all_queues(store: Store) -> None:
    first = await call(store, "enqueue", "a", [NewWork(b"1"), NewWork(b"2")])
    second = await call(store, "enqueue", "b", [NewWork(b"3")])
    assert [*first, *second] == sorted({*first, *second})
    assert await call(store, "enqueue", "a", []) == []


async def test_a_claim_tells_everything_about_an_item(store: Store, clock: VirtualClock) -> None:
    start = clock.now()
    [id] = await enqueue(store, b"payload", group="g")
    await clock.advance(5)
    [work] = await claim(store, lease=30)
    assert work == Work(
        id=id,
        payload=b"payload",
        group="g",
        created=start,
        due=start + 35,
        attempts=1,
        first_claimed=start + 5,
        token=work.token,
        leased=True,
    )
    assert await call(store, "item", "q", id) == work
    assert await call(store, "browse", "q") == [work]


async def test_items_come_in_order_of_due_time_then_id(store: Store, clock: VirtualClock) -> None:
    await enqueue(store, b"late", delay=20)
    await enqueue(store, b"early 1", b"early 2", delay=10)
    await enqueue(store, b"now")
    await clock.advance(20)
    payloads = [work.payload for work in await claim(store)]
    assert payloads == [b"now", b"early 1", b"early 2", b"late"]


async def test_delayed_items_wait_for_their_time(store: Store, clock: VirtualClock) -> None:
    await enqueue(store, b"x", delay=10)
    assert await claim(store) == []
    assert await call(store, "next_due", "q") == clock.now() + 10
    await clock.advance(10)
    assert len(await claim(store)) == 1


async def test_a_lease_hides_an_item_until_it_ends(store: Store, clock: VirtualClock) -> None:
    await enqueue(store, b"x")
    [first] = await claim(store, lease=30)
    await clock.advance(29.5)
    assert await claim(store) == []
    await clock.advance(0.5)
    [second] = await claim(store)
    assert second.attempts == 2 and second.token > first.token
    assert second.first_claimed == first.first_claimed


async def test_a_lease_of_zero_leaves_the_item_due(store: Store) -> None:
    await enqueue(store, b"x")
    [first] = await claim(store, lease=0)
    [second] = await claim(store, lease=0)
    assert (first.attempts, second.attempts) == (1, 2)
    assert not second.leased and second.token > first.token
    assert await counts(store) == (1, 0, 0)


async def test_claims_pass_over_items_that_are_too_old(store: Store, clock: VirtualClock) -> None:
    await enqueue(store, b"old")
    boundary = clock.now()
    await clock.advance(1)
    await enqueue(store, b"new")
    assert [work.payload for work in await claim(store, created_after=boundary)] == [b"new"]
    assert len(await call(store, "browse", "q")) == 2


async def test_an_old_token_is_refused(store: Store, clock: VirtualClock) -> None:
    await enqueue(store, b"x")
    [old] = await claim(store, lease=10)
    await clock.advance(10)
    [new] = await claim(store, lease=10)
    for method, argument in (("extend", 5), ("release", 5), ("rewrite", b"y")):
        assert not await call(store, method, "q", old.id, old.token, argument)
    assert not await call(store, "settle", "q", old.id, old.token)
    assert await call(store, "item", "q", old.id) == new


async def test_an_ended_lease_can_be_settled_but_not_extended(
    store: Store, clock: VirtualClock
) -> None:
    await enqueue(store, b"x")
    [work] = await claim(store, lease=10)
    await clock.advance(10)
    for method, argument in (("extend", 5), ("release", 5), ("rewrite", b"y")):
        assert not await call(store, method, "q", work.id, work.token, argument)
    assert await call(store, "settle", "q", work.id, work.token)
    assert not await call(store, "settle", "q", work.id, work.token)


async def test_several_are_settled_at_once_each_by_its_own_token(store: Store) -> None:
    ids = await call(store, "enqueue", "q", [NewWork(b"%d" % n) for n in range(4)])
    stale = await call(store, "claim", "q", 4, 0)
    held = await call(store, "claim", "q", 4, 30)
    claims = [
        (ids[0], held[0].token),
        (ids[1], stale[1].token),
        (ids[2], None),
        (ids[0], held[0].token),
        (ids[1], held[1].token),
        (ids[3] + 1000, None),
    ]
    assert await call(store, "settle_all", "q", claims) == [True, False, True, False, True, False]
    assert [item.id for item in await call(store, "browse", "q")] == [ids[3]]
    assert (await call(store, "work_counts", "q")).leased == 1
    assert await call(store, "settle_all", "q", []) == []
    assert await call(store, "settle_all", "other", [(ids[3], None)]) == [False]


async def test_settle_without_a_token_removes_whoever_holds_it(store: Store) -> None:
    first, second = await enqueue(store, b"x", b"y")
    await claim(store, limit=1)
    assert await call(store, "settle", "q", first, None)
    assert await call(store, "settle", "q", second, None)
    assert await counts(store) == (0, 0, 0)


async def test_an_item_belongs_to_its_queue_alone(store: Store) -> None:
    [id] = await enqueue(store, b"x")
    assert await call(store, "item", "other", id) is None
    assert not await call(store, "settle", "other", id, None)
    assert not await call(store, "extend", "other", id, 1, 5)
    assert await call(store, "claim", "other", 1, 30) == []
    assert await call(store, "drop", "other") == 0
    assert await call(store, "work_counts", "other") == WorkCounts(0, 0, 0, None)


async def test_extend_moves_the_end_of_the_lease(store: Store, clock: VirtualClock) -> None:
    await enqueue(store, b"x")
    [work] = await claim(store, lease=10)
    await clock.advance(5)
    assert await call(store, "extend", "q", work.id, work.token, 10)
    await clock.advance(9)
    assert await claim(store) == []
    assert await call(store, "extend", "q", work.id, work.token, 0)
    assert len(await claim(store)) == 1


async def test_release_gives_the_item_back_after_a_delay(store: Store, clock: VirtualClock) -> None:
    await enqueue(store, b"x")
    [work] = await claim(store, lease=100)
    assert await call(store, "release", "q", work.id, work.token, 10)
    assert await counts(store) == (0, 0, 1)
    assert not await call(store, "release", "q", work.id, work.token, 0)
    await clock.advance(10)
    assert await counts(store) == (1, 0, 0)
    assert [again.attempts for again in await claim(store)] == [2]


async def test_a_claim_that_is_given_back_uncounted_was_no_attempt(store: Store) -> None:
    [id] = await enqueue(store, b"x")
    [work] = await claim(store)
    assert await call(store, "release", "q", id, work.token, 0, uncounted=True)
    assert (await call(store, "item", "q", id)).attempts == 0
    [again] = await claim(store)
    assert (again.attempts, again.token == work.token) == (1, False)
    assert not await call(store, "release", "q", id, work.token, 0, uncounted=True)
    assert (await call(store, "item", "q", id)).attempts == 1


async def test_rewrite_replaces_the_payload(store: Store) -> None:
    await enqueue(store, b"before")
    [work] = await claim(store)
    assert await call(store, "rewrite", "q", work.id, work.token, b"after" * 2_000)
    assert (await call(store, "item", "q", work.id)).payload == b"after" * 2_000


async def test_rewrite_without_a_token_replaces_the_payload_of_what_nobody_holds(
    store: Store,
) -> None:
    [id] = await enqueue(store, b"before")
    assert await call(store, "rewrite", "q", id, None, b"after")
    [work] = await claim(store)
    assert (work.id, work.payload, work.attempts) == (id, b"after", 1)
    assert await call(store, "rewrite", "q", id, None, b"held")
    assert (await call(store, "item", "q", id)).payload == b"held"
    assert not await call(store, "rewrite", "q", id + 1, None, b"nobody")
    assert not await call(store, "rewrite", "other", id, None, b"nobody")


async def test_moved_work_keeps_its_age(store: Store, clock: VirtualClock) -> None:
    created = clock.now() - 1000
    [id] = await enqueue(store, b"x", created=created)
    assert (await call(store, "item", "q", id)).created == created
    assert (await call(store, "work_counts", "q")).oldest == created


async def test_ages_are_right_however_moved_work_mixes_with_new(
    store: Store, clock: VirtualClock
) -> None:
    async def oldest() -> float:
        return (await call(store, "work_counts", "q")).oldest

    start = clock.now()
    [first] = await enqueue(store, b"new 1")
    await clock.advance(10)
    [moved] = await enqueue(store, b"moved", created=start - 50)
    [later] = await enqueue(store, b"moved 2", created=start + 5)
    await clock.advance(10)
    [second] = await enqueue(store, b"new 2")
    assert await oldest() == start - 50
    assert await call(store, "settle", "q", moved, None)
    assert await oldest() == start
    assert await call(store, "settle", "q", first, None)
    assert await oldest() == start + 5
    await clock.advance(10)
    await enqueue(store, b"new 3")
    assert await call(store, "drop", "q", created_before=start + 21) == 2
    assert [work.payload for work in await call(store, "browse", "q")] == [b"new 3"]
    assert await call(store, "item", "q", later) is None
    assert await call(store, "item", "q", second) is None
    assert await oldest() == start + 30


async def test_the_oldest_are_dropped_first_whether_they_were_moved_or_not(
    store: Store, clock: VirtualClock
) -> None:
    start = clock.now()
    await enqueue(store, b"2")
    await clock.advance(10)
    await enqueue(store, b"4")
    await enqueue(store, b"1", created=start - 5)
    await enqueue(store, b"3", created=start + 5)
    left = [b"2", b"4", b"1", b"3"]
    for payload in (b"1", b"2", b"3", b"4"):
        assert await call(store, "drop", "q", created_before=start + 99, limit=1) == 1
        left.remove(payload)
        assert [work.payload for work in await call(store, "browse", "q")] == left


async def test_counts_follow_time_alone(store: Store, clock: VirtualClock) -> None:
    await enqueue(store, b"1", b"2", b"3")
    await enqueue(store, b"4", b"5", delay=20)
    await claim(store, limit=2, lease=10)
    assert await counts(store) == (1, 2, 2)
    await clock.advance(10)
    assert await counts(store) == (3, 0, 2)
    await clock.advance(10)
    assert await counts(store) == (5, 0, 0)


async def test_counts_survive_a_rollback(store: Store) -> None:
    await enqueue(store, b"1", b"2")

    async def body(tx: Transaction) -> None:
        await tx.enqueue("q", [NewWork(b"3", delay=5)])
        await tx.claim("q", 1, 30)
        await tx.drop("q")
        assert await tx.work_counts("q") == WorkCounts(0, 0, 0, None)
        raise LookupError

    with pytest.raises(LookupError):
        await store.transact(body)
    assert await counts(store) == (2, 0, 0)


async def test_drop_removes_all_or_the_old(store: Store, clock: VirtualClock) -> None:
    await enqueue(store, b"old 1", b"old 2")
    await claim(store, limit=1)
    await clock.advance(1)
    await enqueue(store, b"new", delay=60)
    assert await call(store, "drop", "q", created_before=clock.now()) == 2
    assert await counts(store) == (0, 0, 1)
    assert await call(store, "drop", "q") == 1
    assert await call(store, "drop", "q") == 0
    assert await call(store, "next_due", "q") is None


async def test_browse_pages_in_id_order(store: Store) -> None:
    ids = await enqueue(store, b"1", b"2", b"3", b"4", b"5", delay=9)
    seen = [work.id for work in await call(store, "browse", "q", limit=2)]
    assert seen == ids[:2]
    rest = await call(store, "browse", "q", after=seen[-1])
    assert [work.id for work in rest] == ids[2:]


async def test_large_payloads_survive(store: Store) -> None:
    payload = bytes(range(256)) * 4096
    await enqueue(store, payload)
    assert [work.payload for work in await claim(store)] == [payload]
