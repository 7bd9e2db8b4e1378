"""A limit for several lanes together: mappings on several nodes, each with a lane of its own."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from tests.events.test_delivery import QUEUE, FakePolicy, World

from lambent.cluster.cluster import Cluster
from lambent.cluster.places import Limit
from lambent.core.ids import SeededIds
from lambent.events.contract import Outcome
from lambent.events.delivery import Lane
from lambent.store.backends.sqlite import open_sqlite
from lambent.store.contract import Store

MOST = 3


@pytest.mark.parametrize("nodes", [1, 2, 3])
async def test_lanes_of_all_nodes_together_keep_to_the_limit(nodes: int) -> None:
    world = World()
    store = await open_sqlite(None, world.clock, SeededIds(0))
    running = most = 0
    done: list[str] = []
    by_node: list[int] = []

    def policy(node: int) -> FakePolicy:
        async def run(bodies: list[str]) -> Outcome | None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await world.clock.sleep(1.0)
            running -= 1
            done.extend(bodies)
            by_node[node] += 1
            return None

        return FakePolicy(run, batch_size=1)

    clusters, lanes = [], []
    for node in range(nodes):
        by_node.append(0)
        cluster = Cluster(
            store,
            world.clock,
            SeededIds(node + 1),
            name=str(node),
            version="1",
            endpoint=str,
        )
        # Several nodes on one embedded store: as on a shared one.
        cluster.membership._alone = False
        await cluster.start()
        clusters.append(cluster)
        lane = Lane(
            clock=world.clock,
            store=cast(Store, world.store),
            targets=world.targets,
            source=world.source,
            arn=QUEUE,
            policy=policy(node),
            permits=Limit(cluster.places, "mapping", MOST),
        )
        lane.start()
        lanes.append(lane)
    await world.clock.advance(10)
    names = [str(number) for number in range(60)]
    world.source.add(*names)
    for _ in range(100):
        await world.clock.advance(1)
        if len(done) == len(names):
            break
    assert sorted(done) == sorted(names)
    assert most == MOST
    assert all(by_node)
    await asyncio.gather(*(lane.stop() for lane in lanes))
    for cluster in clusters:
        await cluster.stop()
    await store.close()
