"""DynamoDB's operations, one method each; every group has its own module."""

from __future__ import annotations

from lambent.core.context import Params, RequestContext, Result
from lambent.services.dynamodb.backups.operations import Backups
from lambent.services.dynamodb.batch import Batches
from lambent.services.dynamodb.exports.operations import Exports
from lambent.services.dynamodb.imports.operations import Imports
from lambent.services.dynamodb.insights import Insights
from lambent.services.dynamodb.items import Items
from lambent.services.dynamodb.partiql.execution import PartiQL
from lambent.services.dynamodb.policies import Policies
from lambent.services.dynamodb.reads import Reads
from lambent.services.dynamodb.replicas import Replicas
from lambent.services.dynamodb.tables import Tables
from lambent.services.dynamodb.transactions import Transactions


class DynamoDB:
    """The operations of `dynamodb`."""

    def __init__(
        self,
        tables: Tables,
        items: Items,
        reads: Reads,
        batches: Batches,
        transactions: Transactions,
        partiql: PartiQL,
        backups: Backups,
        policies: Policies,
        replicas: Replicas,
        exports: Exports,
        imports: Imports,
        insights: Insights,
    ) -> None:
        self._tables = tables
        # The hot ones are bound without a step between.
        self.get_item = items.get
        self.put_item = items.put
        self.update_item = items.update
        self.delete_item = items.delete
        self.query = reads.query
        self.scan = reads.scan
        self.batch_get_item = batches.get
        self.batch_write_item = batches.write
        self.transact_write_items = transactions.write
        self.transact_get_items = transactions.get
        self.execute_statement = partiql.execute
        self.batch_execute_statement = partiql.batch
        self.execute_transaction = partiql.transact
        self.create_table = tables.create
        self.describe_table = tables.describe
        self.update_table = tables.update
        self.delete_table = tables.delete
        self.list_tables = tables.list
        self.tag_resource = tables.tag
        self.untag_resource = tables.untag
        self.list_tags_of_resource = tables.list_tags
        self.update_time_to_live = tables.update_ttl
        self.describe_time_to_live = tables.describe_ttl
        self.import_table = imports.begin
        self.describe_import = imports.describe
        self.list_imports = imports.list
        self.export_table_to_point_in_time = exports.export
        self.describe_export = exports.describe
        self.list_exports = exports.list
        self.list_global_tables = replicas.list_global_tables
        self.describe_global_table = replicas.describe_global_table
        self.describe_global_table_settings = replicas.describe_global_table
        self.describe_table_replica_auto_scaling = replicas.describe_scaling
        self.describe_kinesis_streaming_destination = replicas.describe_kinesis
        self.put_resource_policy = policies.put
        self.get_resource_policy = policies.get
        self.delete_resource_policy = policies.delete
        self.update_contributor_insights = insights.update
        self.describe_contributor_insights = insights.describe
        self.list_contributor_insights = insights.list
        self.describe_continuous_backups = backups.describe_recovery
        self.update_continuous_backups = backups.update_recovery
        self.restore_table_to_point_in_time = backups.restore_to_time
        self.create_backup = backups.create
        self.describe_backup = backups.describe
        self.list_backups = backups.list
        self.delete_backup = backups.delete
        self.restore_table_from_backup = backups.restore

    async def describe_limits(self, context: RequestContext, params: Params) -> Result:
        """DescribeLimits."""
        return self._tables.limits()

    async def describe_endpoints(self, context: RequestContext, params: Params) -> Result:
        """DescribeEndpoints."""
        return self._tables.endpoints(context)
