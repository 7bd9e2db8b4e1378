"""Contributor Insights: the setting of each table and index.

Source: Amazon DynamoDB API Reference, "UpdateContributorInsights".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.services.dynamodb.errors import invalid, table_not_found
from lambent.services.dynamodb.model import (
    TABLES,
    Insight,
    Table,
    decode_table,
    find_table,
    save_table,
    scope,
)
from lambent.services.dynamodb.parameters import table_name
from lambent.store.contract import Store, Transaction

_MAX_LISTED = 100
_DEFAULT = "ACCESSED_AND_THROTTLED_KEYS"


class Insights:
    """The operations on Contributor Insights."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def update(self, context: RequestContext, params: Params) -> Result:
        """UpdateContributorInsights."""
        name, index = table_name(context, params["TableName"]), params.get("IndexName") or ""
        enable = params["ContributorInsightsAction"] == "ENABLE"

        async def body(tx: Transaction) -> str:
            table = await _find(tx, context, name, index)
            before = table.insights.get(index)
            mode = params.get("ContributorInsightsMode") or (before.mode if before else _DEFAULT)
            insight = Insight(mode, enable, tx.now)
            insights = {**table.insights, index: insight}
            await save_table(tx, msgspec.structs.replace(table, insights=insights))
            return mode

        return {
            "TableName": name,
            "IndexName": index or None,
            "ContributorInsightsStatus": "ENABLING" if enable else "DISABLING",
            "ContributorInsightsMode": await self._store.transact(body),
        }

    async def describe(self, context: RequestContext, params: Params) -> Result:
        """DescribeContributorInsights."""
        name, index = table_name(context, params["TableName"]), params.get("IndexName") or ""
        table = await self._store.transact(lambda tx: _find(tx, context, name, index))
        insight = table.insights.get(index)
        shown: dict[str, Any] = {
            "TableName": name,
            "IndexName": index or None,
            "ContributorInsightsStatus": _status(insight),
        }
        if insight is not None:
            shown["LastUpdateDateTime"] = insight.changed
            shown["ContributorInsightsMode"] = insight.mode
            if insight.enabled:
                shown["ContributorInsightsRuleList"] = _rules(table, index, insight)
        return shown

    async def list(self, context: RequestContext, params: Params) -> Result:
        """ListContributorInsights: what was ever switched on, table by table."""
        given, token = params.get("TableName"), params.get("NextToken")
        limit = params.get("MaxResults") or _MAX_LISTED
        if not 1 <= limit <= _MAX_LISTED:
            raise invalid(f"MaxResults must be between 1 and {_MAX_LISTED}")
        name = table_name(context, given) if given is not None else None

        async def body(tx: Transaction) -> list[Table]:
            if name is not None:
                return [await _find(tx, context, name, "")]
            records = await tx.scan(TABLES, scope(context.account, context.region))
            return [decode_table(record) for record in records]

        every = [
            (f"{table.name}/{index}", _summary(table, index, insight))
            for table in await self._store.transact(body)
            for index, insight in sorted(table.insights.items())
        ]
        left = [each for each in every if token is None or each[0] > token]
        return {
            "ContributorInsightsSummaries": [summary for _, summary in left[:limit]],
            "NextToken": left[limit - 1][0] if len(left) > limit else None,
        }


def _status(insight: Insight | None) -> str:
    return "ENABLED" if insight is not None and insight.enabled else "DISABLED"


def _summary(table: Table, index: str, insight: Insight) -> Mapping[str, Any]:
    return {
        "TableName": table.name,
        "IndexName": index or None,
        "ContributorInsightsStatus": _status(insight),
        "ContributorInsightsMode": insight.mode,
    }


def _rules(table: Table, index: str, insight: Insight) -> list[str]:
    """The names of CloudWatch's rules: of partition keys, and of sort keys where there are any;
    of the most accessed ones unless only throttled ones are asked for."""
    found = table.index(index) if index else None
    schema = found.key if found is not None else table.key
    kinds = ["T"] if insight.mode == "THROTTLED_KEYS" else ["C", "T"]
    of = f"{table.name}-{index}" if index else table.name
    return [
        f"DynamoDBContributorInsights-{part}{kind}-{of}-{int(insight.changed * 1000)}"
        for part in (["PK", "SK"] if schema.range else ["PK"])
        for kind in kinds
    ]


async def _find(tx: Transaction, context: RequestContext, name: str, index: str) -> Table:
    table = await find_table(tx, context.account, context.region, name)
    if table is None:
        raise table_not_found(name)
    if index and table.index(index) is None:
        message = f"Requested resource not found: Index: {index} of Table: {name} not found"
        raise AwsError("ResourceNotFoundException", message, 400)
    return table
