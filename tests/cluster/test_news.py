"""What nodes tell each other."""

from __future__ import annotations

import contextlib

from lambent.cluster.news import KEPT_SECONDS, LOG, announce
from lambent.core.errors import AwsError


async def test_all_nodes_hear_what_was_committed_and_nothing_else(cluster, clock):
    one, two = await cluster.join(), await cluster.join()
    heard: list[tuple[int, str]] = []
    one.news.on("topic", lambda key: heard.append((1, key)))
    two.news.on("topic", lambda key: heard.append((2, key)))
    two.news.on("other", lambda key: heard.append((2, key)))

    async def fails(tx):
        await announce(tx, "topic", "rolled back")
        raise AwsError("No", "no")

    with contextlib.suppress(AwsError):
        await cluster.store.transact(fails)
    await cluster.store.transact(lambda tx: announce(tx, "topic", "first"))
    await cluster.store.transact(lambda tx: announce(tx, "topic", "second"))
    await clock.advance(0)
    assert sorted(heard) == [(1, "first"), (1, "second"), (2, "first"), (2, "second")]


async def test_who_joins_hears_only_what_comes_then(cluster, clock):
    await cluster.store.transact(lambda tx: announce(tx, "topic", "before"))
    peer = cluster.made()
    heard: list[str] = []
    peer.news.on("topic", heard.append)
    await peer.start()
    await cluster.store.transact(lambda tx: announce(tx, "topic", "after"))
    await clock.advance(0)
    assert heard == ["after"]


async def test_a_listener_that_fails_costs_the_others_nothing(cluster, clock):
    peer = await cluster.join()
    heard: list[str] = []
    peer.news.on("topic", lambda key: 1 / 0)
    peer.news.on("topic", heard.append)
    await cluster.store.transact(lambda tx: announce(tx, "topic", "one"))
    await clock.advance(0)
    await cluster.store.transact(lambda tx: announce(tx, "topic", "two"))
    await clock.advance(0)
    assert heard == ["one", "two"]


async def test_old_news_do_not_pile_up(cluster, clock):
    await cluster.join()

    async def many(tx):
        for number in range(499):
            await announce(tx, "topic", str(number))

    await cluster.store.transact(many)
    await clock.advance(KEPT_SECONDS + 1)
    await cluster.store.transact(lambda tx: announce(tx, "topic", "late"))
    await clock.advance(0)
    left = await cluster.store.transact(lambda tx: tx.read(LOG))
    assert len(left) < 10
