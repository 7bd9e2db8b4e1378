"""Whether a statement's conditions hold: the operators, sets, absent keys and variables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.core.conditions import holds, problem

QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"
TOPIC = "arn:aws:sns:us-east-1:123456789012:topic:with:colons"


def held(operator: str, wanted: Any, *values: str, **others: str) -> bool:
    """Whether the operator holds for a key that has these values."""
    keys = {"aws:k": values} if values else {}
    keys |= {f"aws:{name}": (value,) for name, value in others.items()}
    return holds({operator: {"AWS:K": wanted}}, keys, with_variables=True)


@pytest.mark.parametrize(
    ("operator", "wanted", "value", "met"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", "a", "A", False),
        ("StringEquals", "a*", "ab", False),
        ("StringEquals", ["x", "a"], "a", True),
        ("StringEquals", 7, "7", True),
        ("StringEqualsIgnoreCase", "Ab", "aB", True),
        ("StringEqualsIgnoreCase", "Ab", "abc", False),
        ("StringLike", "a*c?", "abbcd", True),
        ("StringLike", "a*c?", "Abbcd", False),
        ("StringLike", "*", "", True),
        ("NumericEquals", "10", "10.0", True),
        ("NumericEquals", 10, "11", False),
        ("NumericLessThan", "9", "10", False),
        ("NumericLessThan", "10", "9", True),
        ("NumericLessThanEquals", "10", "10", True),
        ("NumericGreaterThan", "1.2", "1.3", True),
        ("NumericGreaterThanEquals", "2", "1.9", False),
        ("NumericLessThan", "10", "nine", False),
        ("DateEquals", "2020-01-01T00:00:00Z", "1577836800", True),
        ("DateLessThan", "2020-01-02", "2020-01-01T23:59:59Z", True),
        ("DateLessThan", "2020", "2019-12-31T23:00:00-01:00", False),
        ("DateGreaterThan", "2020-02", "2020-02-01T00:00:01Z", True),
        ("DateGreaterThanEquals", "2020-02-30", "2021-01-01", False),
        ("DateLessThanEquals", "1577836800", "2020-01-01T00:00:00Z", True),
        ("Bool", "true", "true", True),
        ("Bool", True, "true", True),
        ("Bool", "false", "true", False),
        ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", True),
        ("BinaryEquals", "QmluYXJ5", "QmluYXJ6", False),
        ("IpAddress", "203.0.113.0/24", "203.0.113.7", True),
        ("IpAddress", "203.0.113.7", "203.0.113.7", True),
        ("IpAddress", ["10.0.0.0/8", "2001:db8::/32"], "2001:db8::7", True),
        ("IpAddress", "10.0.0.0/8", "::ffff:10.1.1.1", True),
        ("IpAddress", "10.0.0.0/8", "11.0.0.1", False),
        ("IpAddress", "10.0.0.0/8", "nowhere", False),
        ("ArnEquals", QUEUE, QUEUE, True),
        ("ArnEquals", "arn:aws:sqs:*:123456789012:q", QUEUE, True),
        ("ArnLike", "arn:aws:sqs:*:*:*", QUEUE, True),
        ("ArnLike", "arn:aws:s?s:us-east-1:123456789012:*", QUEUE, True),
        ("ArnLike", "arn:aws:sns:*:*:topic:*", TOPIC, True),
        ("ArnLike", "arn:aws:sqs:*:q", QUEUE, False),
        ("ArnLike", "arn:aws:*", QUEUE, False),
        ("ArnLike", "*", QUEUE, True),
        ("ArnLike", "arn:aws:sqs:*:*:*", "no arn", False),
        ("Stringequals", "a", "a", False),
        ("NobodyKnows", "a", "a", False),
    ],
    ids=range(46),
)
def test_an_operator_compares(operator: str, wanted: Any, value: str, met: bool) -> None:
    assert held(operator, wanted, value) is met


_PAIRS = [
    ("StringEquals", "StringNotEquals", "a"),
    ("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "a"),
    ("StringLike", "StringNotLike", "a*"),
    ("NumericEquals", "NumericNotEquals", "1"),
    ("DateEquals", "DateNotEquals", "2020-01-01"),
    ("ArnEquals", "ArnNotEquals", QUEUE),
    ("ArnLike", "ArnNotLike", QUEUE),
    ("IpAddress", "NotIpAddress", "10.0.0.0/8"),
]


@pytest.mark.parametrize(("operator", "opposite", "wanted"), _PAIRS)
@given(value=st.sampled_from(["a", "A", "1", "2020-01-01", QUEUE, "10.1.1.1", "11.1.1.1", ""]))
def test_a_not_is_the_opposite_and_holds_for_an_absent_key(
    operator: str, opposite: str, wanted: str, value: str
) -> None:
    assert held(operator, wanted, value) is not held(opposite, wanted, value)
    assert not held(operator, wanted)
    assert held(opposite, wanted)
    assert held(f"{operator}IfExists", wanted) and held(f"{opposite}IfExists", wanted)
    assert held(f"{operator}IfExists", wanted, value) is held(operator, wanted, value)


@pytest.mark.parametrize(
    ("operator", "values", "met"),
    [
        ("ForAllValues:StringEquals", ("a", "b"), True),
        ("ForAllValues:StringEquals", ("a", "c"), False),
        ("ForAllValues:StringEquals", (), True),
        ("ForAllValues:StringEquals", ("",), True),
        ("ForAllValues:StringNotEquals", ("c", "d"), True),
        ("ForAllValues:StringNotEquals", ("a", "d"), False),
        ("ForAllValues:StringEqualsIfExists", (), True),
        ("ForAnyValue:StringEquals", ("c", "b"), True),
        ("ForAnyValue:StringEquals", ("c", "d"), False),
        ("ForAnyValue:StringEquals", (), False),
        ("ForAnyValue:StringNotEquals", ("a", "c"), True),
        ("ForAnyValue:StringNotEquals", ("a", "b"), False),
        ("ForAnyValue:StringNotEquals", (), False),
        ("ForAnyValue:StringLikeIfExists", (), True),
        ("ForSomeValues:StringEquals", ("a",), False),
    ],
)
def test_a_set_is_compared_by_all_or_any_of_its_values(
    operator: str, values: tuple[str, ...], met: bool
) -> None:
    assert held(operator, ["a", "b"], *values) is met


@pytest.mark.parametrize(
    ("wanted", "values", "met"),
    [
        ("true", (), True),
        ("true", ("a",), False),
        ("false", (), False),
        (False, ("a",), True),
        (["true", "false"], (), True),
    ],
)
def test_null_asks_whether_a_key_is_absent(wanted: Any, values: tuple[str, ...], met: bool) -> None:
    assert held("Null", wanted, *values) is met


def test_all_conditions_must_hold_and_one_value_of_each() -> None:
    block = {
        "StringEquals": {"aws:a": ["1", "2"], "aws:b": "3"},
        "Bool": {"aws:c": "true"},
    }
    keys = {"aws:a": ("2",), "aws:b": ("3",), "aws:c": ("true",)}
    assert holds(block, keys, with_variables=True)
    for key in keys:
        assert not holds(block, {**keys, key: ("no",)}, with_variables=True)
    assert holds({}, {}, with_variables=True)


@pytest.mark.parametrize(
    ("operator", "wanted", "value", "met"),
    [
        ("StringEquals", "${aws:name}", "ann", True),
        ("StringEquals", "${AWS:Name}/x", "ann/x", True),
        ("StringLike", "home/${aws:name}/*", "home/ann/x", True),
        ("StringLike", "home/${aws:name}/*", "home/bob/x", False),
        ("StringLike", "${aws:star}", "anything", False),
        ("StringLike", "${aws:star}", "*", True),
        ("StringLike", "a${*}", "a*", True),
        ("StringLike", "a${*}", "ab", False),
        ("StringLike", "a${?}", "a?", True),
        ("StringEquals", "${$}{aws:name}", "${aws:name}", True),
        ("StringEquals", "${aws:nobody}", "", False),
        ("StringNotEquals", "${aws:nobody}", "x", True),
        ("StringEquals", "${aws:nobody, 'all'}", "all", True),
        ("StringEquals", "${aws:name, 'all'}", "ann", True),
        ("ArnLike", "arn:aws:iam::*:user/${aws:name}", "arn:aws:iam::1:user/ann", True),
        ("ArnLike", "arn:aws:iam::*:user/${aws:name}", "arn:aws:iam::1:user/bob", False),
    ],
)
def test_variables_have_the_requests_values(
    operator: str, wanted: str, value: str, met: bool
) -> None:
    assert held(operator, wanted, value, name="ann", star="*") is met


def test_variables_are_plain_text_to_older_policies() -> None:
    block = {"StringEquals": {"aws:k": "${aws:name}"}}
    keys = {"aws:k": ("ann",), "aws:name": ("ann",)}
    assert holds(block, keys, with_variables=True)
    assert not holds(block, keys, with_variables=False)
    assert holds(block, {"aws:k": ("${aws:name}",)}, with_variables=False)


_OPERATORS = st.sampled_from(
    (
        *("StringEquals", "StringNotLike", "NumericLessThan", "DateLessThan", "IpAddress"),
        *("ArnLike", "Bool", "BinaryEquals", "Null", "ForAnyValue:StringLike", "X"),
        "NotIpAddressIfExists",
    )
)


@given(
    operator=_OPERATORS,
    wanted=st.lists(st.one_of(st.text(max_size=12), st.integers(), st.booleans(), st.none())),
    values=st.lists(st.text(max_size=12), max_size=3),
)
def test_whatever_stands_in_a_block_is_decided(
    operator: str, wanted: list[Any], values: list[str]
) -> None:
    assert held(operator, wanted, *values) in (True, False)


@given(
    st.datetimes(min_value=datetime(1980, 1, 1), max_value=datetime(2100, 1, 1)),
    st.integers(1, 10_000),
)
def test_dates_are_ordered_as_moments_are(moment: datetime, seconds: int) -> None:
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    later = moment + timedelta(seconds=seconds)
    assert held("DateLessThan", later.isoformat(), str(int(moment.timestamp())))
    assert held("DateGreaterThan", f"{moment:%Y-%m-%dT%H:%M:%SZ}", later.isoformat())


@pytest.mark.parametrize(
    ("block", "kind"),
    [
        ([], "shape"),
        ({"StringEquals": "x"}, "shape"),
        ({"StringEquals": {"aws:x": {}}}, "shape"),
        ({"StringIs": {"aws:x": "y"}}, "operator"),
        ({"NullIfExists": {"aws:x": "true"}}, "operator"),
        ({"ForEach:StringEquals": {"aws:x": "y"}}, "operator"),
        ({"StringEquals": {"x": "y"}}, "key"),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}, "value"),
        ({"Bool": {"aws:SecureTransport": "maybe"}}, "value"),
        ({"NumericEquals": {"s3:max-keys": "ten"}}, "value"),
        ({"DateLessThan": {"aws:CurrentTime": "soon"}}, "value"),
        ({"BinaryEquals": {"aws:x": "%"}}, "value"),
        ({}, None),
        ({"ForAllValues:StringLikeIfExists": {"aws:TagKeys": ["a*", True, 1]}}, None),
        ({"DateLessThan": {"aws:CurrentTime": ["2030-01-01T00:00:00Z", 1900000000]}}, None),
    ],
    ids=range(15),
)
def test_what_is_no_condition_is_told(block: Any, kind: str | None) -> None:
    found = problem(block)
    assert (found and found.kind) == kind
