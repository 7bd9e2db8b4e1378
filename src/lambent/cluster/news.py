"""What one node tells the others: a topic and a key, in the order of commits.

News are announced in the transaction that makes them true, and lie in a log. Each node reads
it from where it joined, woken by the commit, so what is derived from the store (lanes, caches)
can follow. News are hints, never truth: who gets one looks at the store.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

import msgspec

from lambent.cluster.turns import take_turn
from lambent.core.clock import Clock
from lambent.core.duty import Duty
from lambent.store.contract import Store, Transaction

LOG: Final = "cluster.news"
KEPT_SECONDS: Final = 3600.0
"""How long news are kept: a node that was cut off for longer misses some."""
_RETRY_SECONDS = 1.0
_log = logging.getLogger("lambent.cluster")

Heard = Callable[[str], None]
"""Called with the key of each piece of news, also of those that this node told."""


async def announce(tx: Transaction, topic: str, key: str) -> None:
    """Tell all nodes, this one too, once the transaction is committed."""
    await tx.append(LOG, [msgspec.msgpack.encode((topic, key))])


class News:
    """Reads the news of a node, from `start` to `stop`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._listeners: dict[str, list[Heard]] = {}
        self._position = 0
        self._reading = Duty(
            clock,
            "reading the news of other nodes",
            self._read,
            retry=_RETRY_SECONDS,
            woken_by=lambda: store.log_grew(LOG),
        )

    def on(self, topic: str, heard: Heard) -> None:
        """Call `heard` with each key of the topic from now on."""
        self._listeners.setdefault(topic, []).append(heard)

    async def start(self) -> None:
        """Read what is announced from now on: what was before is in the store."""

        async def end(tx: Transaction) -> int:
            last = await tx.tail(LOG, limit=1)
            return last[0].position if last else 0

        self._position = await self._store.transact(end)
        self._reading.start()

    async def stop(self) -> None:
        """Read no more."""
        await self._reading.stop()

    async def _read(self) -> float | None:
        heard = await self._store.transact(self._next)
        for position, topic, key in heard:
            self._position = position
            for listener in self._listeners.get(topic, ()):
                self._tell(listener, topic, key)
        return 0.0 if heard else None

    def _tell(self, listener: Heard, topic: str, key: str) -> None:
        try:
            listener(key)
        except Exception:
            _log.exception("the news %s %s could not be followed", topic, key)

    async def _next(self, tx: Transaction) -> list[tuple[int, str, str]]:
        entries = await tx.read(LOG, after=self._position)
        if entries and await take_turn(tx, LOG, KEPT_SECONDS):
            await tx.trim(LOG, before=tx.now - KEPT_SECONDS)
        found = []
        for entry in entries:
            topic, key = msgspec.msgpack.decode(entry.value, type=tuple[str, str])
            found.append((entry.position, topic, key))
        return found
