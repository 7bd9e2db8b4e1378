"""Circuits that hold for all nodes together.

A circuit that opens or closes on one node is written down and announced; the others take it
over. What they count while it is closed stays their own: each opens it on what it sees. When
the time of an open circuit is over, the node that opened it probes first; the others wait a
little longer each, and find it closed, or open again, by then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final

import msgspec

from lambent.cluster.cluster import Cluster
from lambent.cluster.news import announce
from lambent.core.clock import Clock
from lambent.core.errors import StoreError
from lambent.events.flow.circuit import Circuit
from lambent.events.flow.state import LocalState
from lambent.store.contract import Store, Transaction

COLLECTION: Final = "flow.circuits"
"""Partition: the function. Value: `_Written`."""
TURN_SHARE: Final = 0.1
"""By which part of the time it was open each further node waits with its probe."""
_log = logging.getLogger(__name__)


class _Written(msgspec.Struct, frozen=True):
    """A circuit as of `at` (the store's seconds since the epoch), by the node `by`. `opens_in`
    is when its next probe was due from then, in seconds; None: it is closed."""

    by: str
    at: float
    opens_in: float | None
    opened_for: float


class ClusterState(LocalState):
    """The state of one node of several. What is not a circuit is its own."""

    def __init__(self, store: Store, clock: Clock, cluster: Cluster) -> None:
        super().__init__(lambda: len(cluster.membership.members))
        self._store = store
        self._clock = clock
        self._cluster = cluster
        self._tasks: set[asyncio.Task[None]] = set()
        cluster.news.on(COLLECTION, lambda function: self._spawn(self._take_over(function)))

    def change_circuit(self, function: str, circuit: Circuit) -> None:
        """Keep it; what opened or closed is told to the others."""
        before = self.circuit(function)
        super().change_circuit(function, circuit)
        opened = circuit.state == "open" and before.state != "open"
        closed = circuit.state == "closed" and before.state != "closed"
        if (opened or closed) and len(self._cluster.membership.members) > 1:
            self._spawn(self._tell(function, circuit))

    async def _tell(self, function: str, circuit: Circuit) -> None:
        opens_in = circuit.until - self._clock.now() if circuit.state == "open" else None

        async def body(tx: Transaction) -> None:
            me = self._cluster.membership.id
            written = _Written(me, tx.now, opens_in, circuit.opened_for)
            await tx.put(COLLECTION, function.encode(), b"", msgspec.msgpack.encode(written))
            await announce(tx, COLLECTION, function)

        await self._store.transact(body)

    async def _take_over(self, function: str) -> None:
        async def body(tx: Transaction) -> tuple[_Written, float] | None:
            record = await tx.get(COLLECTION, function.encode())
            if record is None:
                return None
            return msgspec.msgpack.decode(record.value, type=_Written), tx.now

        found = await self._store.transact(body)
        membership = self._cluster.membership
        if found is None or found[0].by == membership.id:
            return
        written, now = found
        mine, here = self.circuit(function), self._clock.now()
        if written.opens_in is None:
            if mine.state != "closed":
                super().change_circuit(function, Circuit(until=here))
            return
        ranks = sorted(one.id for one in membership.members if one.id != written.by)
        turn = ranks.index(membership.id) + 1 if membership.id in ranks else len(ranks)
        later = turn * TURN_SHARE * written.opened_for
        until = here + written.opens_in - (now - written.at) + later
        theirs = Circuit("open", mine.slices, until=until, opened_for=written.opened_for)
        super().change_circuit(function, theirs)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except StoreError as error:
            _log.warning("a circuit cannot be shared with the other nodes: %s", error)
