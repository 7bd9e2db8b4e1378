"""Primary and index keys: validation against the schema, and their form in the store.

A partition is eight bytes of the hash key's MD5 and then the key itself: so a scan meets
items in an order that says nothing, as in DynamoDB, and a parallel scan's segments are
ranges of the hash. A sort key is the range key in bytes that keep its order. In an index,
where several items may have the same key, the table's key follows the range key, which is
escaped and closed so that the order stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import md5
from typing import NamedTuple

from lambent.services.dynamodb import numbers
from lambent.services.dynamodb.errors import EmptyKey, invalid, invalid_parameter
from lambent.services.dynamodb.model import Index, KeySchema, Table
from lambent.services.dynamodb.values import AttributeValue, Item, kind_of

MAX_HASH = 2048
MAX_RANGE = 1024
HASH_BYTES = 8

MISMATCH = "The provided key element does not match the schema"
_EMPTY_KEY = (
    "One or more parameter values are not valid. The AttributeValue for a key attribute "
    "cannot contain an empty {} value. Key: {}"
)


class StoreKey(NamedTuple):
    """Where an item lies in its collection."""

    partition: bytes
    sort: bytes


def encode(kind: str, value: AttributeValue) -> bytes:
    """A key attribute in bytes that keep the order of its type."""
    content = value[kind]
    if kind == "S":
        return content.encode()  # type: ignore[no-any-return]
    if kind == "N":
        return numbers.sortable(content)
    return bytes(content)


def partition(kind: str, value: AttributeValue) -> bytes:
    """The partition of a hash key."""
    encoded = encode(kind, value)
    return md5(encoded, usedforsecurity=False).digest()[:HASH_BYTES] + encoded


def store_key(schema: KeySchema, attributes: Mapping[str, AttributeValue]) -> StoreKey:
    """Where the item with these (checked) key attributes lies."""
    return StoreKey(
        partition(schema.hash_type, attributes[schema.hash]),
        encode(schema.range_type, attributes[schema.range]) if schema.range else b"",
    )


def escape(encoded: bytes) -> bytes:
    """A range key inside an index's sort key, before it is closed."""
    return encoded.replace(b"\x00", b"\x00\xff")


CLOSE = b"\x00\x01"
AFTER = b"\x00\x02"
"""An escaped range key with AFTER is past every entry of that range key."""


def entry_key(table: Table, index: Index, key: StoreKey, item: Item) -> StoreKey | None:
    """Where an item's entry lies in an index; None when it lacks the index's key."""
    schema = index.key
    hash_value = item.get(schema.hash)
    if hash_value is None or schema.hash_type not in hash_value:
        return None
    sort = b""
    if schema.range:
        range_value = item.get(schema.range)
        if range_value is None or schema.range_type not in range_value:
            return None
        sort = escape(encode(schema.range_type, range_value)) + CLOSE
    where = key.partition if not index.is_global else partition(schema.hash_type, hash_value)
    if index.is_global:
        sort += escape(key.partition) + CLOSE
    return StoreKey(where, sort + key.sort)


def key_of(schema: KeySchema, item: Mapping[str, AttributeValue]) -> Item:
    """The key attributes of an item."""
    if schema.range:
        return {schema.hash: item[schema.hash], schema.range: item[schema.range]}
    return {schema.hash: item[schema.hash]}


def check_key(schema: KeySchema, key: Mapping[str, AttributeValue]) -> None:
    """Raise unless `key` is exactly a key of the schema (a Key parameter, cleaned)."""
    if len(key) != (2 if schema.range else 1):
        raise invalid(MISMATCH)
    for name, kind, is_hash in _parts(schema):
        value = key.get(name)
        if value is None or kind not in value:
            raise invalid(MISMATCH)
        check_value(name, kind, value, is_hash)


def check_has_key(schema: KeySchema, item: Mapping[str, AttributeValue]) -> None:
    """Raise unless an item has all attributes of a key, each of its type."""
    for name, kind, _ in _parts(schema):
        value = item.get(name)
        if value is None or kind not in value:
            raise invalid(MISMATCH)


def check_item(table: Table, item: Mapping[str, AttributeValue]) -> None:
    """Raise unless an item (cleaned) has the table's key, and fit types for its indexes."""
    for name, kind, is_hash in _parts(table.key):
        value = item.get(name)
        if value is None:
            raise invalid_parameter(f"Missing the key {name} in the item")
        if kind not in value:
            raise invalid_parameter(
                f"Type mismatch for key {name} expected: {kind} actual: {kind_of(value)}"
            )
        check_value(name, kind, value, is_hash)
    for index in table.indexes:
        check_index_key(index, item)


def check_index_key(index: Index, item: Mapping[str, AttributeValue]) -> None:
    """Raise when an item has an attribute of the index's key that cannot be in it."""
    for name, kind, is_hash in _parts(index.key):
        value = item.get(name)
        if value is None:
            continue
        if kind not in value:
            raise invalid_parameter(
                f"Type mismatch for Index Key {name} Expected: {kind} Actual: {kind_of(value)} "
                f"IndexName: {index.name}"
            )
        if kind != "N" and not value[kind]:
            raise EmptyKey(
                "One or more parameter values are not valid. A value specified for a secondary "
                "index key is not supported. The AttributeValue for a key attribute cannot "
                f"contain an empty {_WORDS[kind]} value. IndexName: {index.name}, IndexKey: {name}"
            )
        _check_size(value, kind, is_hash)


_WORDS = {"S": "string", "B": "binary"}


def _parts(schema: KeySchema) -> tuple[tuple[str, str, bool], ...]:
    if schema.range:
        return (
            (schema.hash, schema.hash_type, True),
            (schema.range, schema.range_type, False),
        )
    return ((schema.hash, schema.hash_type, True),)


def check_value(name: str, kind: str, value: AttributeValue, is_hash: bool) -> None:
    """Raise when a key attribute's value (of the right type) is empty or too long."""
    if kind == "N":
        return
    if not value[kind]:
        raise EmptyKey(_EMPTY_KEY.format(_WORDS[kind], name))
    _check_size(value, kind, is_hash)


def _check_size(value: AttributeValue, kind: str, is_hash: bool) -> None:
    if kind == "N":
        return
    content = value[kind]
    length = len(content) if kind == "B" or content.isascii() else len(content.encode())
    if is_hash and length > MAX_HASH:
        raise invalid_parameter("Size of hashkey has exceeded the maximum size limit of2048 bytes")
    if not is_hash and length > MAX_RANGE:
        raise invalid_parameter(
            "Aggregated size of all range keys has exceeded the size limit of 1024 bytes"
        )
