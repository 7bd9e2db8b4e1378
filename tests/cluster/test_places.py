"""A limit for all nodes together: never exceeded, shared out by need, given back when a node
is lost."""

from __future__ import annotations

import asyncio
import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.cluster import shares as rules
from lambent.cluster.members import LEASE
from lambent.cluster.places import COLLECTION
from lambent.cluster.shares import Shares

MEMBERS = ("a", "b", "c")


@pytest.mark.parametrize(
    ("held", "wanting", "limit", "member", "part"),
    [
        ({"a": 10}, (), 10, "a", 10),
        ({"a": 10}, ("b",), 10, "a", 5),
        ({"a": 5, "b": 5}, ("c",), 10, "a", 4),
        ({"a": 5, "b": 5}, ("c",), 10, "c", 3),
        ({}, ("a", "b", "c"), 1, "b", 0),
    ],
)
def test_the_fair_part_divides_among_those_who_hold_or_want(held, wanting, limit, member, part):
    assert rules.fair(Shares(held, wanting), limit, member) == part


def test_a_node_alone_is_given_everything():
    assert rules.ask(Shares(), 100, "a", 1, alone=True).held == {"a": 100}


def test_one_of_several_is_given_its_fair_part():
    assert rules.ask(Shares({"a": 40}), 100, "b", 1, alone=False).held == {"a": 40, "b": 50}


def test_who_is_refused_is_written_down():
    after = rules.ask(Shares({"a": 100}), 100, "b", 1, alone=False)
    assert after == Shares({"a": 100}, ("b",))


def test_a_lowered_limit_is_given_back_though_nobody_wants_it():
    assert rules.surplus(Shares({"a": 100}), 10, "a", used=4, idle=0.0) == 90


@given(st.integers(1, 20), st.randoms(use_true_random=False), st.integers(1, 60))
def test_no_sequence_of_decisions_gives_out_more_than_the_limit(limit, chance, steps):
    shares = Shares()
    used = dict.fromkeys(MEMBERS, 0)
    for _ in range(steps):
        member = chance.choice(MEMBERS)
        if chance.random() < 0.5:
            shares = rules.ask(shares, limit, member, used[member] + 1, alone=False)
            if shares.of(member) > used[member]:
                used[member] += 1
        else:
            used[member] = max(0, used[member] - chance.randint(0, 3))
            count = rules.surplus(shares, limit, member, used[member], chance.choice([0, 5]))
            shares = rules.give_back(shares, member, count)
        assert sum(shares.held.values()) <= limit
        assert all(shares.of(one) >= used[one] for one in MEMBERS)


async def test_a_node_alone_uses_the_whole_limit_and_no_more(cluster):
    places = (await cluster.join()).places
    assert [await places.enter("k", 3) for _ in range(4)] == [True, True, True, False]
    places.leave("k")
    assert places.try_enter("k", 3)


async def test_a_newcomer_gets_its_part_from_one_that_holds_everything(cluster, clock):
    first = (await cluster.join()).places
    for _ in range(4):
        assert await first.enter("k", 4)
    second = (await cluster.join()).places
    await clock.advance(LEASE)
    assert not await second.enter("k", 4)
    await clock.advance(0)
    freed = second.freed("k")
    assert not freed.is_set()
    first.leave("k")
    first.leave("k")
    await clock.advance(0)
    assert freed.is_set()
    assert await second.enter("k", 4)
    assert not first.try_enter("k", 4) or not await second.enter("k", 4)


async def test_one_place_goes_from_node_to_node(cluster, clock):
    first, second = (await cluster.join()).places, (await cluster.join()).places
    await clock.advance(LEASE)
    for _ in range(3):
        for mine, other in ((first, second), (second, first)):
            while not await mine.enter("k", 1):
                await clock.advance(rules.IDLE_SECONDS)
            assert not await other.enter("k", 1)
            mine.leave("k")


async def test_all_who_ask_at_once_get_what_is_free(cluster, clock):
    one, two = await cluster.join(), await cluster.join()
    await clock.advance(LEASE)
    held = msgspec.msgpack.encode(Shares({two.membership.id: 1}))
    await cluster.store.transact(lambda tx: tx.put(COLLECTION, b"k", b"", held))
    entered = await asyncio.gather(*(one.places.enter("k", 4) for _ in range(4)))
    assert sorted(entered) == [False, True, True, True]


async def test_what_a_lost_node_held_can_be_entered_again(cluster, clock):
    doomed, other = await cluster.join(), await cluster.join()
    await clock.advance(LEASE)
    assert await doomed.places.enter("k", 1)
    cluster.kill(doomed)
    assert not await other.places.enter("k", 1)
    await clock.advance(LEASE * 2)
    assert await other.places.enter("k", 1)


async def test_the_limit_holds_over_three_nodes_whatever_happens(cluster, clock):
    chance = random.Random(7)
    peers = [await cluster.join() for _ in range(3)]
    await clock.advance(LEASE)
    inside = {id(peer): 0 for peer in peers}
    entered = dict(inside)
    for _ in range(400):
        peer = chance.choice(peers)
        if inside[id(peer)] and chance.random() < 0.5:
            peer.places.leave("k")
            inside[id(peer)] -= 1
        elif await peer.places.enter("k", 5):
            inside[id(peer)] += 1
            entered[id(peer)] += 1
        assert sum(inside.values()) <= 5
        await clock.advance(chance.choice([0, 0, 0.3]))
    assert min(entered.values()) > 20
