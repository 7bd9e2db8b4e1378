"""The operations on tables themselves: create, describe, update, delete, list, tags, expiry.

A table is usable as soon as CreateTable answers; its answer says CREATING, as AWS's does,
and the next DescribeTable says ACTIVE.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec

from lambent.core.arns import Arn
from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.core.ids import Ids
from lambent.services.dynamodb import table_rules, table_updates
from lambent.services.dynamodb.backups.operations import keep_deleted
from lambent.services.dynamodb.describe import describe
from lambent.services.dynamodb.duties import Duties
from lambent.services.dynamodb.errors import invalid, table_not_found
from lambent.services.dynamodb.model import (
    STATISTICS,
    TABLES,
    Table,
    find_table,
    save_table,
    scope,
)
from lambent.services.dynamodb.parameters import check_name, name_from_arn, table_name
from lambent.services.dynamodb.policies import attach, check_policy, detach
from lambent.services.dynamodb.statistics import Count, Ledger
from lambent.services.dynamodb.streams.model import follow_table
from lambent.store import removal
from lambent.store.contract import Store, Transaction

_MAX_LISTED = 100


class Tables:
    """Operations on tables."""

    def __init__(self, store: Store, ids: Ids, ledger: Ledger, duties: Duties) -> None:
        self._store = store
        self._ids = ids
        self._ledger = ledger
        self._duties = duties

    async def create(self, context: RequestContext, params: Params) -> Result:
        """CreateTable."""
        check_name(params["TableName"])
        policy = params.get("ResourcePolicy")
        if policy is not None:
            check_policy(policy)

        async def body(tx: Transaction) -> Table:
            table = table_rules.new_table(
                params, account=context.account, region=context.region, now=tx.now, ids=self._ids
            )
            if await find_table(tx, context.account, context.region, table.name) is not None:
                raise AwsError("ResourceInUseException", f"Table already exists: {table.name}", 400)
            await save_table(tx, table)
            await follow_table(tx, None, table)
            if policy is not None:
                await attach(tx, Arn.parse(table.arn), policy)
            return table

        table = await self._store.transact(body)
        return {"TableDescription": describe(table, {}, told="CREATING")}

    async def describe(self, context: RequestContext, params: Params) -> Result:
        """DescribeTable."""
        table = await self._find(context, params)
        return {"Table": describe(table, await self._ledger.counts(table.id))}

    async def delete(self, context: RequestContext, params: Params) -> Result:
        """DeleteTable."""
        name = table_name(context, params["TableName"])
        counts = await self._ledger.counts((await self._find(context, params)).id)

        async def body(tx: Transaction) -> Table:
            table = await self._load(tx, context, name)
            if table.protected:
                raise invalid(
                    "Resource cannot be deleted as it is currently protected against deletion. "
                    "Disable deletion protection first."
                )
            _check_unused(table)
            await tx.delete(TABLES, scope(context.account, context.region), name.encode())
            await tx.delete(STATISTICS, table.id.encode())
            await follow_table(tx, table, None)
            await detach(tx, Arn.parse(table.arn))
            gone = [
                removal.records(table.expiries),
                *(removal.records(table.entries(index)) for index in table.indexes),
            ]
            if table.recovery_days:
                await keep_deleted(tx, table, counts.get("", Count()))
                gone.append(removal.log(table.history))
            else:
                gone.append(removal.records(table.items))
            await removal.remove(tx, *gone)
            return table

        table = await self._store.transact(body)
        self._ledger.forget(table.id)
        description = describe(table, {}, told="DELETING")
        for gone in ("AttributeDefinitions", "KeySchema", "CreationDateTime", "WarmThroughput"):
            description.pop(gone, None)
        return {"TableDescription": description}

    async def update(self, context: RequestContext, params: Params) -> Result:
        """UpdateTable."""
        name = table_name(context, params["TableName"])
        table_updates.check_request(params)

        async def body(tx: Transaction) -> Table:
            table = await self._load(tx, context, name)
            _check_made(table)
            updated = table_updates.update_table(table, params, tx.now, self._ids)
            await save_table(tx, updated.table)
            await follow_table(tx, table, updated.table)
            await removal.remove(
                tx, *(removal.records(table.entries(index)) for index in updated.dropped)
            )
            return updated.table

        table = await self._store.transact(body)
        if any(index.filling for index in table.indexes):
            self._duties.fill(table)
        counts = await self._ledger.counts(table.id)
        return {"TableDescription": describe(table, counts, told="UPDATING")}

    async def list(self, context: RequestContext, params: Params) -> Result:
        """ListTables."""
        limit = params.get("Limit") or _MAX_LISTED
        start = params.get("ExclusiveStartTableName")

        async def body(tx: Transaction) -> list[str]:
            records = await tx.scan(
                TABLES,
                scope(context.account, context.region),
                start=start.encode() + b"\x00" if start else b"",
                limit=limit + 1,
            )
            return [record.sort.decode() for record in records]

        names = await self._store.transact(body)
        result: dict[str, Any] = {"TableNames": names[:limit]}
        if len(names) > limit:
            result["LastEvaluatedTableName"] = names[limit - 1]
        return result

    async def tag(self, context: RequestContext, params: Params) -> Result:
        """TagResource."""
        new = {tag["Key"]: tag["Value"] for tag in params["Tags"]}

        async def body(tx: Transaction) -> None:
            table = await self._load_by_arn(tx, context, params["ResourceArn"])
            tags = table.tags | new
            table_rules.check_tags(tags)
            await save_table(tx, msgspec.structs.replace(table, tags=tags))

        await self._store.transact(body)
        return None

    async def untag(self, context: RequestContext, params: Params) -> Result:
        """UntagResource."""
        gone = set(params["TagKeys"])

        async def body(tx: Transaction) -> None:
            table = await self._load_by_arn(tx, context, params["ResourceArn"])
            tags = {key: value for key, value in table.tags.items() if key not in gone}
            await save_table(tx, msgspec.structs.replace(table, tags=tags))

        await self._store.transact(body)
        return None

    async def list_tags(self, context: RequestContext, params: Params) -> Result:
        """ListTagsOfResource."""

        async def body(tx: Transaction) -> Table:
            return await self._load_by_arn(tx, context, params["ResourceArn"])

        table = await self._store.transact(body)
        return {"Tags": [{"Key": key, "Value": value} for key, value in table.tags.items()]}

    async def update_ttl(self, context: RequestContext, params: Params) -> Result:
        """UpdateTimeToLive."""
        name = table_name(context, params["TableName"])
        given = params["TimeToLiveSpecification"]
        enabled, attribute = given["Enabled"], given["AttributeName"]

        async def body(tx: Transaction) -> Table:
            table = await self._load(tx, context, name)
            if enabled and table.ttl == attribute:
                raise invalid("TimeToLive is already enabled")
            if not enabled and not table.ttl:
                raise invalid("TimeToLive is already disabled")
            if table.ttl and table.ttl != attribute:
                raise invalid(
                    "TimeToLive is active on a different AttributeName: "
                    f"current AttributeName is {table.ttl}"
                )
            if not enabled:
                await removal.remove(tx, removal.records(table.expiries))
            table = msgspec.structs.replace(
                table,
                ttl=attribute if enabled else "",
                ttl_filling=enabled,
                ttl_disabled=table.ttl_disabled + (not enabled),
            )
            await save_table(tx, table)
            return table

        table = await self._store.transact(body)
        if enabled:
            self._duties.fill(table)
        return {"TimeToLiveSpecification": {"Enabled": enabled, "AttributeName": attribute}}

    async def describe_ttl(self, context: RequestContext, params: Params) -> Result:
        """DescribeTimeToLive."""
        table = await self._find(context, params)
        if not table.ttl:
            return {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}
        return {
            "TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": table.ttl}
        }

    def limits(self) -> Result:
        """DescribeLimits: AWS's defaults."""
        return {
            "AccountMaxReadCapacityUnits": 80000,
            "AccountMaxWriteCapacityUnits": 80000,
            "TableMaxReadCapacityUnits": 40000,
            "TableMaxWriteCapacityUnits": 40000,
        }

    def endpoints(self, context: RequestContext) -> Result:
        """DescribeEndpoints: this node."""
        address = urlsplit(context.endpoint).netloc
        return {"Endpoints": [{"Address": address, "CachePeriodInMinutes": 1440}]}

    async def filled(self, table_id: str) -> None:
        """Wait until the new indexes of a table are filled."""
        await self._duties.filled(table_id)

    async def _find(self, context: RequestContext, params: Params) -> Table:
        name = table_name(context, params["TableName"])

        async def body(tx: Transaction) -> Table:
            return await self._load(tx, context, name)

        return await self._store.transact(body)

    async def _load(self, tx: Transaction, context: RequestContext, name: str) -> Table:
        table = await find_table(tx, context.account, context.region, name)
        if table is None:
            raise table_not_found(name)
        return table

    async def _load_by_arn(self, tx: Transaction, context: RequestContext, arn: str) -> Table:
        name = name_from_arn(context, arn)
        table = await find_table(tx, context.account, context.region, name)
        if table is None:
            raise AwsError(
                "ResourceNotFoundException",
                f"Requested resource not found: ResourcArn: {arn} not found",
                400,
            )
        return table


def _check_unused(table: Table) -> None:
    """Raise while a table is made of another one, or another is made of it."""
    _check_made(table)
    if table.copies:
        raise _in_use(f"Table is being backed up or restored from: {table.name}")


def _check_made(table: Table) -> None:
    """Raise while a table is made of another one."""
    if not table.made:
        raise _in_use(f"Table is being created: {table.name}")


def _in_use(why: str) -> AwsError:
    message = f"Attempt to change a resource which is still in use: {why}"
    return AwsError("ResourceInUseException", message, 400)
