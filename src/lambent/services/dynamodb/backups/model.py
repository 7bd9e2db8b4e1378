"""What is stored of backups.

| collection | partition, sort | value |
| --- | --- | --- |
| `dynamodb.backups` | account/region, the backup's id | the backup |
| `dynamodb.backup/ID` | as the table's items | its items |

    CREATING ─ all is copied ─▶ AVAILABLE ─ DeleteBackup, or 35 days for a SYSTEM backup ─▶ (gone)

A SYSTEM backup is what is left of a deleted table that had point-in-time recovery: it takes
the table's own items over.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lambent.core.arns import Arn
from lambent.core.context import RequestContext
from lambent.core.errors import AwsError
from lambent.services.dynamodb.errors import invalid
from lambent.services.dynamodb.model import Table, scope
from lambent.store.contract import Record, Transaction

BACKUPS: Final = "dynamodb.backups"
SYSTEM_SECONDS: Final = 35 * 24 * 3600.0


class Backup(msgspec.Struct, frozen=True, omit_defaults=True):
    """A backup. Times are in seconds since the epoch.

    `table` is the definition as it was, `items` the collection of its items, `after` the place
    in the table's history that it is of. `copying` until all is there. `expires` is 0 for what
    is kept until someone deletes it.
    """

    id: str
    name: str
    table: Table
    items: str
    created: float
    after: int = 0
    copying: bool = False
    system: bool = False
    expires: float = 0.0
    count: int = 0
    bytes: int = 0

    @property
    def arn(self) -> str:
        """The backup's ARN."""
        return f"{self.table.arn}/backup/{self.id}"


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Backup)


def new_id(now: float, tail: str) -> str:
    """An id as AWS's: the time in milliseconds, and something that tells it from others."""
    return f"{int(now * 1000):014d}-{tail}"


def decode_backup(record: Record) -> Backup:
    """The backup in a record of `BACKUPS`."""
    return _decoder.decode(record.value)


async def save_backup(tx: Transaction, backup: Backup) -> None:
    """Write a backup."""
    where = scope(backup.table.account, backup.table.region)
    await tx.put(BACKUPS, where, backup.id.encode(), _encoder.encode(backup))


async def load_backup(tx: Transaction, context: RequestContext, arn: str) -> Backup:
    """The backup of that ARN; BackupNotFoundException without one."""
    id = backup_id(context, arn)
    record = await tx.get(BACKUPS, scope(context.account, context.region), id.encode())
    backup = decode_backup(record) if record is not None else None
    if backup is None or backup.arn != arn:
        raise AwsError("BackupNotFoundException", f"Backup not found: {arn}", 400)
    return backup


def time_wanted(table: Table, now: float, given: Any, outside: AwsError) -> float:
    """The time that a table is wanted as of (None: now); PointInTimeRecoveryUnavailableException
    when it cannot be had as of any, `outside` when not as of this."""
    if not table.recovery_days:
        raise AwsError(
            "PointInTimeRecoveryUnavailableException",
            f"Point in time recovery is not enabled for table '{table.name}'",
            400,
        )
    wanted = now if given is None else float(given)
    # Times are often given in whole seconds: the second in which recovery began counts.
    if not int(table.earliest(now)) <= wanted <= now:
        raise outside
    return wanted


def backup_id(context: RequestContext, given: str) -> str:
    """The id at the end of a backup's ARN; ValidationException when it is no such ARN."""
    try:
        arn = Arn.parse(given)
    except ValueError:
        raise invalid(f"Invalid BackupArn: {given}") from None
    name, _, id = arn.resource.partition("/backup/")
    if arn.service != "dynamodb" or not name.startswith("table/") or not id:
        raise invalid(f"Invalid BackupArn: {given}")
    if arn.account != context.account:
        raise AwsError(
            "AccessDeniedException",
            f"User: {context.principal} is not authorized to perform this operation "
            f"on resource: {given}",
            400,
        )
    return id
