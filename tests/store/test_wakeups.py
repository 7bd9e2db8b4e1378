from __future__ import annotations

import gc
import weakref

import pytest

from lambent.store.contract import NewWork, Store, Transaction

from .calls import call


async def test_an_enqueue_wakes_its_queue_alone(store: Store) -> None:
    mine, other = store.work_arrived("q"), store.work_arrived("other")
    await call(store, "enqueue", "q", [NewWork(b"")])
    assert mine.is_set() and not other.is_set()
    assert not store.work_arrived("q").is_set()


async def test_a_delayed_enqueue_wakes_too(store: Store) -> None:
    event = store.work_arrived("q")
    await call(store, "enqueue", "q", [NewWork(b"", delay=10)])
    assert event.is_set()


@pytest.mark.parametrize(
    ("method", "argument"), [("extend", 0.0), ("release", 0.0), ("release", 1.0)]
)
async def test_a_lease_given_up_wakes(store: Store, method: str, argument: float) -> None:
    await call(store, "enqueue", "q", [NewWork(b"")])
    [work] = await call(store, "claim", "q", 1, 30)
    event = store.work_arrived("q")
    await call(store, method, "q", work.id, work.token, argument)
    assert event.is_set()


async def test_settling_in_a_group_wakes(store: Store) -> None:
    await call(store, "enqueue", "q", [NewWork(b"", group="g"), NewWork(b"", group="g")])
    [work] = await call(store, "claim", "q", 1, 30, ordered=True)
    event = store.work_arrived("q")
    await call(store, "settle", "q", work.id, work.token)
    assert event.is_set()


async def test_an_append_wakes_its_log_alone(store: Store) -> None:
    mine, other = store.log_grew("l"), store.log_grew("other")
    await call(store, "append", "l", [b"x"])
    assert mine.is_set() and not other.is_set()


async def test_what_was_rolled_back_wakes_nobody(store: Store) -> None:
    arrived, grew = store.work_arrived("q"), store.log_grew("l")

    async def body(tx: Transaction) -> None:
        await tx.enqueue("q", [NewWork(b"")])
        await tx.append("l", [b"x"])
        raise LookupError

    with pytest.raises(LookupError):
        await store.transact(body)
    await call(store, "put", "c", b"p", b"", b"")
    assert not arrived.is_set() and not grew.is_set()


async def test_a_dropped_event_is_not_kept(store: Store) -> None:
    event = weakref.ref(store.work_arrived("q"))
    gc.collect()
    assert event() is None


async def test_the_woken_see_what_woke_them(store: Store) -> None:
    event = store.work_arrived("q")
    await call(store, "enqueue", "q", [NewWork(b"x")])
    await event.wait()
    assert len(await call(store, "claim", "q", 1, 30)) == 1
