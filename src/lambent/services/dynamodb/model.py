"""What is stored: table definitions and items, and under which names.

| collection | partition, sort | value |
| --- | --- | --- |
| `dynamodb.tables` | account/region, table name | the definition |
| `dynamodb.items/ID` | hash key, range key (see `keys`) | the item |
| `dynamodb.index/ID/INDEX` | index hash key, index range key and table key | projected item |
| `dynamodb.history/ID` (a log) | | what an item was before a change |
| `dynamodb.ttl/ID`, from the second enabling on `…/N` | "ttl", expiry and table key | table key |
| `dynamodb.statistics` | table id | item counts and sizes |
| `dynamodb.counted` | empty | empty: the counts were written when the node stopped |
| `dynamodb.policies` | account/region, the ARN's resource | a policy and its revision |
| `dynamodb.tokens` | account/region, client request token | a transaction's fingerprint |

A table's id is new with each creation, so a table of the same name never sees old items.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lambent.core.arns import Arn
from lambent.services.dynamodb.errors import table_not_found
from lambent.services.dynamodb.values import Item
from lambent.store.contract import Record, Transaction

TABLES: Final = "dynamodb.tables"
STATISTICS: Final = "dynamodb.statistics"
COUNTED: Final = "dynamodb.counted"
TOKENS: Final = "dynamodb.tokens"
POLICIES: Final = "dynamodb.policies"


class KeySchema(msgspec.Struct, frozen=True, omit_defaults=True):
    """The attributes of a key and their types (S, N or B). `range` "" means none."""

    hash: str
    hash_type: str
    range: str = ""
    range_type: str = ""

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes' names, the hash key first."""
        return (self.hash, self.range) if self.range else (self.hash,)


class Throughput(msgspec.Struct, frozen=True):
    """Provisioned capacity units per second."""

    read: int = 0
    write: int = 0


class Index(msgspec.Struct, frozen=True, omit_defaults=True):
    """A secondary index. `filling` while existing items are still being added to it.

    `id` names its collection, new with each creation. `projection` is ALL, KEYS_ONLY or
    INCLUDE with the attributes `included`.
    """

    name: str
    id: str
    key: KeySchema
    is_global: bool
    projection: str
    included: tuple[str, ...] = ()
    throughput: Throughput = Throughput()
    on_demand: dict[str, int] | None = None
    filling: bool = False
    warm: Throughput | None = None


def stream_log(table_id: str, label: str) -> str:
    """The log of a table's stream."""
    return f"dynamodb.stream/{table_id}/{label}"


class Restore(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a table was restored from: `backup`'s ARN or, without one, the table `source` as it
    was at `time`, in seconds since the epoch.

    `items` are copied, and the changes in `log` after the position `after` are taken back
    (see `backups.history`), while it is `under_way`.
    """

    source: str
    time: float
    items: str
    backup: str = ""
    log: str = ""
    after: int = 0
    under_way: bool = True


class Insight(msgspec.Struct, frozen=True, array_like=True):
    """A setting of Contributor Insights, `changed` in seconds since the epoch."""

    mode: str
    enabled: bool
    changed: float


class Table(msgspec.Struct, frozen=True, omit_defaults=True):
    """A table's definition. `created` is in seconds since the epoch.

    `attributes` are the AttributeDefinitions in the order given. `ttl` is the attribute
    that holds the expiry, "" when items do not expire; `ttl_disabled` is how often that was
    ended. `recovery_days` is the period of point-in-time recovery, 0 when it is off;
    `recovery_since` is when that was switched on. `insights` are by index, "" for the table
    itself. `warm` is the throughput that it was warmed for, when someone asked for it. `copies`
    are the backups and tables into which it is being copied.
    """

    name: str
    id: str
    account: str
    region: str
    created: float
    attributes: tuple[tuple[str, str], ...]
    key: KeySchema
    indexes: tuple[Index, ...] = ()
    on_demand: bool = False
    throughput: Throughput = Throughput()
    throughput_changed: tuple[float, float] = (0.0, 0.0)
    on_demand_since: float = 0.0
    on_demand_limits: dict[str, int] | None = None
    stream_view: str = ""
    stream_label: str = ""
    encryption: dict[str, Any] | None = None
    protected: bool = False
    table_class: str = ""
    table_class_changed: float = 0.0
    ttl: str = ""
    ttl_filling: bool = False
    ttl_disabled: int = 0
    recovery_days: int = 0
    recovery_since: float = 0.0
    copies: tuple[str, ...] = ()
    restore: Restore | None = None
    importing: bool = False
    tags: dict[str, str] = {}
    insights: dict[str, Insight] = {}
    warm: Throughput | None = None

    @property
    def arn(self) -> str:
        """The table's ARN."""
        return str(Arn("dynamodb", self.region, self.account, f"table/{self.name}"))

    @property
    def items(self) -> str:
        """The collection of its items."""
        return f"dynamodb.items/{self.id}"

    @property
    def stream_log(self) -> str:
        """The log that its stream's records are added to."""
        return stream_log(self.id, self.stream_label)

    @property
    def history(self) -> str:
        """The log of what its items were before they changed, while it is `remembered`."""
        return f"dynamodb.history/{self.id}"

    @property
    def remembered(self) -> bool:
        """Whether its changes are added to its history."""
        return bool(self.recovery_days or self.copies)

    @property
    def restoring(self) -> bool:
        """Whether it is still being made of a backup or of another table."""
        return self.restore is not None and self.restore.under_way

    @property
    def made(self) -> bool:
        """Whether it has all items that it begins with."""
        return not (self.importing or self.restoring)

    def restores(self, backup: str) -> bool:
        """Whether it is made of the backup of that ARN."""
        return self.restore is not None and self.restore.backup == backup

    def earliest(self, now: float) -> float:
        """The earliest time that point-in-time recovery reaches."""
        return max(self.recovery_since, now - self.recovery_days * 24 * 3600)

    @property
    def expiries(self) -> str:
        """The collection of its items' expiry times; another one whenever expiry is enabled."""
        name = f"dynamodb.ttl/{self.id}"
        return f"{name}/{self.ttl_disabled}" if self.ttl_disabled else name

    def entries(self, index: Index) -> str:
        """The collection of an index's entries."""
        return f"dynamodb.index/{self.id}/{index.id}"

    def index(self, name: str) -> Index | None:
        """The index of that name, or None."""
        for index in self.indexes:
            if index.name == name:
                return index
        return None


_table_encoder = msgspec.msgpack.Encoder()
_table_decoder = msgspec.msgpack.Decoder(Table)

# By the record's bytes: a definition is decoded once, and a changed one is never mistaken.
_decoded: dict[bytes, Table] = {}
_MAX_DECODED = 4096


def decode_table(record: Record) -> Table:
    """The definition in a record of `TABLES`."""
    table = _decoded.get(record.value)
    if table is None:
        if len(_decoded) >= _MAX_DECODED:
            _decoded.clear()
        table = _decoded[record.value] = _table_decoder.decode(record.value)
    return table


def scope(account: str, region: str) -> bytes:
    """The partition of an account and region."""
    return f"{account}/{region}".encode()


async def find_table(tx: Transaction, account: str, region: str, name: str) -> Table | None:
    """The table of that name, or None."""
    record = await tx.get(TABLES, scope(account, region), name.encode())
    return decode_table(record) if record is not None else None


async def load_table(tx: Transaction, account: str, region: str, name: str) -> Table:
    """The table of that name for a data operation; ResourceNotFoundException without one."""
    record = await tx.get(TABLES, scope(account, region), name.encode())
    if record is None:
        raise table_not_found()
    table = decode_table(record)
    if not table.made:
        raise table_not_found()
    return table


async def save_table(tx: Transaction, table: Table) -> None:
    """Write a definition."""
    await tx.put(
        TABLES,
        scope(table.account, table.region),
        table.name.encode(),
        _table_encoder.encode(table),
    )


_item_encoder = msgspec.msgpack.Encoder()
_item_decoder: msgspec.msgpack.Decoder[Item] = msgspec.msgpack.Decoder(dict[str, dict[str, Any]])
_SIZE_BYTES = 4


def encode_item(item: Item, size: int) -> bytes:
    """An item as stored: its size by DynamoDB's rules, then the attributes."""
    return size.to_bytes(_SIZE_BYTES, "big") + _item_encoder.encode(item)


def decode_item(value: bytes) -> Item:
    """The item in a record's value; a new object each time."""
    return _item_decoder.decode(value[_SIZE_BYTES:])


def stored_size(value: bytes) -> int:
    """The item's size by DynamoDB's rules, without decoding it."""
    return int.from_bytes(value[:_SIZE_BYTES], "big")
