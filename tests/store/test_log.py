from __future__ import annotations

from lambent.core.clock import VirtualClock
from lambent.store.contract import LogEntry, Store

from .calls import call


def values(entries: list[LogEntry]) -> list[bytes]:
    return [entry.value for entry in entries]


async def test_entries_read_back_in_order_with_their_time(
    store: Store, clock: VirtualClock
) -> None:
    positions = await call(store, "append", "l", [b"1", b"2"])
    assert positions == sorted(set(positions)) and positions[0] > 0
    entries = await call(store, "read", "l")
    assert entries == [
        LogEntry(position, clock.now(), value)
        for position, value in zip(positions, (b"1", b"2"), strict=True)
    ]
    assert await call(store, "append", "l", []) == []


async def test_reading_goes_on_after_a_position(store: Store) -> None:
    positions = await call(store, "append", "l", [b"1", b"2", b"3"])
    assert values(await call(store, "read", "l", after=positions[0], limit=1)) == [b"2"]
    assert await call(store, "read", "l", after=positions[-1]) == []
    assert await call(store, "read", "other") == []


async def test_max_bytes_gives_at_least_one_entry(store: Store) -> None:
    await call(store, "append", "l", [b"x" * 10, b"y" * 10, b"z" * 10])
    assert len(await call(store, "read", "l", max_bytes=1)) == 1
    assert len(await call(store, "read", "l", max_bytes=19)) == 1
    assert len(await call(store, "read", "l", max_bytes=20)) == 2


async def test_the_tail_is_newest_first(store: Store) -> None:
    positions = await call(store, "append", "l", [b"1", b"2", b"3"])
    assert values(await call(store, "tail", "l", limit=2)) == [b"3", b"2"]
    assert values(await call(store, "tail", "l", before=positions[1])) == [b"1"]


async def test_a_time_has_a_position(store: Store, clock: VirtualClock) -> None:
    assert await call(store, "position_at", "l", clock.now()) == 0
    times = []
    for value in (b"1", b"2", b"3"):
        await call(store, "append", "l", [value, value])
        times.append(clock.now())
        await clock.advance(10)
    for index, time in enumerate(times):
        position = await call(store, "position_at", "l", time)
        assert len(await call(store, "read", "l", after=position)) == 6 - 2 * index
    after_all = await call(store, "position_at", "l", clock.now())
    assert await call(store, "read", "l", after=after_all) == []
    last = await call(store, "append", "l", [b"4"])
    assert [entry.position for entry in await call(store, "read", "l", after=after_all)] == last


async def test_trim_by_age_and_positions_go_on(store: Store, clock: VirtualClock) -> None:
    first = await call(store, "append", "l", [b"1", b"2"])
    await clock.advance(10)
    await call(store, "append", "l", [b"3"])
    assert await call(store, "trim", "l", before=clock.now()) == 2
    assert values(await call(store, "read", "l")) == [b"3"]
    assert await call(store, "trim", "l") == 1
    assert await call(store, "read", "l") == []
    assert min(await call(store, "append", "l", [b"4"])) > max(first)
