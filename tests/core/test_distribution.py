"""Distributions: exact while small, within 1 % beyond, the same however they are put together."""

from __future__ import annotations

import math

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from lambent.core.distribution import EXACT, Distribution, Plain, restored

numbers = st.lists(st.floats(-1e9, 1e9).map(lambda n: round(n, 3)), min_size=1, max_size=50)


def made(values: list[float]) -> Distribution:
    found = Distribution()
    for value in values:
        found.add(value)
    return found


def test_few_numbers_have_exact_percentiles() -> None:
    spread = made([float(n) for n in range(1, 101)])
    assert spread.quantiles((0.0, 0.5, 0.99, 1.0)) == [1.0, 50.5, 99.01, 100.0]
    assert (spread.count, spread.total, spread.low, spread.high) == (100, 5050, 1, 100)


def test_many_numbers_stay_within_a_percent_in_bounded_memory() -> None:
    spread = made([float(n) for n in range(1, 20_001)])
    for share in (0.01, 0.5, 0.9, 0.999):
        (found,) = spread.quantiles((share,))
        assert math.isclose(found, share * 19_999 + 1, rel_tol=0.015)
    assert spread.values is not None and len(spread.values) < 3 * EXACT


@given(numbers, numbers)
def test_merging_is_adding(first: list[float], second: list[float]) -> None:
    merged = made(first)
    merged.merge(made(second))
    whole = made(first + second)
    assert merged.count == whole.count
    assert merged.quantiles((0.0, 0.3, 1.0)) == whole.quantiles((0.0, 0.3, 1.0))


@given(numbers)
def test_what_was_stored_comes_back(values: list[float]) -> None:
    spread = made(values)
    plain = msgspec.msgpack.decode(msgspec.msgpack.encode(spread.plain()), type=Plain)
    assert restored(plain).plain() == spread.plain()


def test_a_set_of_sums_has_no_percentiles_of_its_own() -> None:
    spread = made([1.0])
    spread.add_set(3, 30, 5, 15)
    assert spread.values is None
    assert (spread.count, spread.total, spread.low, spread.high) == (4, 31, 1, 15)
