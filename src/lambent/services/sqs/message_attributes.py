"""Message attributes: validation, size and MD5.

Source: SQS developer guide, "Amazon SQS message metadata", with "Calculating the MD5
message digest for message attributes".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from lambent.services.sqs import errors
from lambent.services.sqs.model import Attribute

MAX_ATTRIBUTES = 10
_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,256}\Z")
_TYPE = re.compile(r"(String|Number|Binary)(\..+)?\Z", re.DOTALL)
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,9})?\Z")
_DIGITS = 38
_LONGEST_NUMBER = 256
"""Characters: room for any number, written out."""

_SMALLEST, _LARGEST = Decimal("1e-128"), Decimal("1e126")


def refuse_lists(params: Mapping[str, Any], operation: str) -> None:
    """AwsError when an attribute of a message has lists, which SQS names but does not take."""
    for value in (params.get("MessageAttributes") or {}).values():
        if value.get("StringListValues") is not None or value.get("BinaryListValues") is not None:
            raise errors.unsupported(
                f"Message attribute list values in {operation} operation are not supported."
            )


def parse(given: Mapping[str, Mapping[str, Any]] | None) -> dict[str, Attribute]:
    """The validated attributes of a message that is sent."""
    if not given:
        return {}
    if len(given) > MAX_ATTRIBUTES:
        raise errors.invalid(
            f"Number of message attributes [{len(given)}] exceeds the allowed maximum "
            f"[{MAX_ATTRIBUTES}]."
        )
    return {name: _parse_one(name, value) for name, value in given.items()}


def _parse_one(name: str, value: Mapping[str, Any]) -> Attribute:
    _check_name(name)
    type_ = value.get("DataType")
    if not type_:
        raise errors.invalid(
            f"The message attribute '{name}' must contain a non-empty message attribute type."
        )
    match = _TYPE.match(type_)
    if not match or len(type_) > 256:
        raise errors.invalid(
            f"The message attribute '{name}' has an invalid message attribute type, the set of "
            "supported type prefixes is Binary, Number, and String."
        )
    base = match[1]
    text, binary = value.get("StringValue"), value.get("BinaryValue")
    field, other = (binary, text) if base == "Binary" else (text, binary)
    wanted = "Binary" if base == "Binary" else "String"
    if field is None and other is not None:
        raise errors.invalid(
            f"The message attribute '{name}' with type '{type_}' must use field '{wanted}'."
        )
    if not field:
        raise errors.invalid(
            f"The message attribute '{name}' must contain a non-empty message attribute value "
            f"for message attribute type '{type_}'."
        )
    if other is not None:
        raise errors.invalid(f"The message attribute '{name}' has multiple values.")
    if base == "Number" and not _is_number(text or ""):
        raise errors.invalid(f"Can't cast the value of message attribute '{name}' to a number.")
    if base == "Binary":
        return Attribute(type_, None, bytes(field))
    return Attribute(type_, field, None)


def _is_number(text: str) -> bool:
    """Whether it is one of up to 38 digits, and zero or from 10^-128 to 10^126 in size."""
    if len(text) > _LONGEST_NUMBER or not _NUMBER.match(text):
        return False
    number = Decimal(text).copy_abs()
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    return len(digits) <= _DIGITS and (not digits or _SMALLEST <= number <= _LARGEST)


def _check_name(name: str) -> None:
    if not name:
        raise errors.invalid("The request must contain non-empty message attribute name.")
    lowered = name.lower()
    if (
        not _NAME.match(name)
        or name.startswith(".")
        or name.endswith(".")
        or ".." in name
        or lowered.startswith(("aws.", "amazon."))
    ):
        raise errors.invalid(
            f"The message attribute name '{name}' is invalid. Attribute name can contain "
            "A-Z, a-z, 0-9, underscore (_), hyphen (-), and period (.) characters; it must "
            "not start or end with a period, have successive periods, or begin with a "
            "reserved prefix (AWS. or Amazon.), and it can be up to 256 characters long."
        )


def size(attributes: Mapping[str, Attribute]) -> int:
    """How many bytes the attributes add to the message's size."""
    if not attributes:
        return 0
    return sum(
        len(name.encode())
        + len(value.type.encode())
        + (len(value.binary) if value.binary is not None else len((value.text or "").encode()))
        for name, value in attributes.items()
    )


def md5(attributes: Mapping[str, Attribute]) -> str | None:
    """The digest that clients check; None without attributes."""
    if not attributes:
        return None
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        value = attributes[name]
        for part in (name.encode(), value.type.encode()):
            digest.update(len(part).to_bytes(4, "big") + part)
        data = value.binary
        if data is None:
            data = (value.text or "").encode()
            digest.update(b"\x01")
        else:
            digest.update(b"\x02")
        digest.update(len(data).to_bytes(4, "big") + data)
    return digest.hexdigest()


def select(attributes: Mapping[str, Attribute], names: Iterable[str]) -> dict[str, Attribute]:
    """Those that a receiver asked for: "All", ".*", "prefix.*", or names."""
    chosen: dict[str, Attribute] = {}
    for wanted in names:
        if wanted in ("All", ".*"):
            return dict(attributes)
        if wanted.endswith(".*"):
            prefix = wanted[:-2]
            chosen.update({k: v for k, v in attributes.items() if k.startswith(prefix)})
        elif wanted in attributes:
            chosen[wanted] = attributes[wanted]
    return chosen


def wire(attributes: Mapping[str, Attribute]) -> dict[str, dict[str, Any]]:
    """The attributes as ReceiveMessage gives them."""
    return {
        name: {"DataType": value.type, "BinaryValue": value.binary}
        if value.binary is not None
        else {"DataType": value.type, "StringValue": value.text}
        for name, value in attributes.items()
    }
