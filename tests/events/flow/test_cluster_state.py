"""A circuit holds for all nodes: one opens it, the others stop calling; one probe at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from lambent.cluster.cluster import Cluster
from lambent.core.clock import VirtualClock
from lambent.core.ids import SeededIds
from lambent.events.flow import circuit
from lambent.events.flow.circuit import Circuit
from lambent.events.flow.cluster_state import TURN_SHARE, ClusterState
from lambent.store.backends.sqlite import open_sqlite

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
OPEN = 30.0

Join = Callable[[], Awaitable[ClusterState]]


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def join(clock: VirtualClock) -> AsyncIterator[Join]:
    store = await open_sqlite(None, clock, SeededIds(0))
    clusters: list[Cluster] = []

    async def make() -> ClusterState:
        ids = SeededIds(len(clusters) + 1)
        cluster = Cluster(store, clock, ids, name="n", version="1", endpoint=str)
        cluster.membership._alone = False
        clusters.append(cluster)
        state = ClusterState(store, clock, cluster)
        await cluster.start()
        return state

    yield make
    for cluster in clusters:
        await cluster.stop()
    await store.close()


def opened(clock: VirtualClock) -> Circuit:
    return Circuit("open", until=clock.now() + OPEN, opened_for=OPEN)


async def test_a_circuit_that_one_node_opens_is_open_on_all(join: Join, clock: VirtualClock):
    states = [await join() for _ in range(3)]
    await clock.advance(10)
    heard: list[int] = []
    states[1].listen(FUNCTION, "mapping", 0, lambda: heard.append(1))
    states[0].change_circuit(FUNCTION, opened(clock))
    await clock.advance(0)
    assert [one.circuit(FUNCTION).state for one in states] == ["open"] * 3
    assert heard


async def test_the_node_that_opened_it_probes_first_and_closes_it_for_all(
    join: Join, clock: VirtualClock
):
    one, other = await join(), await join()
    await clock.advance(10)
    one.change_circuit(FUNCTION, opened(clock))
    await clock.advance(OPEN)
    mine, allowed = circuit.ask(one.circuit(FUNCTION), clock.now())
    assert allowed
    assert not circuit.ask(other.circuit(FUNCTION), clock.now())[1]
    one.change_circuit(FUNCTION, mine)
    one.change_circuit(FUNCTION, Circuit(until=clock.now()))
    await clock.advance(0)
    assert other.circuit(FUNCTION).state == "closed"


async def test_another_node_probes_when_the_one_that_opened_it_does_not(
    join: Join, clock: VirtualClock
):
    one, other = await join(), await join()
    await clock.advance(10)
    one.change_circuit(FUNCTION, opened(clock))
    await clock.advance(OPEN * (1 + TURN_SHARE) + 0.1)
    assert circuit.ask(other.circuit(FUNCTION), clock.now())[1]
