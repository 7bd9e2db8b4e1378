"""Queues as sources of the delivery engine, under virtual time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from lambent.core.arns import Arn
from lambent.core.clock import VirtualClock
from lambent.core.ids import SeededIds
from lambent.core.metrics import Metrics
from lambent.services.sqs import sending
from lambent.services.sqs.figures import Figures
from lambent.services.sqs.model import Queue
from lambent.services.sqs.queues import Queues
from lambent.services.sqs.source import QueueSource
from lambent.store.backends.sqlite import open_sqlite
from lambent.store.contract import Store, Transaction

FIRST = Queue("q", "123456789012", "us-east-1", "first", 0.0, 0.0, {}, {})
SECOND = msgspec.structs.replace(FIRST, uid="second")
ARN = Arn.parse(FIRST.arn)


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    opened = await open_sqlite(None, VirtualClock(), SeededIds(1))
    yield opened
    await opened.close()


async def test_who_listens_to_a_queue_that_was_made_again_looks_again(store: Store) -> None:
    queues = Queues()
    source = QueueSource(store, queues, Figures(store, VirtualClock(), queues, Metrics()))

    async def claimed() -> int:
        batch = await store.transact(lambda tx: source.claim(tx, ARN, 10, 30.0))
        return len(batch.records)

    async def again(tx: Transaction) -> None:
        await queues.delete(tx, FIRST)
        await queues.create(tx, SECOND)

    async def send(tx: Transaction) -> Any:
        draft = sending.draft({"MessageBody": "a"}, "id", None, "me")
        return await sending.send(tx, SECOND, draft)

    await store.transact(lambda tx: queues.create(tx, FIRST))
    assert await claimed() == 0
    waiting = source.arrived(ARN)
    await store.transact(again)
    assert waiting.is_set(), "the queue is gone"
    waiting, other = source.arrived(ARN), source.arrived(ARN)
    assert await claimed() == 0
    assert waiting.is_set(), "it listened to the queue that is gone, and nothing else wakes it"
    assert other.is_set(), "so did another mapping of the queue"
    waiting = source.arrived(ARN)
    assert not waiting.is_set()
    await store.transact(send)
    assert waiting.is_set()
    assert await claimed() == 1


async def test_what_another_has_claimed_since_is_not_taken_to_the_dead_letter_queue() -> None:
    clock = VirtualClock()
    store = await open_sqlite(None, clock, SeededIds(1))
    queues = Queues()
    source = QueueSource(store, queues, Figures(store, clock, queues, Metrics()))
    dead = msgspec.structs.replace(FIRST, name="dead", uid="dead")
    policy = json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 9})
    queue = msgspec.structs.replace(FIRST, attributes={"RedrivePolicy": policy})
    draft = sending.draft({"MessageBody": "a"}, "id", None, "me")
    for each in (dead, queue):
        await store.transact(lambda tx, each=each: queues.create(tx, each))
    await store.transact(lambda tx: sending.send(tx, queue, draft))

    async def claimed() -> Any:
        return (await store.transact(lambda tx: source.claim(tx, ARN, 10, 1.0))).tickets

    async def waiting(after: Any) -> tuple[int, int]:
        assert await store.transact(lambda tx: source.dead_letter(tx, ARN, after))
        found = [await store.transact(lambda tx, q=q: tx.browse(q.work)) for q in (queue, dead)]
        return len(found[0]), len(found[1])

    overtaken = await claimed()
    await clock.advance(2)
    current = await claimed()
    assert await waiting(overtaken) == (1, 0)
    assert await waiting(current) == (0, 1)
    await store.close()
