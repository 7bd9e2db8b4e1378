"""ExportTableToPointInTime, DescribeExport and ListExports.

Source: Amazon DynamoDB Developer Guide, "DynamoDB data export to Amazon S3".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambent.core.arns import Arn
from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.core.ids import Ids
from lambent.services.dynamodb.backups.copying import hold
from lambent.services.dynamodb.backups.model import new_id, time_wanted
from lambent.services.dynamodb.errors import invalid
from lambent.services.dynamodb.exports.model import EXPORTS, Export, decode_export, save_export
from lambent.services.dynamodb.exports.writing import Exporter
from lambent.services.dynamodb.model import find_table, scope
from lambent.services.dynamodb.parameters import name_from_arn
from lambent.store.contract import Store, Transaction

_TOKEN_SECONDS = 8 * 3600.0
_MAX_LISTED = 25
_KEPT = (
    "ClientToken",
    "S3Bucket",
    "S3BucketOwner",
    "S3Prefix",
    "S3SseAlgorithm",
    "S3SseKmsKeyId",
)


class Exports:
    """The operations on exports."""

    def __init__(self, store: Store, ids: Ids, exporter: Exporter) -> None:
        self._store = store
        self._ids = ids
        self._exporter = exporter

    async def export(self, context: RequestContext, params: Params) -> Result:
        """ExportTableToPointInTime: a whole table, in DynamoDB's JSON."""
        arn, time = params["TableArn"], params.get("ExportTime")
        for name, only in (("ExportFormat", "DYNAMODB_JSON"), ("ExportType", "FULL_EXPORT")):
            if params.get(name) not in (None, only):
                raise invalid(f"{name} {params[name]} is not available on this node.")
        request = {name: params[name] for name in _KEPT if params.get(name) is not None}
        token = params.get("ClientToken")

        async def body(tx: Transaction) -> Export:
            name = name_from_arn(context, arn)
            table = await find_table(tx, context.account, context.region, name)
            if table is None:
                raise AwsError("TableNotFoundException", f"Table not found: {name}", 400)
            for known in await _exports(tx, context):
                if token and known.request.get("ClientToken") == token:
                    same = known.request == request and known.table.id == table.id
                    if known.started > tx.now - _TOKEN_SECONDS:
                        if same and (time is None or known.time == float(time)):
                            return known
                        raise AwsError(
                            "ExportConflictException",
                            "There was a conflict when writing to the specified S3 bucket",
                            400,
                        )
            outside = AwsError(
                "InvalidExportTimeException",
                "The specified ExportTime is outside of the point in time recovery window",
                400,
            )
            wanted = time_wanted(table, tx.now, time, outside)
            after = await tx.position_at(table.history, tx.now + 1 if time is None else wanted)
            export = Export(
                id=new_id(tx.now, self._ids.hex(8)),
                table=table,
                time=wanted,
                after=after,
                request=request,
                started=tx.now,
            )
            await save_export(tx, export)
            await hold(tx, table, export.id)
            return export

        export = await self._store.transact(body)
        if not export.ended:
            self._exporter.begin(export)
        return {"ExportDescription": _description(export)}

    async def describe(self, context: RequestContext, params: Params) -> Result:
        """DescribeExport."""
        arn = params["ExportArn"]
        _check_arn(arn)

        async def body(tx: Transaction) -> Export:
            for export in await _exports(tx, context):
                if export.arn == arn:
                    return export
            raise AwsError("ExportNotFoundException", f"Export not found: {arn}", 400)

        return {"ExportDescription": _description(await self._store.transact(body))}

    async def list(self, context: RequestContext, params: Params) -> Result:
        """ListExports: in the order in which they were begun."""
        arn, token = params.get("TableArn"), params.get("NextToken") or ""
        limit = params.get("MaxResults") or _MAX_LISTED
        found = await self._store.transact(lambda tx: _exports(tx, context))
        left = [
            export
            for export in found
            if export.id > token and (arn is None or export.table.arn == arn)
        ]
        return {
            "ExportSummaries": [
                {
                    "ExportArn": export.arn,
                    "ExportStatus": export.status,
                    "ExportType": "FULL_EXPORT",
                }
                for export in left[:limit]
            ],
            "NextToken": left[limit - 1].id if len(left) > limit else None,
        }


def _description(export: Export) -> Mapping[str, Any]:
    done = bool(export.ended) and not export.failure
    return {
        "ExportArn": export.arn,
        "ExportStatus": export.status,
        "StartTime": export.started,
        "EndTime": export.ended or None,
        "ExportManifest": export.manifest or None,
        "TableArn": export.table.arn,
        "TableId": export.table.id,
        "ExportTime": export.time,
        "S3SseAlgorithm": "AES256",
        **export.request,
        "FailureCode": export.failure or None,
        "FailureMessage": export.message or None,
        "ExportFormat": "DYNAMODB_JSON",
        "ExportType": "FULL_EXPORT",
        "BilledSizeBytes": export.bytes if done else None,
        "ItemCount": export.count if done else None,
    }


def _check_arn(given: str) -> None:
    try:
        arn = Arn.parse(given)
    except ValueError:
        arn = None
    if arn is None or arn.service != "dynamodb" or "/export/" not in arn.resource:
        raise invalid(f"Invalid ExportArn: {given}")


async def _exports(tx: Transaction, context: RequestContext) -> list[Export]:
    records = await tx.scan(EXPORTS, scope(context.account, context.region))
    return [decode_export(record) for record in records]
