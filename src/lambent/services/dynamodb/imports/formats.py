"""Items from the lines of an object: DynamoDB's JSON, or CSV. Pure.

Source: Amazon DynamoDB Developer Guide, "Amazon S3 import formats for DynamoDB".
"""

from __future__ import annotations

import csv
import json
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lambent.core.errors import AwsError
from lambent.services.dynamodb.values import AttributeValue, Item, clean_item

_TEXTS = frozenset({"S", "N"})
_MANY = frozenset({"SS", "NS"})


def from_json(text: str) -> Iterator[Item | None]:
    """An item for each line that holds one; None for a line that does not."""
    for line in text.splitlines():
        if line.strip():
            try:
                yield clean_item(_map(json.loads(line)["Item"]))
            except (ValueError, TypeError, KeyError, AttributeError, AwsError):
                yield None


def _map(members: Mapping[str, Any]) -> Item:
    return {name: _value(value) for name, value in members.items()}


def _value(value: Mapping[str, Any]) -> AttributeValue:
    [(kind, content)] = value.items()
    if kind in _TEXTS and isinstance(content, str):
        return {kind: content}
    if kind in _MANY and all(isinstance(member, str) for member in content):
        return {kind: list(content)}
    if kind in ("BOOL", "NULL") and isinstance(content, bool):
        return {kind: content}
    if kind == "B":
        return {kind: b64decode(content, validate=True)}
    if kind == "BS":
        return {kind: [b64decode(member, validate=True) for member in content]}
    if kind == "L":
        return {kind: [_value(element) for element in content]}
    if kind == "M":
        return {kind: _map(content)}
    raise ValueError(kind)


def from_csv(
    text: str, types: Mapping[str, str], delimiter: str, header: Sequence[str] | None
) -> Iterator[Item | None]:
    """An item for each row. Key attributes are of their `types`, all others strings; without
    a `header` the first row is it. None for a row that fits neither."""
    rows = csv.reader(text.splitlines(), delimiter=delimiter)
    names = list(header) if header else next(rows, [])
    for row in rows:
        if not row:
            continue
        try:
            item = {
                name: _typed(types.get(name, "S"), field)
                for name, field in zip(names, row, strict=True)
                if field or name not in types
            }
            yield clean_item(item)
        except (ValueError, AwsError):
            yield None


def _typed(kind: str, field: str) -> AttributeValue:
    return {kind: b64decode(field, validate=True) if kind == "B" else field}
