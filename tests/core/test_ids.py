"""Ids: their forms, and that a seed repeats them."""

import uuid

import pytest

from lambent.core.ids import SeededIds, SystemIds


@pytest.mark.parametrize("ids", [SystemIds(), SeededIds(1)])
def test_a_uuid_is_a_random_one_of_the_standard(ids):
    made = {ids.uuid() for _ in range(1000)} | set(ids.uuids(1000))
    assert len(made) == 2000
    for text in made:
        parsed = uuid.UUID(text)
        assert str(parsed) == text
        assert parsed.version == 4
        assert parsed.variant == uuid.RFC_4122


@pytest.mark.parametrize("ids", [SystemIds(), SeededIds(1)])
@pytest.mark.parametrize("length", [1, 7, 32, 5000])
def test_tokens_and_digits_have_the_length_asked_for(ids, length):
    assert len(ids.hex(length)) == length
    token = ids.token(length, "abc")
    assert len(token) == length
    assert set(token) <= set("abc")


def test_random_numbers_lie_in_the_unit_interval():
    ids = SeededIds(7)
    numbers = [ids.random() for _ in range(1000)]
    assert all(0 <= number < 1 for number in numbers)
    assert 0.4 < sum(numbers) / 1000 < 0.6


def test_a_seed_repeats_and_another_differs():
    assert SeededIds(3).uuid() == SeededIds(3).uuid()
    assert SeededIds(3).uuid() != SeededIds(4).uuid()
