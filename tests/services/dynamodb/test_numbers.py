from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.core.errors import AwsError
from lambent.services.dynamodb import numbers


@st.composite
def valid(draw: st.DrawFn) -> str:
    digits = draw(st.integers(min_value=1, max_value=10**38 - 1))
    exponent = draw(st.integers(min_value=-130, max_value=125 - len(str(digits)) + 1))
    text = f"{draw(st.sampled_from(['', '-']))}{digits}E{exponent}"
    return draw(st.sampled_from([text, "0", str(draw(st.integers(-999, 999)))]))


@given(valid())
def test_the_normalised_form_is_plain_equal_and_stable(text: str) -> None:
    plain = numbers.normalise(text)
    assert Decimal(plain) == Decimal(text)
    assert "E" not in plain.upper()
    assert numbers.normalise(plain) == plain


@given(valid(), valid())
def test_byte_order_is_the_order_of_the_numbers(one: str, two: str) -> None:
    one, two = numbers.normalise(one), numbers.normalise(two)
    a, b = numbers.sortable(one), numbers.sortable(two)
    assert (a < b, a == b) == (Decimal(one) < Decimal(two), Decimal(one) == Decimal(two))


@given(st.integers(-(10**30), 10**30), st.integers(-(10**30), 10**30))
def test_sums_and_differences_are_exact(one: int, two: int) -> None:
    assert numbers.add(str(one), str(two)) == str(one + two)
    assert numbers.subtract(str(one), str(two)) == str(one - two)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("1", "1"),
        ("+1.50", "1.5"),
        ("-0.0", "0"),
        ("1e3", "1000"),
        (".5", "0.5"),
        ("5.", "5"),
        ("007", "7"),
        ("1E-3", "0.001"),
        ("100", "100"),
        ("0.000", "0"),
        ("1e+0000000000000000003", "1000"),
        ("0" * 300 + "1", "1"),
    ],
)
def test_numbers_come_back_as_dynamodb_gives_them(text: str, plain: str) -> None:
    assert numbers.normalise(text) == plain


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The parameter cannot be converted to a numeric value"),
        ("abc", "The parameter cannot be converted to a numeric value: abc"),
        ("1 ", "The parameter cannot be converted to a numeric value: 1 "),
        ("٣", "The parameter cannot be converted to a numeric value: ٣"),
        (
            "1e126",
            "Number overflow. Attempting to store a number with magnitude larger than supported "
            "range",
        ),
        (
            "1e-131",
            "Number underflow. Attempting to store a number with magnitude smaller than supported "
            "range",
        ),
        ("1" * 39, "Attempting to store more than 38 significant digits in a Number"),
        ("1e999999999999999", "Number overflow."),
    ],
)
def test_bad_numbers_are_refused_in_awss_words(text: str, message: str) -> None:
    with pytest.raises(AwsError) as caught:
        numbers.normalise(text)
    assert caught.value.code == "ValidationException"
    assert caught.value.message.startswith(message)


def test_thirty_eight_digits_and_the_largest_magnitude_are_kept() -> None:
    assert numbers.normalise("9" * 38 + "e87") == "9" * 38 + "0" * 87
    assert numbers.normalise("1" + "0" * 100) == "1" + "0" * 100


@pytest.mark.parametrize(
    ("text", "size"), [("0", 1), ("1", 2), ("12", 2), ("123", 3), ("-123", 4), ("100", 2)]
)
def test_a_number_counts_a_byte_per_two_digits(text: str, size: int) -> None:
    assert numbers.size(text) == size
