from __future__ import annotations

import asyncio

import pytest

from lambent.core.clock import VirtualClock
from lambent.store.contract import NewWork, Store, Transaction

from .calls import call, chunks, whole


async def test_a_transaction_gives_its_result(store: Store) -> None:
    async def body(tx: Transaction) -> str:
        return "result"

    assert await store.transact(body) == "result"


async def test_time_stands_still_in_a_transaction(store: Store, clock: VirtualClock) -> None:
    async def body(tx: Transaction) -> tuple[float, float]:
        return tx.now, tx.now

    assert await store.transact(body) == (clock.now(), clock.now())


async def test_a_transaction_sees_its_own_writes(store: Store) -> None:
    async def body(tx: Transaction) -> None:
        await tx.put("c", b"p", b"s", b"v")
        assert (await tx.get("c", b"p", b"s")) is not None
        [id] = await tx.enqueue("q", [NewWork(b"w")])
        assert await tx.item("q", id) is not None
        [position] = await tx.append("l", [b"e"])
        assert [entry.position for entry in await tx.read("l")] == [position]

    await store.transact(body)


async def test_a_failing_body_undoes_all_primitives(store: Store) -> None:
    staged = await store.blobs.stage(chunks(b"bytes"))

    async def body(tx: Transaction) -> None:
        await tx.put("c", b"p", b"s", b"v")
        await tx.enqueue("q", [NewWork(b"w", group="g")])
        await tx.append("l", [b"e"])
        await tx.link_blob(staged)
        raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        await store.transact(body)
    assert await call(store, "get", "c", b"p", b"s") is None
    assert await call(store, "browse", "q") == []
    assert await call(store, "claim", "q", 1, 1, ordered=True) == []
    assert await call(store, "read", "l") == []
    with pytest.raises(KeyError):
        await whole(store, staged.id)


async def test_a_failing_body_undoes_only_its_own_writes(store: Store) -> None:
    async def write(number: int) -> None:
        async def body(tx: Transaction) -> None:
            await tx.put("c", b"p", b"%d" % number, b"v")
            await tx.enqueue(f"q{number % 2}", [NewWork(b"%d" % number)])
            if number % 3 == 0:
                raise LookupError

        await store.transact(body)

    outcomes = await asyncio.gather(*(write(n) for n in range(30)), return_exceptions=True)
    failed = {n for n, outcome in enumerate(outcomes) if isinstance(outcome, LookupError)}
    assert failed == set(range(0, 30, 3))
    kept = {int(record.sort) for record in await call(store, "scan", "c", b"p")}
    assert kept == set(range(30)) - failed
    for parity in (0, 1):
        counts = await call(store, "work_counts", f"q{parity}")
        assert counts.ready == sum(n % 2 == parity for n in kept)


async def test_names_first_used_in_a_failed_body_can_be_used_again(store: Store) -> None:
    async def body(tx: Transaction) -> None:
        await tx.put("new", b"p", b"s", b"v")
        raise LookupError

    with pytest.raises(LookupError):
        await store.transact(body)
    await call(store, "put", "newer", b"p", b"s", b"newer")
    await call(store, "put", "new", b"p", b"s", b"new")
    assert (await call(store, "get", "new", b"p", b"s")).value == b"new"
    assert await call(store, "count", "newer") == 1


async def test_counters_lose_nothing_under_concurrency(store: Store) -> None:
    async def increment(tx: Transaction) -> None:
        record = await tx.get("c", b"n")
        value = int(record.value) if record else 0
        await tx.put("c", b"n", b"", b"%d" % (value + 1))

    await asyncio.gather(*(store.transact(increment) for _ in range(100)))
    assert (await call(store, "get", "c", b"n")).value == b"100"


async def test_an_item_is_claimed_once_under_concurrency(store: Store) -> None:
    await call(store, "enqueue", "q", [NewWork(b"") for _ in range(50)])
    claims = await asyncio.gather(*(call(store, "claim", "q", 3, 60) for _ in range(30)))
    ids = [work.id for works in claims for work in works]
    assert len(ids) == len(set(ids)) == 50


async def test_a_cancelled_waiter_does_not_hurt_the_others(store: Store) -> None:
    tasks = [
        asyncio.ensure_future(call(store, "put", "c", b"p", b"%d" % n, b"v")) for n in range(5)
    ]
    await asyncio.wait(tasks, timeout=0)
    tasks[2].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert all(not task.cancelled() for n, task in enumerate(tasks) if n != 2)
    assert await call(store, "count", "c") >= 4


async def test_an_undone_body_leaves_nothing_in_the_commit_that_it_shared(store: Store) -> None:
    async def add(value: bytes, undone: bool = False) -> None:
        async def body(tx: Transaction) -> None:
            await tx.enqueue("q", [NewWork(value)])
            if undone:
                raise LookupError

        await store.transact(body)

    done = await asyncio.gather(add(b"a"), add(b"b", True), add(b"c"), return_exceptions=True)
    assert [type(one) for one in done] == [type(None), LookupError, type(None)]
    found = await call(store, "browse", "q")
    assert [work.payload for work in found] == [b"a", b"c"]


async def test_bodies_that_name_something_new_and_look_at_it_come_to_their_ends(
    store: Store,
) -> None:
    async def body(tx: Transaction) -> tuple[int, int]:
        await tx.enqueue("new", [NewWork(b"x")])
        await tx.put("new", b"p", b"", b"v")
        return len(await tx.claim("new", 9, 0)), len(await tx.scan("new", b"p"))

    async with asyncio.timeout(5):
        found = await asyncio.gather(*(store.transact(body) for _ in range(4)))
    assert found == [(1, 1), (2, 1), (3, 1), (4, 1)]
