"""Who gets the next place of a function that mappings share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.events.flow.places import Sharer, free


def low(running: int = 0, places: int = 10) -> Sharer:
    return Sharer(level=0, places=places, reserve=0, running=running)


def high(running: int = 0, reserve: int = 4, waits: bool = False) -> Sharer:
    return Sharer(level=1, places=10, reserve=reserve, running=running, waits=waits)


@pytest.mark.parametrize(
    ("who", "others", "expected"),
    [
        (low(9), [], True),
        (low(10), [], False),
        (low(5), [high(0)], True),  # 5 + 4 reserved < 10
        (low(6), [high(0)], False),
        (low(6), [high(4)], False),  # all ten are taken
        (low(5), [high(4)], True),
        (low(2), [high(7)], True),  # beyond its reserve, nothing is kept for the higher
        (low(2), [high(7, waits=True)], False),  # unless it waits
        (high(0), [low(9)], True),
        (high(0), [low(10)], False),  # nothing is cut off
        (low(3), [low(3, places=6)], False),  # the fewest places count for all
    ],
)
def test_the_next_place(who: Sharer, others: list[Sharer], expected: bool) -> None:
    assert free(who, others) is expected


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 4), st.booleans()), min_size=1, max_size=5
    ),
    st.integers(1, 20),
    st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=100),
)
def test_together_they_never_have_more_and_reserves_are_kept(
    sharers: list[tuple[int, int, bool]], places: int, steps: list[tuple[int, bool]]
) -> None:
    all_ = [Sharer(level, places, reserve, 0, waits) for level, reserve, waits in sharers]
    for which, enters in steps:
        one = all_[which % len(all_)]
        others = [other for other in all_ if other is not one]
        if not enters:
            one.running = max(one.running - 1, 0)
        elif free(one, others):
            one.running += 1
            kept = sum(
                max(other.reserve - other.running, 0) for other in others if other.level > one.level
            )
            assert sum(other.running for other in all_) + kept <= places
