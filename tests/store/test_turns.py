"""The rule by which tenants take turns."""

from __future__ import annotations

import itertools
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from lambent.store.turns import take_turns


def take(limit: int, **tenants: tuple[int, int, int]) -> str:
    """Whose items are taken, of tenants given as (leased, turn, items)."""
    line = [(leased, turn, iter(name * count)) for name, (leased, turn, count) in tenants.items()]
    return "".join(take_turns(line, limit))


def test_who_holds_less_gives_first() -> None:
    assert take(3, n=(30, 1, 100), q=(0, 9, 2)) == "qqn"


def test_equals_give_in_turn_the_longest_waiting_first() -> None:
    assert take(6, a=(0, 7, 10), b=(0, 3, 10), c=(0, 5, 10)) == "bcabca"


def test_what_is_taken_counts_as_held() -> None:
    assert take(5, a=(0, 1, 9), b=(2, 2, 9)) == "aabab"


def test_one_alone_gives_all() -> None:
    assert take(4, a=(90, 1, 9)) == "aaaa"


@given(
    tenants=st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 9), st.integers(0, 6)), max_size=6
    ),
    limit=st.integers(0, 20),
)
def test_nobody_is_left_behind_who_holds_less(
    tenants: list[tuple[int, int, int]], limit: int
) -> None:
    line = [
        (leased, turn, iter([number] * count))
        for number, (leased, turn, count) in enumerate(tenants)
    ]
    taken = take_turns(line, limit)
    assert len(taken) == min(limit, sum(count for _, _, count in tenants))
    given_by = Counter(taken)
    for a, b in itertools.permutations(range(len(tenants)), 2):
        if given_by[a] and given_by[b] < tenants[b][2]:
            held = tenants[a][0] + given_by[a] - 1
            assert held <= tenants[b][0] + given_by[b]
