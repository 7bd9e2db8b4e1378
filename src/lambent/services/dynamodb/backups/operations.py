"""On-demand backups and point-in-time recovery.

Source: Amazon DynamoDB Developer Guide, "Using on-demand backup and restore" and "Point-in-time
backups".
"""

from __future__ import annotations

import functools
from typing import Any

import msgspec

from lambent.core.clock import Clock
from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.core.ids import Ids
from lambent.services.dynamodb.backups import describe
from lambent.services.dynamodb.backups.copying import Copier, hold
from lambent.services.dynamodb.backups.model import (
    BACKUPS,
    SYSTEM_SECONDS,
    Backup,
    backup_id,
    decode_backup,
    load_backup,
    new_id,
    save_backup,
    time_wanted,
)
from lambent.services.dynamodb.backups.restoring import restored_table
from lambent.services.dynamodb.describe import describe as describe_table
from lambent.services.dynamodb.errors import invalid, invalid_parameter
from lambent.services.dynamodb.model import (
    TABLES,
    Restore,
    Table,
    decode_table,
    find_table,
    save_table,
    scope,
)
from lambent.services.dynamodb.parameters import check_name, name_from_arn, table_name
from lambent.services.dynamodb.statistics import Count, Ledger
from lambent.store import removal
from lambent.store.contract import Store, Transaction

_MAX_LISTED = 100
_DAY = 24 * 3600.0
_LONGEST_COPY = 6 * 3600.0
_FORGOTTEN_AT_ONCE = 200


class Backups:
    """Operations on backups, and on tables' recovery."""

    def __init__(
        self, store: Store, clock: Clock, ids: Ids, ledger: Ledger, copier: Copier
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._ledger = ledger
        self._copier = copier

    async def create(self, context: RequestContext, params: Params) -> Result:
        """CreateBackup: the table as it is at this moment; its items are copied afterwards."""
        name = table_name(context, params["TableName"])
        table = await self._store.transact(lambda tx: _table(tx, context, name))
        counts = await self._ledger.counts(table.id)

        async def body(tx: Transaction) -> Backup:
            table = await _table(tx, context, name)
            if not table.made:
                raise AwsError("TableInUseException", f"Table is being created: {name}", 400)
            id = new_id(tx.now, self._ids.hex(8))
            count = counts.get("", Count())
            backup = Backup(
                id=id,
                name=params["BackupName"],
                table=table,
                items=f"dynamodb.backup/{id}",
                created=tx.now,
                after=await tx.position_at(table.history, tx.now + 1),
                copying=True,
                count=count.items,
                bytes=count.bytes,
            )
            await save_backup(tx, backup)
            await hold(tx, table, id)
            return backup

        backup = await self._store.transact(body)
        self._copier.back_up(backup)
        return {"BackupDetails": describe.details(backup)}

    async def describe(self, context: RequestContext, params: Params) -> Result:
        """DescribeBackup."""
        arn = params["BackupArn"]
        backup = await self._store.transact(lambda tx: load_backup(tx, context, arn))
        return {"BackupDescription": describe.description(backup)}

    async def delete(self, context: RequestContext, params: Params) -> Result:
        """DeleteBackup."""
        arn = params["BackupArn"]

        async def body(tx: Transaction) -> Backup:
            backup = await load_backup(tx, context, arn)
            if backup.system:
                raise invalid("System backups cannot be deleted")
            where = scope(context.account, context.region)
            tables = [decode_table(record) for record in await tx.scan(TABLES, where)]
            used = any(table.restoring and table.restores(arn) for table in tables)
            if backup.copying or used:
                raise AwsError("BackupInUseException", f"Backup is being used: {arn}", 400)
            await tx.delete(BACKUPS, where, backup.id.encode())
            await removal.remove(tx, removal.records(backup.items))
            return backup

        backup = await self._store.transact(body)
        return {"BackupDescription": describe.description(backup, status="DELETED")}

    async def list(self, context: RequestContext, params: Params) -> Result:
        """ListBackups: in the order of their creation."""
        limit = params.get("Limit") or _MAX_LISTED
        given, after = params.get("TableName"), params.get("ExclusiveStartBackupArn")
        name = table_name(context, given) if given is not None else None
        start = backup_id(context, after).encode() + b"\x00" if after is not None else b""
        kind = params.get("BackupType") or "USER"
        earliest = params.get("TimeRangeLowerBound")
        latest = params.get("TimeRangeUpperBound")

        def wanted(backup: Backup) -> bool:
            return (
                (name is None or backup.table.name == name)
                and kind in ("ALL", "SYSTEM" if backup.system else "USER")
                and (earliest is None or backup.created >= earliest)
                and (latest is None or backup.created < latest)
            )

        async def body(tx: Transaction) -> list[Backup]:
            where = scope(context.account, context.region)
            records = await tx.scan(BACKUPS, where, start=start)
            return [each for each in map(decode_backup, records) if wanted(each)]

        found = await self._store.transact(body)
        result: dict[str, Any] = {
            "BackupSummaries": [describe.summary(backup) for backup in found[:limit]]
        }
        if len(found) > limit:
            result["LastEvaluatedBackupArn"] = found[limit - 1].arn
        return result

    async def restore(self, context: RequestContext, params: Params) -> Result:
        """RestoreTableFromBackup."""
        check_name(params["TargetTableName"])

        async def body(tx: Transaction) -> Table:
            backup = await load_backup(tx, context, params["BackupArn"])
            if backup.copying:
                message = f"Backup is being used: {backup.arn}"
                raise AwsError("BackupInUseException", message, 400)
            restore = Restore(
                source=backup.table.name,
                backup=backup.arn,
                time=backup.created,
                items=backup.items,
            )
            return await self._new_table(tx, context, backup.table, params, restore)

        return self._begun(await self._store.transact(body))

    async def restore_to_time(self, context: RequestContext, params: Params) -> Result:
        """RestoreTableToPointInTime."""
        check_name(params["TargetTableName"])
        given, arn = params.get("SourceTableName"), params.get("SourceTableArn")
        if (given is None) == (arn is None):
            raise invalid_parameter(
                "Exactly one of SourceTableName and SourceTableArn must be specified"
            )
        name = name_from_arn(context, arn) if arn is not None else table_name(context, given or "")
        time, latest = params.get("RestoreDateTime"), params.get("UseLatestRestorableTime") is True
        if (time is None) != latest:
            raise invalid_parameter(
                "Exactly one of RestoreDateTime and UseLatestRestorableTime must be specified"
            )

        async def body(tx: Transaction) -> Table:
            source = await _table(tx, context, name)
            outside = AwsError(
                "InvalidRestoreTimeException",
                "The RestoreDateTime is not between EarliestRestorableDateTime and "
                "LatestRestorableDateTime",
                400,
            )
            wanted = time_wanted(source, tx.now, time, outside)
            restore = Restore(
                source=source.name,
                time=wanted,
                items=source.items,
                log=source.history,
                after=await tx.position_at(source.history, tx.now + 1 if latest else wanted),
            )
            table = await self._new_table(tx, context, source, params, restore)
            await hold(tx, source, table.id)
            return table

        return self._begun(await self._store.transact(body))

    async def describe_recovery(self, context: RequestContext, params: Params) -> Result:
        """DescribeContinuousBackups."""
        name = table_name(context, params["TableName"])

        async def body(tx: Transaction) -> Result:
            table = await _table(tx, context, name)
            return {"ContinuousBackupsDescription": describe.recovery(table, tx.now)}

        return await self._store.transact(body)

    async def update_recovery(self, context: RequestContext, params: Params) -> Result:
        """UpdateContinuousBackups: switch point-in-time recovery on or off."""
        name = table_name(context, params["TableName"])
        specification = params["PointInTimeRecoverySpecification"]
        enabled = specification["PointInTimeRecoveryEnabled"]
        days = specification.get("RecoveryPeriodInDays")
        if days is not None and not enabled:
            raise invalid_parameter(
                "RecoveryPeriodInDays can only be specified when point in time recovery is enabled"
            )

        async def body(tx: Transaction) -> Result:
            table = await _table(tx, context, name)
            if enabled:
                table = msgspec.structs.replace(
                    table,
                    recovery_days=days or table.recovery_days or 35,
                    recovery_since=table.recovery_since or tx.now,
                )
            else:
                table = msgspec.structs.replace(table, recovery_days=0, recovery_since=0.0)
            await save_table(tx, table)
            if not table.remembered:
                await removal.remove(tx, removal.log(table.history, before=tx.now))
            return {"ContinuousBackupsDescription": describe.recovery(table, tx.now)}

        return await self._store.transact(body)

    async def sweep(self) -> None:
        """Forget what is older than recovery reaches, and delete expired backups."""

        async def expire(tx: Transaction) -> list[Table]:
            for record in await tx.scan_all(BACKUPS):
                backup = decode_backup(record)
                if backup.expires and backup.expires < tx.now:
                    await tx.delete(BACKUPS, record.partition, record.sort)
                    await removal.remove(tx, removal.records(backup.items))
            return [decode_table(record) for record in await tx.scan_all(TABLES)]

        for table in await self._store.transact(expire):
            while table.recovery_days:
                forget = functools.partial(_forget_some, known=table)
                if await self._store.transact(forget) < _FORGOTTEN_AT_ONCE:
                    break
                await self._clock.sleep(0)

    async def _new_table(
        self,
        tx: Transaction,
        context: RequestContext,
        source: Table,
        params: Params,
        restore: Restore,
    ) -> Table:
        name = params["TargetTableName"]
        if await find_table(tx, context.account, context.region, name) is not None:
            message = f"Table already exists: {name}"
            raise AwsError("TableAlreadyExistsException", message, 400)
        table = restored_table(source, params, restore, tx.now, self._ids)
        await save_table(tx, table)
        return table

    def _begun(self, table: Table) -> Result:
        self._copier.restore(table)
        return {"TableDescription": describe_table(table, {}, told="CREATING")}


async def keep_deleted(tx: Transaction, table: Table, count: Count) -> None:
    """A table with recovery is deleted: what it held is kept for 35 days as a backup."""
    backup = Backup(
        id=new_id(tx.now, "00000000"),
        name=f"{table.name}$DeletedTableBackup",
        table=table,
        items=table.items,
        created=tx.now,
        system=True,
        expires=tx.now + SYSTEM_SECONDS,
        count=count.items,
        bytes=count.bytes,
    )
    await save_backup(tx, backup)


async def _table(tx: Transaction, context: RequestContext, name: str) -> Table:
    table = await find_table(tx, context.account, context.region, name)
    if table is None:
        raise AwsError("TableNotFoundException", f"Table not found: {name}", 400)
    return table


async def _forget_some(tx: Transaction, known: Table) -> int:
    """Forget some of a table's changes that are older than its recovery reaches; how many."""
    table = await find_table(tx, known.account, known.region, known.name)
    if table is None or table.id != known.id or not table.recovery_days:
        return 0
    # A restore that is under way still needs what was there when it began.
    reach = table.recovery_days * _DAY + _LONGEST_COPY
    return await tx.trim(table.history, before=tx.now - reach, limit=_FORGOTTEN_AT_ONCE)
