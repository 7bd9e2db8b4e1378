"""Random programs of transactions, run against a store and against the models."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.core.clock import VirtualClock
from lambent.core.errors import Conflict
from lambent.core.ids import SeededIds
from lambent.store.contract import NewWork, Store, Transaction, Work

from .backends import BACKENDS, Backend
from .conftest import chosen
from .models import Item, RecordModel, WorkModel


class Undo(Exception):
    """Makes a transaction fail on purpose."""


class Stage:
    """One store, on which all programs are played, each with a name of its own."""

    def __init__(self, backend: Backend, folder: Path) -> None:
        self._loop = asyncio.Runner()
        self._clock = VirtualClock()
        self._store = self._loop.run(self._opened(backend, folder))
        self._names = (f"play-{number}" for number in itertools.count())

    async def _opened(self, backend: Backend, folder: Path) -> Store:
        return await backend.open(folder, self._clock, SeededIds(1))

    def play(
        self, program: Callable[[Store, VirtualClock, str], Coroutine[Any, Any, None]]
    ) -> None:
        self._loop.run(program(self._store, self._clock, next(self._names)))

    def close(self) -> None:
        self._loop.run(self._store.close())
        self._loop.close()


@pytest.fixture(
    scope="module",
    params=[backend for backend in BACKENDS if backend.virtual_time],
    ids=lambda backend: backend.name,
)
def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    stage = Stage(chosen(request), tmp_path_factory.mktemp("stage") / "data")
    yield stage
    stage.close()


async def transact(
    store: Store, body: Callable[[Transaction], Awaitable[None]], undone: bool
) -> None:
    async def maybe(tx: Transaction) -> None:
        await body(tx)
        if undone:
            raise Undo

    if undone:
        with pytest.raises(Undo):
            await store.transact(maybe)
    else:
        await store.transact(maybe)


# Records -------------------------------------------------------------------------------

key_part = st.sampled_from([b"", b"\x00", b"a", b"a\x00", b"ab", b"b", b"\xff"])
bound = st.none() | key_part
limit = st.none() | st.integers(0, 5)
record_op = st.one_of(
    st.tuples(st.just("put"), key_part, key_part, st.sampled_from(["any", "absent", "same"])),
    st.tuples(st.just("delete"), key_part, key_part, st.sampled_from(["any", "absent", "same"])),
    st.tuples(st.just("scan"), key_part, key_part, bound, st.booleans(), limit),
    st.tuples(st.just("scan_all"), st.none() | st.tuples(key_part, key_part), bound, limit),
    st.tuples(st.just("clear"), bound, limit),
    st.tuples(st.just("count"), bound),
)


async def record_step(
    tx: Transaction, name: str, model: RecordModel, op: Any, value: bytes
) -> None:
    match op:
        case ("put" | "delete" as method, partition, sort, mode):
            key = (partition, sort)
            present = model.version(key)
            expect = {"any": None, "absent": 0, "same": present or 999_999}[mode]
            refused = expect is not None and expect != present
            try:
                if method == "put":
                    version = await tx.put(name, partition, sort, value, expect=expect)
                    assert version > present
                    model.rows[key] = (value, version)
                else:
                    found = await tx.delete(name, partition, sort, expect=expect)
                    assert found == (key in model.rows)
                    model.rows.pop(key, None)
                assert not refused
            except Conflict:
                assert refused
            record = await tx.get(name, partition, sort)
            assert (record and (record.value, record.version)) == model.rows.get(key)
        case ("scan", partition, start, end, reverse, count):
            found = await tx.scan(
                name, partition, start=start, end=end, reverse=reverse, limit=count
            )
            rows = [(r.partition, r.sort, r.value, r.version) for r in found]
            assert rows == model.scan(partition, start, end, reverse, count)
        case ("scan_all", after, until, count):
            found = await tx.scan_all(name, after=after, until=until, limit=count)
            rows = [(r.partition, r.sort, r.value, r.version) for r in found]
            assert rows == model.scan_all(after, until, count)
        case ("count", partition):
            assert await tx.count(name, partition) == len(model.within(partition))
        case ("clear", partition, count):
            keys = model.within(partition)[:count]
            assert await tx.clear(name, partition, limit=count) == len(keys)
            for key in keys:
                del model.rows[key]


@given(
    program=st.lists(
        st.tuples(st.lists(record_op, min_size=1, max_size=5), st.booleans()), max_size=15
    )
)
def test_records_follow_the_model(stage: Stage, program: Any) -> None:
    async def play(store: Store, clock: VirtualClock, name: str) -> None:
        model = RecordModel()
        values = (b"%d" % n for n in itertools.count())
        for ops, undone in program:
            before = dict(model.rows)

            async def body(tx: Transaction, ops: Any = ops, before: Any = before) -> None:
                model.rows = dict(before)  # it may run more than once
                for op in ops:
                    await record_step(tx, name, model, op, next(values))

            await transact(store, body, undone)
            if undone:
                model.rows = before

    stage.play(play)


# Work ----------------------------------------------------------------------------------

seconds = st.sampled_from([0.0, 0.25, 1.0, 2.5, 10.0])
which = st.integers(0, 7)
"""Chooses one of the items that were ever claimed."""
work_op = st.one_of(
    st.tuples(
        st.just("enqueue"),
        st.lists(
            st.tuples(
                seconds,
                st.sampled_from([None, "a", "b", "c"]),
                st.booleans(),
                st.sampled_from([None, "x", "y", "z"]),
            ),
            max_size=4,
        ),
    ),
    st.tuples(
        st.just("claim"),
        st.integers(1, 4),
        seconds,
        st.sampled_from(["any", "ordered", "fair"]),
        st.booleans(),
        st.none() | st.integers(1, 6),
    ),
    st.tuples(st.just("extend"), which, seconds),
    st.tuples(st.just("release"), which, seconds),
    st.tuples(st.just("settle"), which, st.booleans()),
    st.tuples(st.just("rewrite"), which),
    st.tuples(st.just("drop"), st.none() | seconds, st.none() | st.integers(1, 3)),
)


class WorkPlayer:
    """Plays one queue's operations on the store and on the model, and compares."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.model = WorkModel()
        self.claimed: list[tuple[int, int]] = []
        self.last_id = 0
        self.last_token = 0

    def state(self) -> tuple[WorkModel, list[tuple[int, int]]]:
        return self.model.copy(), list(self.claimed)

    def restore(self, state: tuple[WorkModel, list[tuple[int, int]]]) -> None:
        self.model, self.claimed = state[0].copy(), list(state[1])

    async def step(self, tx: Transaction, op: Any) -> None:
        now, items = tx.now, self.model.items
        match op:
            case ("enqueue", specs):
                new = [
                    NewWork(f"{n}".encode(), delay, group, now - 7.0 if moved else None, tenant)
                    for n, (delay, group, moved, tenant) in enumerate(specs)
                ]
                ids = await tx.enqueue(self.name, new)
                assert len(ids) == len(new)
                for id, work in zip(ids, new, strict=True):
                    assert id > self.last_id
                    self.last_id = id
                    created = now if work.created is None else work.created
                    items[id] = Item(id, work.payload, work.group, created, now + work.delay)
                    items[id].tenant = work.tenant
            case ("claim", count, lease, how, passing, within):
                after = now - 5.0 if passing else None
                works = await tx.claim(
                    self.name,
                    count,
                    lease,
                    ordered=how == "ordered",
                    fair=how == "fair",
                    created_after=after,
                    within=within if how == "ordered" else None,
                )
                expected = [work.id for work in works]
                if how == "ordered":
                    assert expected == self.model.ordered(now, after, within)[:count]
                elif how == "any":
                    assert expected == self.model.due(now, after)[:count]
                else:
                    self.model.check_fair(expected, count, now, after)
                tokens = [work.token for work in works]
                assert len(set(tokens)) == len(tokens)
                assert all(token > self.last_token for token in tokens)
                self.last_token = max(tokens, default=self.last_token)
                self.model.claimed(expected, tokens, lease, now)
                for work in works:
                    self.same(work, items[work.id], now)
                    self.claimed.append((work.id, work.token))
            case ("extend" | "release" as method, chosen, length) if self.claimed:
                id, token = self.claimed[-1 - chosen % len(self.claimed)]
                item = items.get(id)
                held = item and item.token == token and self.model.active(item, now)
                assert await getattr(tx, method)(self.name, id, token, length) == bool(held)
                if item and held:
                    item.leased = method == "extend" and length > 0
                    item.due = now + length
            case ("settle", chosen, fenced) if self.claimed:
                id, token = self.claimed[-1 - chosen % len(self.claimed)]
                item = items.get(id)
                removed = item is not None and (not fenced or item.token == token)
                assert await tx.settle(self.name, id, token if fenced else None) == removed
                if removed:
                    del items[id]
            case ("rewrite", chosen) if self.claimed:
                id, token = self.claimed[-1 - chosen % len(self.claimed)]
                item = items.get(id)
                held = item and item.token == token and self.model.active(item, now)
                assert await tx.rewrite(self.name, id, token, b"rewritten") == bool(held)
                if item and held:
                    item.payload = b"rewritten"
            case ("drop", age, limit):
                before = None if age is None else now - age
                limit = None if before is None else limit
                old = [item for item in items.values() if before is None or item.created < before]
                count = len(old) if limit is None else min(len(old), limit)
                assert await tx.drop(self.name, created_before=before, limit=limit) == count
                remaining = {work.id for work in await tx.browse(self.name, limit=1000)}
                gone = [item.id for item in old if item.id not in remaining]
                assert len(gone) == count
                kept = [item.created for item in old if item.id in remaining]
                assert all(items[id].created <= min(kept, default=now) for id in gone)
                for id in gone:
                    del items[id]

    async def compare(self, tx: Transaction) -> None:
        now, items = tx.now, self.model.items
        seen = await tx.browse(self.name, limit=1000)
        assert [work.id for work in seen] == sorted(items)
        for work in seen:
            self.same(work, items[work.id], now)
        counts = await tx.work_counts(self.name)
        assert (counts.ready, counts.leased, counts.delayed, counts.oldest) == self.model.counts(
            now
        )
        for ordered, after, within in itertools.product(
            (False, True), (None, now - 5.0), (None, 3)
        ):
            if within is not None and not ordered:
                continue
            expected = self.model.next_due(ordered, after, within)
            found = await tx.next_due(
                self.name, ordered=ordered, created_after=after, within=within
            )
            if expected is None or expected > now:
                assert found == expected
            else:
                assert found is not None and found <= now

    def same(self, work: Work, item: Item, now: float) -> None:
        assert work == Work(
            item.id,
            item.payload,
            item.group,
            item.created,
            item.due,
            item.attempts,
            item.first_claimed,
            item.token,
            self.model.active(item, now),
        )


@given(
    program=st.lists(
        st.tuples(st.lists(work_op, min_size=1, max_size=5), st.booleans(), seconds), max_size=20
    )
)
def test_work_follows_the_model(stage: Stage, program: Any) -> None:
    async def play(store: Store, clock: VirtualClock, name: str) -> None:
        player = WorkPlayer(name)
        for ops, undone, pause in program:
            before = player.state()

            async def body(tx: Transaction, ops: Any = ops, before: Any = before) -> None:
                player.restore(before)  # it may run more than once
                for op in ops:
                    await player.step(tx, op)
                await player.compare(tx)

            await transact(store, body, undone)
            if undone:
                player.restore(before)
            await store.transact(player.compare)
            await clock.advance(pause)

    stage.play(play)


# Log -----------------------------------------------------------------------------------

log_op = st.one_of(
    st.tuples(st.just("append"), st.lists(st.binary(max_size=20), max_size=4)),
    st.tuples(st.just("read"), which, st.integers(1, 6), st.none() | st.integers(1, 60)),
    st.tuples(st.just("tail"), st.none() | which, st.integers(1, 6)),
    st.tuples(st.just("position_at"), seconds),
    st.tuples(st.just("trim"), st.none() | seconds, limit),
)


@given(
    program=st.lists(
        st.tuples(st.lists(log_op, min_size=1, max_size=5), st.booleans(), seconds), max_size=15
    )
)
def test_logs_follow_the_model(stage: Stage, program: Any) -> None:
    async def step(
        tx: Transaction, name: str, model: list[tuple[int, float, bytes]], op: Any
    ) -> None:
        now = tx.now
        positions = [entry[0] for entry in model]
        match op:
            case ("append", values):
                made = await tx.append(name, values)
                assert positions + made == sorted({*positions, *made})
                model += [(at, now, value) for at, value in zip(made, values, strict=True)]
            case ("read", chosen, count, max_bytes):
                after = positions[chosen] if chosen < len(positions) else 0
                rest = [entry for entry in model if entry[0] > after][:count]
                sizes = list(itertools.accumulate(len(entry[2]) for entry in rest))
                fitting = sum(max_bytes is None or size <= max_bytes for size in sizes)
                found = await tx.read(name, after=after, limit=count, max_bytes=max_bytes)
                expected = rest[: max(fitting, 1)]
                assert [(e.position, e.time, e.value) for e in found] == expected
            case ("tail", chosen, count):
                before = positions[chosen] if chosen is not None and chosen < len(model) else None
                found = await tx.tail(name, before=before, limit=count)
                older = [entry for entry in model if before is None or entry[0] < before]
                assert [(e.position, e.time, e.value) for e in found] == older[::-1][:count]
            case ("position_at", age):
                at = await tx.position_at(name, now - age)
                newer = [entry for entry in model if entry[1] >= now - age]
                assert [e.position for e in await tx.read(name, after=at)] == [e[0] for e in newer]
            case ("trim", age, count):
                old = [entry for entry in model if age is None or entry[1] < now - age][:count]
                before = None if age is None else now - age
                assert await tx.trim(name, before=before, limit=count) == len(old)
                del model[: len(old)]

    async def play(store: Store, clock: VirtualClock, name: str) -> None:
        model: list[tuple[int, float, bytes]] = []
        for ops, undone, pause in program:
            before = list(model)

            async def body(tx: Transaction, ops: Any = ops, before: Any = before) -> None:
                model[:] = before  # it may run more than once
                for op in ops:
                    await step(tx, name, model, op)

            await transact(store, body, undone)
            if undone:
                model[:] = before
            await clock.advance(pause)

    stage.play(play)
