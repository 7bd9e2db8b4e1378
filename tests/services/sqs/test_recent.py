"""What a queue remembers for five minutes, and that it forgets the rest."""

from __future__ import annotations

from lambent.core.clock import VirtualClock
from lambent.core.ids import SeededIds
from lambent.services.sqs import recent
from lambent.store.backends.sqlite import open_sqlite
from lambent.store.contract import Transaction


async def test_notes_are_kept_for_the_window_and_forgotten_as_others_come() -> None:
    clock = VirtualClock(recent.WINDOW * 1_000)
    store = await open_sqlite(None, clock, SeededIds(1))

    async def write(name: str) -> None:
        async def body(tx: Transaction) -> None:
            for number in range(100):
                await recent.note(tx, "c", f"{name}{number}".encode(), name.encode())

        await store.transact(body)

    async def found(name: str) -> int:
        async def body(tx: Transaction) -> int:
            keys = [f"{name}{number}".encode() for number in range(100)]
            return sum([len(await recent.candidates(tx, "c", key)) for key in keys])

        return await store.transact(body)

    await clock.advance(recent.WINDOW - 1)
    await write("first")
    await clock.advance(recent.WINDOW - 1)
    await write("second")
    assert (await found("first"), await found("second")) == (100, 100)
    await clock.advance(2 * recent.WINDOW)
    for name in ("third", "fourth", "fifth"):
        await write(name)
    assert await store.transact(lambda tx: tx.count("c")) == 300
    await store.close()
