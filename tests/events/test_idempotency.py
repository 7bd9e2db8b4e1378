"""Outcomes by key: exactly one begins, nobody is blocked for ever, everything expires."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.core.clock import VirtualClock
from lambent.core.ids import SeededIds
from lambent.events import idempotency
from lambent.events.idempotency import COLLECTION, EXPIRY, Begun, Entry, State, decide
from lambent.store.backends.sqlite import open_sqlite
from lambent.store.contract import Store, Transaction

NOW = 1000.0


def entry(**more: Any) -> Entry:
    known: dict[str, Any] = {
        "key": "k",
        "owner": "o",
        "holder": "h",
        "begun": 0.0,
        "deadline": None,
        "expires": NOW + 1,
    }
    return Entry(**{**known, **more})


@pytest.mark.parametrize(
    ("known", "owner", "digest", "state"),
    [
        (None, "", "", State.STARTED),
        (entry(), "", "", State.DONE),
        (entry(expires=NOW), "", "", State.STARTED),
        (entry(digest="a"), "", "a", State.DONE),
        (entry(digest="a"), "", "b", State.MISMATCH),
        (entry(digest="a"), "", "", State.DONE),
        (entry(digest="a", expires=NOW), "", "b", State.STARTED),
        (entry(deadline=NOW + 1), "", "", State.IN_PROGRESS),
        (entry(deadline=NOW + 1), "other", "", State.IN_PROGRESS),
        (entry(deadline=NOW + 1), "o", "", State.STARTED),
        (entry(deadline=NOW + 1, owner=""), "", "", State.IN_PROGRESS),
        (entry(deadline=NOW), "", "", State.STARTED),
        (entry(deadline=NOW + 1, digest="a"), "", "b", State.IN_PROGRESS),
    ],
    ids=str,
)
def test_who_may_begin(known: Entry | None, owner: str, digest: str, state: State) -> None:
    assert decide(known, owner, digest, NOW) is state


@given(st.none() | st.floats(0, 2000), st.floats(0, 2000), st.text(max_size=2), st.text(max_size=2))
def test_a_key_is_begun_by_a_stranger_only_when_nothing_holds_it(
    deadline: float | None, expires: float, owner: str, digest: str
) -> None:
    state = decide(entry(deadline=deadline, expires=expires), owner + "?", digest, NOW)
    free = expires <= NOW or (deadline is not None and deadline <= NOW)
    assert (state is State.STARTED) == free


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def store(clock: VirtualClock) -> AsyncIterator[Store]:
    store = await open_sqlite(None, clock, SeededIds(1))
    yield store
    await store.close()


Body = Callable[[Transaction], Awaitable[Any]]


def begins(holder: str, **more: Any) -> Callable[[Transaction], Awaitable[Begun]]:
    arguments: dict[str, Any] = {"owner": "", "hold": 10.0, "keep": 100.0, **more}
    return lambda tx: idempotency.begin(tx, "s", "k", holder=holder, **arguments)


async def test_of_two_that_begin_at_once_one_does(store: Store) -> None:
    found = await asyncio.gather(*(store.transact(begins(str(n))) for n in range(8)))
    assert [one.state for one in found].count(State.STARTED) == 1
    assert [one.state for one in found].count(State.IN_PROGRESS) == 7


async def test_what_is_done_stays_done_until_it_expires(store: Store, clock: VirtualClock) -> None:
    await store.transact(begins("a"))
    assert not await store.transact(lambda tx: idempotency.finish(tx, "s", "k", "b", 100.0))
    assert await store.transact(lambda tx: idempotency.finish(tx, "s", "k", "a", 100.0, b"7"))
    assert not await store.transact(lambda tx: idempotency.finish(tx, "s", "k", "a", 100.0, b"8"))
    await clock.advance(99)
    state, known = await store.transact(begins("b"))
    assert (state, known.outcome) == (State.DONE, b"7")
    await clock.advance(2)
    assert (await store.transact(begins("b"))).state is State.STARTED


async def test_a_holder_that_died_blocks_until_its_deadline(
    store: Store, clock: VirtualClock
) -> None:
    await store.transact(begins("dead"))
    await clock.advance(9)
    assert (await store.transact(begins("b"))).state is State.IN_PROGRESS
    assert await store.transact(lambda tx: idempotency.prolong(tx, "s", "k", "dead", 10.0))
    await clock.advance(9)
    assert (await store.transact(begins("b"))).state is State.IN_PROGRESS
    await clock.advance(1)
    assert (await store.transact(begins("b"))).state is State.STARTED
    for late in (idempotency.prolong, idempotency.finish):
        assert not await store.transact(lambda tx, late=late: late(tx, "s", "k", "dead", 10.0))
    assert not await store.transact(lambda tx: idempotency.abandon(tx, "s", "k", "dead"))


async def test_who_works_longer_than_an_outcome_is_kept_is_not_forgotten_meanwhile(
    store: Store, clock: VirtualClock
) -> None:
    await store.transact(begins("slow", hold=10.0, keep=1.0))
    for _ in range(3):
        await clock.advance(9)
        assert await store.transact(lambda tx: idempotency.prolong(tx, "s", "k", "slow", 10.0))
        assert (await store.transact(begins("b"))).state is State.IN_PROGRESS
        while await store.transact(lambda tx: idempotency.sweep(tx, 2)):
            pass
    assert await store.transact(lambda tx: idempotency.finish(tx, "s", "k", "slow", 100.0))


async def test_an_owner_that_comes_again_takes_over_what_it_held(store: Store) -> None:
    await store.transact(begins("a", owner="message"))
    assert (await store.transact(begins("b", owner="other"))).state is State.IN_PROGRESS
    assert (await store.transact(begins("c", owner="message"))).state is State.STARTED
    assert not await store.transact(lambda tx: idempotency.abandon(tx, "s", "k", "a"))
    assert await store.transact(lambda tx: idempotency.abandon(tx, "s", "k", "c"))
    assert (await store.transact(begins("d"))).state is State.STARTED


async def test_scopes_are_apart(store: Store) -> None:
    await store.transact(begins("a"))
    body = begins("b")
    assert (await store.transact(body)).state is State.IN_PROGRESS
    other = await store.transact(
        lambda tx: idempotency.begin(tx, "t", "k", owner="", holder="b", hold=1.0, keep=1.0)
    )
    assert other.state is State.STARTED


async def test_what_expired_is_swept_and_nothing_else(store: Store, clock: VirtualClock) -> None:
    for number in range(5):
        key = f"k{number}"
        await store.transact(
            lambda tx, key=key: idempotency.begin(
                tx, "s", key, owner="", holder="h", hold=10.0, keep=100.0
            )
        )
    finish = idempotency.finish
    await store.transact(lambda tx: finish(tx, "s", "k0", "h", 1000.0))
    await store.transact(lambda tx: finish(tx, "s", "k1", "h", 5.0))
    await store.transact(lambda tx: idempotency.abandon(tx, "s", "k2", "h"))

    async def left() -> tuple[int, int]:
        while await store.transact(lambda tx: idempotency.sweep(tx, 2)):
            pass
        return (
            await store.transact(lambda tx: tx.count(COLLECTION)),
            await store.transact(lambda tx: tx.count(EXPIRY)),
        )

    assert await left() == (4, 5)
    await clock.advance(111)
    assert await left() == (1, 1)
    assert (await store.transact(lambda tx: idempotency.find(tx, "s", "k0"))) is not None
    await clock.advance(900)
    assert await left() == (0, 0)
