"""What is asked about a table's copies elsewhere: replicas in other regions and Kinesis streams.

A node has neither, so there is nothing to find; the operations that would make them are not
built.
"""

from __future__ import annotations

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.services.dynamodb.describe import status
from lambent.services.dynamodb.errors import table_not_found
from lambent.services.dynamodb.model import Table, find_table
from lambent.services.dynamodb.parameters import table_name
from lambent.store.contract import Store, Transaction


class Replicas:
    """The operations that describe copies."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list_global_tables(self, context: RequestContext, params: Params) -> Result:
        """ListGlobalTables."""
        return {"GlobalTables": []}

    async def describe_global_table(self, context: RequestContext, params: Params) -> Result:
        """DescribeGlobalTable and DescribeGlobalTableSettings."""
        raise AwsError(
            "GlobalTableNotFoundException",
            "Global table not found: Global table with name: "
            f"'{params['GlobalTableName']}' does not exist.",
            400,
        )

    async def describe_scaling(self, context: RequestContext, params: Params) -> Result:
        """DescribeTableReplicaAutoScaling."""
        table = await self._find(context, params)
        return {
            "TableAutoScalingDescription": {
                "TableName": table.name,
                "TableStatus": status(table),
                "Replicas": [],
            }
        }

    async def describe_kinesis(self, context: RequestContext, params: Params) -> Result:
        """DescribeKinesisStreamingDestination."""
        table = await self._find(context, params)
        return {"TableName": table.name, "KinesisDataStreamDestinations": []}

    async def _find(self, context: RequestContext, params: Params) -> Table:
        name = table_name(context, params["TableName"])

        async def body(tx: Transaction) -> Table:
            table = await find_table(tx, context.account, context.region, name)
            if table is None:
                raise table_not_found(name)
            return table

        return await self._store.transact(body)
