from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.core.errors import AwsError
from lambent.services.dynamodb import key_conditions, keys
from lambent.services.dynamodb.key_conditions import KeyTest

OPERATORS = {
    "=": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "begins_with": lambda a, b: a.startswith(b),
}
binaries = st.binary(max_size=4) | st.lists(st.sampled_from([0, 1, 2, 254, 255]), max_size=5).map(
    bytes
)


@given(st.sampled_from(sorted(OPERATORS)), binaries, binaries, st.binary(max_size=3), st.booleans())
def test_a_comparisons_bounds_hold_exactly_the_keys_it_is_true_for(
    operator: str, key: bytes, operand: bytes, tail: bytes, in_index: bool
) -> None:
    start, end = key_conditions.bounds(KeyTest(operator, [{"B": operand}]), "B", in_index=in_index)
    sort = keys.escape(key) + keys.CLOSE + tail if in_index else key
    within = start <= sort and (end is None or sort < end)
    assert within == OPERATORS[operator](key, operand)


@given(binaries, binaries, st.binary(max_size=3), st.binary(max_size=3))
def test_entries_of_an_index_keep_the_order_of_its_range_key(
    one: bytes, two: bytes, tail_one: bytes, tail_two: bytes
) -> None:
    a = keys.escape(one) + keys.CLOSE + tail_one
    b = keys.escape(two) + keys.CLOSE + tail_two
    if one != two:
        assert (a < b) == (one < two)


@pytest.mark.parametrize(
    ("name", "value", "is_hash", "message"),
    [
        ("pk", {"S": ""}, True, "cannot contain an empty string value. Key: pk"),
        ("pk", {"S": "x" * 2049}, True, "Size of hashkey has exceeded the maximum size limit of"),
        ("sk", {"S": "é" * 513}, False, "Aggregated size of all range keys has exceeded the size"),
    ],
)
def test_key_values_have_limits(
    name: str, value: dict[str, Any], is_hash: bool, message: str
) -> None:
    with pytest.raises(AwsError) as caught:
        keys.check_value(name, "S", value, is_hash)
    assert message in caught.value.message
