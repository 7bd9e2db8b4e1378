"""DynamoDB's numbers: validation, the normalised form, arithmetic, an ordered byte form.

A number has up to 38 significant digits and a magnitude between 1E-130 and
9.99...E+125, or is zero. Values are kept as text in the form that DynamoDB returns: plain
notation, no exponent, no leading or trailing zeros; so equal numbers have equal text.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal, Inexact, localcontext
from functools import lru_cache

from lambent.services.dynamodb.errors import invalid

_FORM = re.compile(r"([+-]?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?[0-9]+))?\Z")
_DIGITS = 38
_LARGEST = 125
_SMALLEST = -130
_LONGEST_REMEMBERED = 200
# Wide enough that a sum or a difference of two valid numbers is exact.
_EXACT = Context(prec=300, Emax=999999, Emin=-999999, traps=[Inexact])


def normalise(text: str) -> str:
    """The form that DynamoDB gives back; ValidationException when it is no valid number."""
    if text.isdigit() and text.isascii() and len(text) <= _DIGITS and text[0] != "0":
        return text
    return _remembered(text) if len(text) <= _LONGEST_REMEMBERED else _normalise(text)


@lru_cache(4096)
def _remembered(text: str) -> str:
    return _normalise(text)


def _normalise(text: str) -> str:
    match = _FORM.match(text)
    if match is None:
        raise invalid(
            "The parameter cannot be converted to a numeric value" + (f": {text}" if text else "")
        )
    sign, whole, fraction, bare, exponent = match.groups()
    fraction = fraction or bare or ""
    digits = ((whole or "") + fraction).lstrip("0")
    point = len(digits) - len(fraction)
    digits = digits.rstrip("0")
    if not digits:
        return "0"
    # The value is 0.DIGITS times ten to the power of `point`.
    if exponent:
        # Of an absurdly long exponent only that it is large matters.
        size = int(exponent.lstrip("+-").lstrip("0")[:12] or "0")
        point += -size if exponent[0] == "-" else size
    if len(digits) > _DIGITS:
        raise invalid("Attempting to store more than 38 significant digits in a Number")
    if point - 1 > _LARGEST:
        raise invalid(
            "Number overflow. Attempting to store a number with magnitude larger than "
            "supported range"
        )
    if point - 1 < _SMALLEST:
        raise invalid(
            "Number underflow. Attempting to store a number with magnitude smaller than "
            "supported range"
        )
    if point <= 0:
        plain = "0." + "0" * -point + digits
    elif point >= len(digits):
        plain = digits + "0" * (point - len(digits))
    else:
        plain = digits[:point] + "." + digits[point:]
    return "-" + plain if sign == "-" else plain


def add(left: str, right: str) -> str:
    """The sum of two normalised numbers, held to the same limits."""
    if len(left) < 18 and len(right) < 18:
        try:
            return str(int(left) + int(right))
        except ValueError:
            pass
    with localcontext(_EXACT):
        return normalise(str(Decimal(left) + Decimal(right)))


def subtract(left: str, right: str) -> str:
    """The difference of two normalised numbers, held to the same limits."""
    if right == "0":
        return left
    return add(left, right[1:] if right[0] == "-" else "-" + right)


def size(text: str) -> int:
    """Bytes that a normalised number counts for: one per two digits, one more, one for minus."""
    negative = text[0] == "-"
    digits = text.lstrip("-0.").replace(".", "").rstrip("0") if "." in text else text.strip("-0")
    return (len(digits) + 1) // 2 + 1 + negative


_COMPLEMENT = bytes(255 - byte for byte in range(256))


def sortable(text: str) -> bytes:
    """Bytes whose order is the order of the (normalised) numbers.

    A byte for the sign, one for the exponent, then two digits to a byte; negative numbers
    are complemented and closed with 0xFF so that the shorter is the greater.
    """
    if text == "0":
        return b"\x02"
    negative = text[0] == "-"
    whole, _, fraction = (text[1:] if negative else text).partition(".")
    if whole == "0":
        digits = fraction.lstrip("0")
        exponent = len(digits) - len(fraction)
    else:
        exponent = len(whole)
        digits = whole + fraction if fraction else whole.rstrip("0")
    if len(digits) & 1:
        digits += "0"
    body = bytes((exponent - _SMALLEST - 1,)) + bytes.fromhex(digits)
    return b"\x01" + body.translate(_COMPLEMENT) + b"\xff" if negative else b"\x03" + body
