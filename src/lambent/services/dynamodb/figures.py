"""What requests on tables are measured for, under AWS's names in AWS/DynamoDB.

Measured around the operations: how long those took that went well, what they gave, and why
others did not. Source: DynamoDB Developer Guide, "DynamoDB metrics and dimensions".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lambent.core.clock import Clock
from lambent.core.context import Operation, Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.core.metrics import Metric, Metrics
from lambent.core.registry import method_name

MEASURED: Final = (
    *("BatchGetItem", "BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan"),
    *("TransactGetItems", "TransactWriteItems", "UpdateItem"),
)
_OF_TABLES: Final = {
    "ConditionalCheckFailedException": "ConditionalCheckFailedRequests",
    "TransactionConflictException": "TransactionConflict",
}


def measure(operations: object, metrics: Metrics, clock: Clock) -> None:
    """Measure the operations of an object from now on."""
    for name in MEASURED:
        method = method_name(name)
        setattr(operations, method, _measured(name, getattr(operations, method), metrics, clock))


def _measured(name: str, operation: Operation, metrics: Metrics, clock: Clock) -> Operation:
    async def measured(context: RequestContext, params: Params) -> Result:
        def note(metric: str, unit: str, value: float, **dimensions: str) -> None:
            own = tuple(sorted(dimensions.items()))
            place = (context.account, context.region, "AWS/DynamoDB", metric)
            metrics.measure(Metric(*place, own, unit), context.now, value)

        began = clock.monotonic()
        try:
            result = await operation(context, params)
        except AwsError as error:
            of_table = _OF_TABLES.get(error.code)
            tables = _tables(params)
            if of_table is not None and tables:
                note(of_table, "Count", 1, TableName=tables[0])
            elif error.code != "TransactionCanceledException":
                note("UserErrors", "Count", 1)
            raise
        took = (clock.monotonic() - began) * 1000
        for table in _tables(params):
            note("SuccessfulRequestLatency", "Milliseconds", took, Operation=name, TableName=table)
            if name in ("Query", "Scan") and result is not None:
                count = result.get("Count") or 0
                note("ReturnedItemCount", "Count", count, Operation=name, TableName=table)
        return result

    return measured


def _tables(params: Mapping[str, Any]) -> list[str]:
    """The tables that a request names, without what may stand before in an ARN."""
    named = [params.get("TableName"), *(params.get("RequestItems") or ())]
    return sorted({str(name).rpartition(":table/")[2] for name in named if name})
