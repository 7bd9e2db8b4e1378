"""A node's side of the cluster: its three parts, started and stopped together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lambent.cluster.members import LEASE, Membership
from lambent.cluster.news import News
from lambent.cluster.places import Places
from lambent.core.clock import Clock
from lambent.core.ids import Ids
from lambent.store.contract import Store


class Cluster:
    """What a node has of the cluster: `membership`, `news` and `places`.

    `name`, `version` and `endpoint` are what other nodes see of this one; `load` is asked
    at each sign of life. `lease` in seconds.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        ids: Ids,
        *,
        name: str,
        version: str,
        endpoint: Callable[[], str],
        load: Callable[[], Mapping[str, Any]] = dict,
        lease: float = LEASE,
    ) -> None:
        self.membership = Membership(
            store,
            clock,
            ids,
            name=name,
            version=version,
            endpoint=endpoint,
            alone=not store.shared,
            lease=lease,
            load=load,
        )
        self.news = News(store, clock)
        self.places = Places(store, clock, self.membership, self.news)

    async def start(self) -> None:
        """Join. What lost nodes held is given back, and what others tell is heard from here."""
        await self.news.start()
        await self.membership.start()

    async def stop(self) -> None:
        """Leave: nothing of this node's may run any more."""
        await self.news.stop()
        await self.places.stop()
        await self.membership.stop()
