"""Whether a policy statement's Condition block holds for what a request carries. Pure.

Source: IAM User Guide, "IAM JSON policy elements: Condition operators", "Multivalued context
keys" and "Conditions with multiple context keys or values".
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

from lambent.core.policy_patterns import Keys, filled, is_arn_like, is_like, variables

Test = Callable[[str, str, Keys | None], bool]
"""Whether a request's value meets a wanted one; with keys, variables in the wanted are read."""


def holds(block: Any, keys: Keys, *, with_variables: bool) -> bool:
    """Whether all conditions hold. What is no condition never does: it may be stored from a
    time when it was not refused."""
    if not _is_block(block):
        return False
    read = keys if with_variables else None
    return all(
        _holds(operator, [_text(each) for each in listed(wanted)], keys.get(key.lower(), ()), read)
        for operator, conditions in block.items()
        for key, wanted in conditions.items()
    )


def keys_of(block: Any) -> Iterator[str]:
    """The condition keys that a block needs, as written there, those of its variables too."""
    if not _is_block(block):
        return
    for conditions in block.values():
        for key, wanted in conditions.items():
            yield key
            for each in listed(wanted):
                yield from variables(_text(each))


def _is_block(block: Any) -> bool:
    return isinstance(block, Mapping) and all(isinstance(one, Mapping) for one in block.values())


class Problem(NamedTuple):
    """Why a block is none: its `kind`, and what is wrong there."""

    kind: Literal["shape", "operator", "key", "value"]
    text: str


def problem(block: object) -> Problem | None:
    """Why something is no Condition block; None when it is one."""
    if not isinstance(block, dict):
        return Problem("shape", "Condition")
    for operator, conditions in block.items():
        parsed = _parsed(operator)
        if parsed is None:
            return Problem("operator", operator)
        if not isinstance(conditions, dict):
            return Problem("shape", operator)
        for key, wanted in conditions.items():
            if ":" not in key:
                return Problem("key", key)
            for each in listed(wanted):
                if not isinstance(each, str | bool | int | float):
                    return Problem("shape", key)
                if "${" not in str(each) and not _is_value(parsed.name, _text(each)):
                    return Problem("value", _text(each))
    return None


def listed(value: Any) -> list[Any]:
    """What may stand alone or in a list, as a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


class _Operator(NamedTuple):
    name: str
    quantifier: str
    if_exists: bool


@lru_cache(maxsize=512)
def _parsed(operator: str) -> _Operator | None:
    quantifier, colon, name = operator.rpartition(":")
    if (colon and quantifier not in ("ForAllValues", "ForAnyValue")) or name == "NullIfExists":
        return None
    bare = name.removesuffix("IfExists")
    if bare not in _TESTS and bare != "Null":
        return None
    return _Operator(bare, quantifier, bare != name)


def _holds(operator: str, wanted: list[str], values: tuple[str, ...], keys: Keys | None) -> bool:
    parsed = _parsed(operator)
    if parsed is None:
        return False
    name, quantifier, if_exists = parsed
    if name == "Null":
        return ("false" if values else "true") in (each.lower() for each in wanted)
    if not values and if_exists:
        return True
    test, negative = _TESTS[name]

    def meets(value: str) -> bool:
        return any(test(value, each, keys) for each in wanted) is not negative

    if quantifier:
        # A key whose value is empty is a set without members.
        there = [value for value in values if value]
        return all(map(meets, there)) if quantifier == "ForAllValues" else any(map(meets, there))
    return all(map(meets, values)) if negative else any(map(meets, values))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _equal(value: str, wanted: str, keys: Keys | None) -> bool:
    return value == filled(wanted, keys)


def _equal_folded(value: str, wanted: str, keys: Keys | None) -> bool:
    text = filled(wanted, keys)
    return text is not None and value.casefold() == text.casefold()


def _same_truth(value: str, wanted: str, _: Keys | None) -> bool:
    return value.lower() == wanted.lower()


def _same_bytes(value: str, wanted: str, _: Keys | None) -> bool:
    one, other = _bytes(value), _bytes(wanted)
    return one is not None and one == other


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _moment(text: str) -> float | None:
    """Seconds since the epoch of an ISO 8601 date, or of such a number of seconds."""
    if text.isascii() and text.isdigit() and len(text) > 4:
        return float(text)
    whole = f"{text}-01-01" if len(text) == 4 else f"{text}-01" if len(text) == 7 else text
    try:
        moment = datetime.fromisoformat(whole)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@lru_cache(maxsize=1024)
def _network(text: str) -> _Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _within(value: str, wanted: str, _: Keys | None) -> bool:
    network = _network(wanted)
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return network is not None and address in network


def _ordered(read: Callable[[str], Any], compare: Callable[[Any, Any], bool]) -> Test:
    def test(value: str, wanted: str, _: Keys | None) -> bool:
        one, other = read(value), read(wanted)
        return one is not None and other is not None and compare(one, other)

    return test


def _orders(kind: str, read: Callable[[str], Any]) -> dict[str, tuple[Test, bool]]:
    equal = _ordered(read, lambda one, other: bool(one == other))
    return {
        f"{kind}Equals": (equal, False),
        f"{kind}NotEquals": (equal, True),
        f"{kind}LessThan": (_ordered(read, lambda one, other: bool(one < other)), False),
        f"{kind}LessThanEquals": (_ordered(read, lambda one, other: bool(one <= other)), False),
        f"{kind}GreaterThan": (_ordered(read, lambda one, other: bool(one > other)), False),
        f"{kind}GreaterThanEquals": (_ordered(read, lambda one, other: bool(one >= other)), False),
    }


_TESTS: Final[Mapping[str, tuple[Test, bool]]] = {
    "StringEquals": (_equal, False),
    "StringNotEquals": (_equal, True),
    "StringEqualsIgnoreCase": (_equal_folded, False),
    "StringNotEqualsIgnoreCase": (_equal_folded, True),
    "StringLike": (is_like, False),
    "StringNotLike": (is_like, True),
    "ArnEquals": (is_arn_like, False),
    "ArnLike": (is_arn_like, False),
    "ArnNotEquals": (is_arn_like, True),
    "ArnNotLike": (is_arn_like, True),
    "Bool": (_same_truth, False),
    "BinaryEquals": (_same_bytes, False),
    "IpAddress": (_within, False),
    "NotIpAddress": (_within, True),
    **_orders("Numeric", _number),
    **_orders("Date", _moment),
}
"""What each operator asks of a single value, and whether it is a "not": one that holds when no
wanted value is met, and so also when the key is absent."""


def _is_value(name: str, text: str) -> bool:
    """Whether an operator can compare with that."""
    if name in ("Bool", "Null"):
        return text.lower() in ("true", "false")
    if name in ("IpAddress", "NotIpAddress"):
        return _network(text) is not None
    if name.startswith("Numeric"):
        return _number(text) is not None
    if name.startswith("Date"):
        return _moment(text) is not None
    return name != "BinaryEquals" or _bytes(text) is not None
