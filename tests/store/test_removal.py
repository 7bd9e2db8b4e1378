"""What is gone goes in small transactions, whoever dies meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from lambent.core.clock import Clock, VirtualClock
from lambent.store import removal
from lambent.store.contract import NewWork, Store, Transaction
from lambent.store.removal import Gone, Kind, Removal

from .calls import call

MANY = 250
GONE = (
    removal.work("plain"),
    removal.work("fair"),
    removal.records("c"),
    removal.records("parts", b"p"),
    removal.log("l"),
)


@pytest.fixture
async def filled(store: Store) -> Store:
    async def fill(tx: Transaction) -> None:
        await tx.enqueue("plain", [NewWork(b"x", group=str(n % 7)) for n in range(MANY)])
        await tx.enqueue("fair", [NewWork(b"x", delay=n % 2, tenant=str(n)) for n in range(MANY)])
        for number in range(MANY):
            await tx.put("c", b"%d" % (number % 3), b"%d" % number, b"")
            await tx.put("parts", b"p", b"%d" % number, b"")
        await tx.put("parts", b"q", b"", b"")
        await tx.append("l", [b"x"] * MANY)
        await tx.append("other", [b"x"])

    await store.transact(fill)
    return store


async def _held(store: Store) -> list[int]:
    """How much of what is gone is left; the last two are what is not."""

    async def body(tx: Transaction) -> list[int]:
        queues = [await tx.work_counts(queue) for queue in ("plain", "fair")]
        return [
            *(counts.ready + counts.leased + counts.delayed for counts in queues),
            await tx.count("c"),
            await tx.count("parts", b"p"),
            len(await tx.read("l")),
            await tx.count("parts", b"q"),
            len(await tx.read("other")),
        ]

    return await store.transact(body)


async def _notes(store: Store) -> int:
    return len(await call(store, "browse", removal.QUEUE))


class _Steps:
    """A node's removal, step by step."""

    def __init__(self, store: Store, clock: Clock, *kinds: Kind) -> None:
        self._duty = Removal(store, clock, kinds)

    async def __call__(self) -> float | None:
        return await self._duty._step()


async def test_little_is_removed_at_once(store: Store) -> None:
    await call(store, "append", "l", [b"x"] * (removal.AT_ONCE - 1))
    assert await store.transact(lambda tx: removal.remove(tx, removal.log("l")))
    assert (await call(store, "read", "l"), await _notes(store)) == ([], 0)


async def test_much_is_removed_in_small_transactions(filled: Store, clock: VirtualClock) -> None:
    assert not await filled.transact(lambda tx: removal.remove(tx, *GONE))
    before = await _held(filled)
    assert sum(before) == 5 * MANY - removal.AT_ONCE + 2
    step = _Steps(filled, clock)
    while await step() is not None:
        after = await _held(filled)
        assert sum(before) - sum(after) <= removal.AT_ONCE
        before = after
    assert before == [0, 0, 0, 0, 0, 1, 1]
    assert await _notes(filled) == 0


async def test_what_a_node_had_begun_another_goes_on_with(
    filled: Store, clock: VirtualClock
) -> None:
    await filled.transact(lambda tx: removal.remove(tx, *GONE))
    lost, other = _Steps(filled, clock), _Steps(filled, clock)
    await lost()
    first = (await _held(filled))[0]
    await other()
    assert (await _held(filled))[0] == first, "what one holds the other leaves alone"
    await clock.advance(removal.LEASE_SECONDS)
    while await other() is not None:
        pass
    assert sum(await _held(filled)) == 2
    assert await lost() is None, "what another has done is not held any more"


async def test_a_kind_that_is_not_known_stands_in_nobodys_way(
    filled: Store, clock: VirtualClock
) -> None:
    async def drop(tx: Transaction, what: bytes, limit: int) -> int:
        return limit if what else 0

    newer = Gone(Kind("newer", drop), b"x")
    await filled.transact(lambda tx: removal.remove(tx, newer, *GONE))
    step = _Steps(filled, clock)
    for _ in range(100):
        await step()
    assert (sum(await _held(filled)), await _notes(filled)) == (2, 1)


async def test_what_earlier_versions_noted_is_removed(filled: Store, clock: VirtualClock) -> None:
    await call(filled, "put", "sqs.removing", b"plain", b"", b"work")
    await call(filled, "put", "sqs.removing", b"c", b"", b"records")
    await call(filled, "put", "dynamodb.dropped", b"parts", b"", b"")
    step = _Steps(filled, clock)
    while await step() is not None:
        pass
    assert await _held(filled) == [0, MANY, 0, 0, MANY, 0, 1]


async def test_a_note_wakes_the_duty(filled: Store, clock: VirtualClock) -> None:
    duty = Removal(filled, clock).duty
    duty.start()
    for _ in range(3):
        await clock.advance(0)
    await filled.transact(lambda tx: removal.remove(tx, *GONE))
    async with asyncio.timeout(20):
        while sum(await _held(filled)) > 2:
            await clock.advance(0)
    await duty.stop()
